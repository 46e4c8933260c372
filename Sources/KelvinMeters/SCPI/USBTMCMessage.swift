/// Headers of the USB Test and Measurement Class (USB-IF, Universal Serial Bus Test and Measurement Class
/// Specification, revision 1.0, 3.2 and 3.3), twelve bytes each, numbers with the least byte first.
package enum USBTMCMessage {
  package static let headerSize = 12

  /// Which of them it is.
  private enum Kind: UInt8 {
    /// What the host says, and what the device answers to a request, too: their direction tells them apart.
    case deviceDependentOut = 1
    case deviceDependentIn = 2
  }

  /// The one after a tag: 1 to 255.
  package static func tag(after tag: UInt8) -> UInt8 { tag == 255 ? 1 : tag + 1 }

  /// A message to the instrument, whole, with the bytes that fill up the last four.
  package static func message(_ bytes: [UInt8], tag: UInt8) -> [UInt8] {
    let padding = [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    // Bit 0: it ends with its last byte.
    return header(.deviceDependentOut, tag, bytes.count, attributes: 1) + bytes + padding
  }

  /// Asks for an answer of up to so many bytes.
  package static func request(_ count: Int, tag: UInt8) -> [UInt8] {
    header(.deviceDependentIn, tag, count, attributes: 0)
  }

  private static func header(
    _ kind: Kind, _ tag: UInt8, _ count: Int, attributes: UInt8
  ) -> [UInt8] {
    let size = UInt32(truncatingIfNeeded: count)
    let bytes = [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: size >> $0) }
    return [kind.rawValue, tag, ~tag, 0] + bytes + [attributes, 0, 0, 0]
  }

  /// What the header of an answer says.
  package struct Answer: Sendable, Hashable {
    /// Bytes that follow it.
    package var count: Int
    /// Whether the answer ends with them.
    package var isLast: Bool
  }

  /// Reads the header of an answer; nil when it is none to the request of this tag, or has more than was asked for.
  package static func answer(_ bytes: some Collection<UInt8>, tag: UInt8, limit: Int) -> Answer? {
    let head = Array(bytes.prefix(headerSize))
    guard head.count == headerSize, head[0] == Kind.deviceDependentIn.rawValue, head[1] == tag,
      head[2] == ~tag
    else { return nil }
    let count = (0..<4).reduce(0) { $0 | Int(head[4 + $1]) << (8 * $1) }
    guard count <= limit else { return nil }
    return Answer(count: count, isLast: head[8] & 1 == 1)
  }
}
