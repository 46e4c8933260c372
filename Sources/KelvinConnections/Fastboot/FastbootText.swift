/// What a boot loader says, for people: its bytes may be anything.
enum FastbootText {
  /// Without control characters, and without white space at the end; what is no UTF-8 becomes U+FFFD.
  static func printable(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    let shown = text.unicodeScalars.map { scalar -> Character in
      scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
        ? scalar == "\n" || scalar == "\t" ? " " : "\u{fffd}" : Character(scalar)
    }
    var result = String(shown)
    while result.last == " " { result.removeLast() }
    return result
  }
}
