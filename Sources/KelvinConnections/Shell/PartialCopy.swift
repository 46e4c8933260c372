internal import CLinux
internal import Glibc
internal import KelvinModel

/// Large copies that broke off, and are gone on with: where their beginnings lie, and how it is proved
/// that they are beginnings. Scripts and answers are pure.
///
/// A beginning lies beside the place of the file as `NAME.kelvin-part-` and letters and digits, or on this
/// machine as `NAME.kelvin-part`. It is never renamed to NAME before the whole was compared.
enum PartialCopy {
  /// Bytes beyond which a copy that broke off is worth being kept.
  static let threshold: Int64 = 8 << 20
  /// Seconds after which a writer that writes nothing holds a dead link.
  static let patience = 10

  static let suffix = ".kelvin-part"

  /// Whether what a failure has left may be gone on with: the link broke, or the time was over.
  static func mayGoOn(after failure: ConnectionFailure) -> Bool {
    [.connectionLost, .timedOut, .interrupted].contains(failure.code)
  }

  /// What to do about a copy that the target could not store.
  static func hint(for code: ConnectionFailure.Code) -> String {
    switch code {
    case .permissionDenied: "copy to a directory that the board's user may write to"
    case .system(.noSpace): "free some space on the board"
    case .system(let error) where error.rawValue == EROFS:
      "the file system is mounted read-only: remount it, or copy elsewhere"
    case .system(let error) where error.rawValue == EDQUOT:
      "the user's quota on the board is used up"
    default: ""
    }
  }

  /// A name on the target for what is not whole yet.
  static func temporary(for path: TargetPath, isLarge: Bool) -> String {
    path.string + (isLarge ? suffix + "-" : ".kelvin-") + ShellChannel.nonce().suffix(12)
  }

  /// Takes what an earlier copy to a path left: gives it a new name, and prints its length and check.
  /// Other such files are removed; those that somebody writes to are left alone.
  ///
  /// What holds a file open for writing by a link that is dead would write to it when it comes alive:
  /// it is ended, once it has written nothing for ``patience`` seconds. Only files of the same user are
  /// taken.
  static func claim(_ path: TargetPath, as temporary: String) -> String {
    """
    kelvin_writers() { kelvin_w=; kelvin_n=${1##*\(suffix)-}
    kelvin_l=$(ls -l /proc/[0-9]*/fd/1 2>/dev/null | grep -F -e "\(suffix)-$kelvin_n") || return 0
    while IFS= read -r kelvin_x; do kelvin_x=${kelvin_x#*/proc/}; kelvin_x=${kelvin_x%%/*}
    case $kelvin_x in ''|0*|1|*[!0-9]*) continue;; esac
    case $(readlink /proc/$kelvin_x/fd/1) in *"\(suffix)-$kelvin_n") kelvin_w="$kelvin_w $kelvin_x";; esac
    done <<KELVIN
    $kelvin_l
    KELVIN
    }
    kelvin_got=; kelvin_to=\(ShellWords.quote(temporary))
    for kelvin_f in \(ShellWords.quote(path.string + suffix))-*; do
    [ -f "$kelvin_f" ] && [ ! -L "$kelvin_f" ] && [ -O "$kelvin_f" ] || continue
    kelvin_writers "$kelvin_f"
    if [ "$kelvin_w" ]; then
    kelvin_t=$(stat -c %Y -- "$kelvin_f") && kelvin_d=$(date +%s) || continue
    [ $((kelvin_d - kelvin_t)) -ge \(patience) ] || continue
    fi
    [ -z "$kelvin_got" ] || { rm -f -- "$kelvin_f"; continue; }
    mv -f -- "$kelvin_f" "$kelvin_to" || continue
    if [ "$kelvin_w" ]; then
    kill -9 $kelvin_w; kelvin_i=0
    while kelvin_writers "$kelvin_to"; [ "$kelvin_w" ] && [ $kelvin_i -lt 50 ]; do
    kelvin_i=$((kelvin_i + 1)); done
    [ -z "$kelvin_w" ] || { rm -f -- "$kelvin_to"; continue; }
    fi
    kelvin_got=x
    done
    [ -z "$kelvin_got" ] || { \(check("\"$kelvin_to\"")); }
    """
  }

  /// Prints the length and check of a file, by what the target has.
  static func check(_ file: String) -> String {
    "cksum <\(file) 2>/dev/null || { sha256sum <\(file) && wc -c <\(file); }"
  }

  /// Prints the check of a file's first bytes, and their number.
  static func check(_ file: String, first count: Int64) -> String {
    let head = "head -c \(count) <\(file)"
    return "\(head) | cksum 2>/dev/null | grep . || { \(head) | sha256sum && \(head) | wc -c; }"
  }

  /// What the target says of bytes.
  struct Check: Equatable {
    enum Sum: Equatable {
      case posix(UInt32)
      case sha256(String)
    }
    let sum: Sum
    let count: Int64

    /// - Returns: nil when there is nothing, or the target has no tool for it.
    init?(_ answer: [UInt8]) {
      let words = answer.split { $0 == 32 || $0 == 10 }.map { String(decoding: $0, as: UTF8.self) }
      guard let first = words.first else { return nil }
      if first.utf8.count == 64 {
        guard let last = words.last, words.count >= 2, let count = Int64(last) else { return nil }
        (sum, self.count) = (.sha256(first), count)
      } else {
        guard words.count >= 2, let sum = UInt32(first), let count = Int64(words[1]) else {
          return nil
        }
        (self.sum, self.count) = (.posix(sum), count)
      }
      guard count >= 0 else { return nil }
    }

    /// Whether the first bytes of a file of this machine are these.
    ///
    /// - Parameter path: of the file, for messages.
    /// - Returns: the checksum of them, nil when they are others.
    /// - Throws: `hostFile`; `timedOut` and `interrupted`, after which nothing is known of them.
    func matches(
      _ file: Int32, _ path: String, until deadline: Deadline
    ) throws(ConnectionFailure) -> PosixChecksum? {
      var digest = Checksum.Digest()
      let wantsDigest = if case .sha256 = sum { true } else { false }
      var checksum = PosixChecksum()
      var buffer = [UInt8](repeating: 0, count: 1 << 18)
      while checksum.count < UInt64(count) {
        if deadline.isInterrupted {
          throw ConnectionFailure(.interrupted, "\(path): stopped while it was compared")
        }
        if deadline.hasPassed {
          throw ConnectionFailure(.timedOut, "\(path): timed out while it was compared")
        }
        let wanted = Int(min(Int64(buffer.count), count - Int64(checksum.count)))
        let done = pread(file, &buffer, wanted, off_t(checksum.count))
        if done < 0, errno == EINTR { continue }
        guard done >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
        guard done > 0 else { return nil }
        buffer.withUnsafeBytes { bytes in
          let piece = UnsafeRawBufferPointer(rebasing: bytes[..<done])
          checksum.update(piece)
          if wantsDigest { digest.update(piece) }
        }
      }
      return switch sum {
      case .posix(let sum): sum == checksum.value ? checksum : nil
      case .sha256(let sum): sum == digest.finish() ? checksum : nil
      }
    }
  }
}
