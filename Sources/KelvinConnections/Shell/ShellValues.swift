internal import CLinux
internal import Glibc
internal import KelvinModel

/// Values of files through a shell, many in one round trip, at one process or none on the target: what
/// is sent, and what comes back. Pure.
///
/// Reading: one `head` prints all regular files, behind each of them its own environment, which holds
/// nothing but a mark (`/proc/self/environ`, proc(5)). What is no regular file, and what that `head`
/// complains of, is read one by one, with the tool's message where it fails; the others once more
/// together, as a process may end while its files are read. Everything is when the complaints name none.
///
/// A shell's own `read` would need no process, but drops NUL bytes, and dash reads single bytes: of
/// /proc/sys the kernel then gives the first one only, and other values may change in between.
///
/// Writing: a line into a regular file by the shell's own `printf`, which needs no process; all else,
/// and what fails, by `dd`, which says what the kernel answered.
struct ShellValues {
  /// 64 random bits, in the marks and frames of one call.
  let nonce: String
  /// Bytes of a file beyond which it gives EFBIG.
  let limit: Int
  /// Files of one `head`.
  static let batch = 200

  init(limit: Int) {
    var generator = SystemRandomNumberGenerator()
    nonce = String(generator.next() as UInt64, radix: 16)
    self.limit = limit
  }

  /// What the shell must know. `kelvin_p` is the call's nonce, `kelvin_n` bytes of a file that are read
  /// at most. `kelvin_probe` finds out, once in a shell, whether its printf tells of a failed write, and
  /// then forgets what it could not write.
  static let functions = """
    kelvin_each() { for kelvin_f do kelvin_s=1
    if [ -d "$kelvin_f" ]; then kelvin_e=': Is a directory'
    else kelvin_e=$(head -c $kelvin_n -- "$kelvin_f" 2>&1 >&6); kelvin_s=$?; fi
    printf '\\n%s %d\\n' $kelvin_p $kelvin_s
    [ $kelvin_s = 0 ] || printf '%s\\n%s \\n' "$kelvin_e" $kelvin_p; done; }
    kelvin_some() { kelvin_o=; kelvin_k=; kelvin_t=0
    while :; do kelvin_i=0; kelvin_m=; kelvin_l=
    for kelvin_f do kelvin_i=$((kelvin_i+1))
    case $kelvin_f in */self/*|*/thread-self/*) kelvin_m=${kelvin_m}s; continue;; esac
    case $kelvin_o in *"$kelvin_f"*) kelvin_m=${kelvin_m}s; continue;; esac
    if [ "$kelvin_path" ] && [ -f "$kelvin_f" ] && [ -r "$kelvin_f" ]; then
    kelvin_m=${kelvin_m}f; kelvin_l="$kelvin_l \\"\\${$kelvin_i}\\" /proc/self/environ"
    else kelvin_m=${kelvin_m}s; fi; done
    if [ "$kelvin_m" = "$kelvin_k" ] || [ $kelvin_t = 3 ]; then kelvin_l=; fi
    [ "$kelvin_l" ] || { printf '\\n'; kelvin_m=; for kelvin_f do kelvin_m=${kelvin_m}s; done; break; }
    printf '%s\\n' "$kelvin_m"; kelvin_k=$kelvin_m kelvin_t=$((kelvin_t+1))
    kelvin_e=$(eval "exec env -i K=$kelvin_p \\"\\$kelvin_path\\" -q -c $kelvin_n -- $kelvin_l" 2>&1 >&6)
    kelvin_s=$?; printf '\\n%s %d\\n' $kelvin_p $kelvin_s
    [ $kelvin_s = 0 ] && break; kelvin_o="$kelvin_o
    $kelvin_e"; done; }
    kelvin_all() { kelvin_some "$@"
    case $kelvin_m in *s*) for kelvin_g do case $kelvin_m in s*) kelvin_each "$kelvin_g";; esac
    kelvin_m=${kelvin_m#?}; done;; esac; }
    kelvin_put() { if [ ! -e "$1" ]; then dd if="$1" of=/dev/null count=0 2>&1; echo ': No such file or directory'
    elif [ "$3" ] && [ "$kelvin_w" ] && [ -f "$1" ] && printf %b "$2" 1<>"$1"; then :
    else printf %b "$2" | dd of="$1" bs=$4 conv=notrunc 2>&1; fi; printf '\\n%s \\n' $kelvin_p; }
    kelvin_probe() { [ "${kelvin_w+x}" ] && return; kelvin_w=
    [ -c /dev/full ] && ! { printf x >/dev/full; } 2>/dev/null && [ "$(printf y)" = y ] && kelvin_w=x; }
    """

  /// Reads a reply.
  func reader(of bytes: [UInt8]) -> ShellValuesReader {
    ShellValuesReader(bytes: bytes, nonce: nonce, limit: limit)
  }

  // MARK: Reading

  /// A script that prints what ``read(_:count:)`` reads.
  ///
  /// - Parameter atOnce: nil decides by the file; false reads each by itself.
  func readScript(_ paths: [TargetPath], atOnce: Bool = true) -> String {
    // Some builds of busybox call a directory an input/output error. What belongs to `self` is
    // another process's in each way.
    var script = "kelvin_p=\(nonce) kelvin_n=\(limit + 1)\n"
    script += atOnce ? "kelvin_find head\n" : "kelvin_path=\n"
    for start in stride(from: 0, to: paths.count, by: ShellValues.batch) {
      let words = paths[start..<min(start + ShellValues.batch, paths.count)]
      script +=
        "kelvin_all \(words.map { ShellWords.quote($0.string) }.joined(separator: " ")) 6>&1\n"
    }
    return script
  }

  /// What the script for so many files printed; nil when a file held what only frames hold, or
  /// something is missing.
  func read(_ bytes: [UInt8], count: Int) -> [Result<[UInt8], Errno>]? {
    var reader = reader(of: bytes)
    var results: [Result<[UInt8], Errno>] = []
    while results.count < count {
      let size = min(ShellValues.batch, count - results.count)
      guard let some = reader.batch(of: size) else { return nil }
      results += some
    }
    return reader.isAtEnd ? results : nil
  }

  // MARK: Writing

  /// A script that writes values in order, and prints what ``written(_:count:)`` reads.
  func writeScript(_ values: [(path: TargetPath, bytes: [UInt8])]) -> String {
    var script = "kelvin_probe; kelvin_p=\(nonce)\n"
    for (path, bytes) in values {
      script += putting(bytes, into: path, named: ShellWords.quote(path.string)) + "\n"
    }
    return script
  }

  /// What became of each of so many values.
  func written(_ bytes: [UInt8], count: Int) -> [Result<Void, Errno>] {
    var reader = reader(of: bytes)
    return (0..<count).map { _ in reader.written() ?? .failure(.io) }
  }

  /// Writes one value; ``ShellValuesReader/written()`` reads what this prints.
  ///
  /// - Parameter word: the file, as the shell is told its name.
  func putting(_ bytes: [UInt8], into path: TargetPath, named word: String) -> String {
    let isPlain = !ShellValues.isTracing(path) && ShellValues.isLine(bytes)
    return "kelvin_put \(word) '\(ShellValues.escaped(bytes))' '\(isPlain ? "x" : "")' "
      + "\(max(1, bytes.count))"
  }

  /// Bytes for printf's `%b`, between single quotes: its octal escapes carry any byte.
  private static func escaped(_ bytes: [UInt8]) -> String {
    var text = ""
    for byte in bytes {
      if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "'"), byte != UInt8(ascii: "\\") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let octal = String(byte, radix: 8)
        text += "\\0" + String(repeating: "0", count: 3 - octal.count) + octal
      }
    }
    return text
  }

  /// Files for which it means something that they are opened for reading, too.
  private static func isTracing(_ path: TargetPath) -> Bool {
    path.string.hasPrefix("/d/")
      || path.string.split(separator: "/").contains { $0 == "tracing" || $0 == "debug" }
  }

  /// Whether every shell's printf writes it at once: bash writes line by line.
  private static func isLine(_ bytes: [UInt8]) -> Bool {
    (1...4000).contains(bytes.count) && !bytes.dropLast().contains(10)
  }
}
