/// What of a device's output goes into a message.
package enum Excerpt {
  /// At most 80 characters on one line; what cannot be printed becomes `.`, longer output ends in `…`.
  package static func of(_ bytes: some Collection<UInt8>) -> String {
    let text = String(decoding: bytes.prefix(320), as: UTF8.self).prefix(80)
    let printable = text.unicodeScalars.map { scalar in
      scalar.value < 0x20 || scalar.value == 0x7f || scalar == "\u{fffd}" ? "." : String(scalar)
    }
    return printable.joined() + (bytes.count > text.utf8.count ? "…" : "")
  }

  /// Bytes of a binary protocol: `a0 01 01 a2`, at most 16.
  package static func hex(_ bytes: some Collection<UInt8>) -> String {
    let shown = bytes.prefix(16).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return shown.joined(separator: " ") + (bytes.count > 16 ? " …" : "")
  }
}
