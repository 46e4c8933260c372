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
  private let nonce: String
  /// Bytes of a file beyond which it gives EFBIG.
  private let limit: Int
  /// Files of one `head`.
  private static let batch = 200

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
    kelvin_all() { kelvin_o=; kelvin_k=; kelvin_t=0
    while :; do kelvin_i=0; kelvin_m=; kelvin_l=
    for kelvin_f do kelvin_i=$((kelvin_i+1))
    case $kelvin_f in */self/*|*/thread-self/*) kelvin_m=${kelvin_m}s; continue;; esac
    case $kelvin_o in *"$kelvin_f"*) kelvin_m=${kelvin_m}s; continue;; esac
    if [ "$kelvin_path" ] && [ -f "$kelvin_f" ] && [ -r "$kelvin_f" ]; then
    kelvin_m=${kelvin_m}f; kelvin_l="$kelvin_l \\"\\${$kelvin_i}\\" /proc/self/environ"
    else kelvin_m=${kelvin_m}s; fi; done
    if [ "$kelvin_m" = "$kelvin_k" ] || [ $kelvin_t = 3 ]; then kelvin_l=; fi
    [ "$kelvin_l" ] || { printf '\\n'; kelvin_each "$@"; return; }
    printf '%s\\n' "$kelvin_m"; kelvin_k=$kelvin_m kelvin_t=$((kelvin_t+1))
    kelvin_e=$(eval "exec env -i K=$kelvin_p \\"\\$kelvin_path\\" -q -c $kelvin_n -- $kelvin_l" 2>&1 >&6)
    kelvin_s=$?; printf '\\n%s %d\\n' $kelvin_p $kelvin_s
    [ $kelvin_s = 0 ] && break; kelvin_o="$kelvin_o
    $kelvin_e"; done
    case $kelvin_m in *s*) for kelvin_g do case $kelvin_m in s*) kelvin_each "$kelvin_g";; esac
    kelvin_m=${kelvin_m#?}; done;; esac; }
    kelvin_put() { if [ ! -e "$1" ]; then echo ': No such file or directory'
    elif [ "$3" ] && [ "$kelvin_w" ] && [ -f "$1" ] && printf %b "$2" 1<>"$1"; then :
    else printf %b "$2" | dd of="$1" bs=$4 conv=notrunc 2>&1; fi; printf '\\n%s \\n' $kelvin_p; }
    kelvin_probe() { [ "${kelvin_w+x}" ] && return; kelvin_w=
    [ -c /dev/full ] && ! { printf x >/dev/full; } 2>/dev/null && [ "$(printf y)" = y ] && kelvin_w=x; }
    """

  private var mark: [UInt8] { Array("K=\(nonce)\0".utf8) }
  private var frame: [UInt8] { [10] + Array("\(nonce) ".utf8) }

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
    var reader = Reader(bytes: bytes, frame: frame, limit: limit)
    var results: [Result<[UInt8], Errno>] = []
    while results.count < count {
      let size = min(ShellValues.batch, count - results.count)
      guard let some = reader.batch(of: size, mark: mark) else { return nil }
      results += some
    }
    return reader.isAtEnd ? results : nil
  }

  private struct Reader {
    let bytes: [UInt8]
    let frame: [UInt8]
    let limit: Int
    var index = 0

    var isAtEnd: Bool { index == bytes.count }

    mutating func batch(of count: Int, mark: [UInt8]) -> [Result<[UInt8], Errno>]? {
      var results = [Result<[UInt8], Errno>?](repeating: nil, count: count)
      // Without kinds all follow one by one.
      while let kinds = part(before: [10]), !kinds.isEmpty {
        let isFast = kinds.map { $0 == UInt8(ascii: "f") }
        guard kinds.count == count, isFast.contains(true),
          kinds.allSatisfy({ $0 == UInt8(ascii: "f") || $0 == UInt8(ascii: "s") }),
          let (block, status) = framed()
        else { return nil }
        guard status == 0 else { continue }
        var inner = Reader(bytes: Array(block), frame: frame, limit: limit)
        for index in isFast.indices where isFast[index] {
          guard let value = inner.part(before: mark) else { return nil }
          results[index] = ShellValues.result(value, limit)
        }
        guard inner.isAtEnd else { return nil }
        break
      }
      for index in results.indices where results[index] == nil {
        guard let (value, status) = framed() else { return nil }
        if status == 0 {
          results[index] = ShellValues.result(value, limit)
        } else {
          guard let message = part(before: frame), part(before: [10])?.isEmpty == true else {
            return nil
          }
          results[index] = .failure(ShellReply.errno(inMessage: Array(message)) ?? .io)
        }
      }
      return results.compactMap { $0 }
    }

    /// What stands before a frame, and its status.
    private mutating func framed() -> (ArraySlice<UInt8>, Int32)? {
      guard let content = part(before: frame), let digits = part(before: [10]),
        let status = Int32(String(decoding: digits, as: UTF8.self))
      else { return nil }
      return (content, status)
    }

    mutating func part(before pattern: [UInt8]) -> ArraySlice<UInt8>? {
      let found = bytes.withUnsafeBytes { all -> Int? in
        guard let base = all.baseAddress,
          let found = kelvin_find(base + index, all.count - index, pattern, pattern.count)
        else { return nil }
        return UnsafeRawPointer(found) - base
      }
      guard let found else { return nil }
      defer { index = found + pattern.count }
      return bytes[index..<found]
    }
  }

  private static func result(
    _ bytes: ArraySlice<UInt8>, _ limit: Int
  ) -> Result<[UInt8], Errno> {
    bytes.count > limit ? .failure(Errno(EFBIG)) : .success(Array(bytes))
  }

  // MARK: Writing

  /// A script that writes values in order, and prints what ``written(_:count:)`` reads.
  func writeScript(_ values: [(path: TargetPath, bytes: [UInt8])]) -> String {
    var script = "kelvin_probe; kelvin_p=\(nonce)\n"
    for (path, bytes) in values {
      // printf's octal escapes carry any byte.
      let text = bytes.map { byte in
        let octal = String(byte, radix: 8)
        return "\\0" + String(repeating: "0", count: 3 - octal.count) + octal
      }.joined()
      let isPlain = !ShellValues.isTracing(path) && ShellValues.isLine(bytes)
      script +=
        "kelvin_put \(ShellWords.quote(path.string)) '\(text)' '\(isPlain ? "x" : "")' "
        + "\(max(1, bytes.count))\n"
    }
    return script
  }

  /// What became of each of so many values.
  func written(_ bytes: [UInt8], count: Int) -> [Result<Void, Errno>] {
    var reader = Reader(bytes: bytes, frame: frame, limit: limit)
    return (0..<count).map { _ in
      guard let message = reader.part(before: frame), reader.part(before: [10])?.isEmpty == true
      else { return .failure(.io) }
      // dd ends with its counts when it worked.
      if let error = ShellReply.errno(inMessage: Array(message)) { return .failure(error) }
      return .success(())
    }
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
