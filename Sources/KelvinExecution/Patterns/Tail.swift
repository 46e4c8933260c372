internal import CLinux
internal import Glibc
internal import KelvinModel

/// The end of a file, as evidence in messages.
enum Tail {
  /// The last lines of a file, at most `lines` and 2,000 bytes, made printable; empty when there is
  /// no such file.
  static func text(of path: String, lines: Int = 3) -> String {
    let descriptor = kelvin_open(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    let size = lseek(descriptor, 0, SEEK_END)
    lseek(descriptor, max(0, size - 2000), SEEK_SET)
    var buffer = [UInt8](repeating: 0, count: 2000)
    let count = read(descriptor, &buffer, buffer.count)
    guard count > 0 else { return "" }
    return printable(buffer[..<count]).split(separator: "\n").suffix(lines)
      .joined(separator: " | ")
  }

  /// The bytes as text that does nothing to a terminal: control bytes except line ends as `?`.
  static func printable(_ bytes: some Sequence<UInt8>) -> String {
    let shown = bytes.map { byte -> UInt8 in
      byte == 10 || (byte >= 32 && byte != 127) ? byte : UInt8(ascii: "?")
    }
    return String(decoding: shown, as: UTF8.self)
  }
}
