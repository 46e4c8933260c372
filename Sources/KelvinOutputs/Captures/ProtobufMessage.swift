/// A protobuf message, written field by field (protobuf's encoding: a varint of field number and wire
/// type, then the value). Written here so that the core needs no protobuf library; it encodes what
/// Perfetto's traces take, and decodes nothing.
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  private mutating func raw(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  /// A uint64, uint32, enum or bool.
  mutating func add(_ field: UInt64, _ value: UInt64) {
    raw(field << 3)
    raw(value)
  }

  mutating func add(_ field: UInt64, double value: Double) {
    raw(field << 3 | 1)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func add(_ field: UInt64, _ text: String) {
    raw(field << 3 | 2)
    raw(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func add(_ field: UInt64, _ message: ProtobufMessage) {
    raw(field << 3 | 2)
    raw(UInt64(message.bytes.count))
    bytes.append(contentsOf: message.bytes)
  }

  /// A message that `build` fills.
  mutating func group(_ field: UInt64, _ build: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    build(&message)
    add(field, message)
  }
}
