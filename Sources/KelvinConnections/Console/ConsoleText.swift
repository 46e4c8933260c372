/// What a person would see of a console's bytes.
package enum ConsoleText {
  /// How a kernel's last words begin (panic(), kernel/panic.c).
  static let panic = "Kernel panic - not syncing"

  /// The bytes without control sequences of terminals (ECMA-48) and other control characters but
  /// newline and carriage return.
  package static func visible(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    var state = 0
    for byte in bytes {
      switch (state, byte) {
      case (_, 0x1B): state = 1
      // CSI: parameters until a final byte of 0x40...0x7E.
      case (1, UInt8(ascii: "[")): state = 2
      // OSC, such as a window's title: until BEL, or ESC and a backslash.
      case (1, UInt8(ascii: "]")): state = 3
      case (1, _): state = 0
      case (2, 0x40...0x7E): state = 0
      case (3, 0x07): state = 0
      case (2, _), (3, _): break
      case (_, 10), (_, 13): result.append(byte)
      case (_, ..<32), (_, 127): break
      default: result.append(byte)
      }
    }
    return result
  }

  /// The last line that shows anything.
  package static func lastLine(of bytes: some Sequence<UInt8>) -> [UInt8] {
    let lines = visible(bytes).split { $0 == 10 || $0 == 13 }
    return lines.last { $0.contains { $0 != UInt8(ascii: " ") } }.map(Array.init) ?? []
  }
}
