/// How frames of an Energy Probe follow each other: the number of the frame, and a value of each enabled
/// field, 16 bits each, the lowest byte first.
///
/// Source: ARM-software/caiman, caiman/EnergyProbe.cpp (processBuffer), which takes the first frame's number
/// for 0; numbers go on by one and begin again behind 65535.
package struct EnergyProbeFraming: NumberedFraming {
  package let size: Int
  package let first: UInt32?

  /// - Parameters:
  ///   - fields: that are enabled, 1 to 9.
  ///   - first: the number of the first frame.
  package init(fields: Int, first: UInt32? = 0) {
    precondition((1...9).contains(fields))
    size = 2 * (1 + fields)
    self.first = first
  }

  package var modulus: UInt32 { 65_536 }
  /// The acknowledgment of ``EnergyProbeCommand/stop`` comes behind the last frame, or among the last ones.
  package var needsSuccessor: Bool { true }

  package func number(_ bytes: Span<UInt8>, at place: Int) -> UInt32? {
    guard place >= 0, place + size <= bytes.count else { return nil }
    return UInt32(bytes[place]) | UInt32(bytes[place + 1]) << 8
  }

  package func follow(
    _ bytes: Span<UInt8>, from place: Int, number: UInt32
  ) -> (place: Int, number: UInt32) {
    let raw = bytes.bytes
    let end = raw.byteCount - size
    var (place, expected) = (place, UInt16(truncatingIfNeeded: number))
    // A frame is at least four bytes long: both of its number lie within the bytes.
    while place <= end,
      UInt16(
        littleEndian: raw.unsafeLoadUnaligned(fromUncheckedByteOffset: place, as: UInt16.self))
        == expected
    {
      expected &+= 1
      place &+= size
    }
    return (place, UInt32(expected))
  }
}
