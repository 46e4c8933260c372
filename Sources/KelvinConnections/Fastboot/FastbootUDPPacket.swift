/// A datagram of fastboot on UDP.
///
/// Source: Android's fastboot/README.md, "UDP Protocol v1": id, flags, sequence number (two bytes,
/// big-endian), data. Flag 1: the message goes on in the next packet.
struct FastbootUDPPacket: Sendable, Hashable {
  enum ID: UInt8, Sendable { case error, query, initialize, fastboot }

  var id: ID
  var isContinued = false
  var sequence: UInt16
  var data: [UInt8] = []

  static let headerSize = 4
  /// Packets of the query and the beginning are not longer; devices must take as many.
  static let smallest = 512
  /// What this side takes; no need for more: it is answered packet by packet.
  static let largest = 8192

  init(_ id: ID, isContinued: Bool = false, sequence: UInt16, data: [UInt8] = []) {
    self.id = id
    self.isContinued = isContinued
    self.sequence = sequence
    self.data = data
  }

  /// Reads a datagram; nil when it is no packet of this protocol.
  init?(_ bytes: [UInt8]) {
    guard bytes.count >= FastbootUDPPacket.headerSize, let id = ID(rawValue: bytes[0]) else {
      return nil
    }
    self.id = id
    // The other bits are for later versions.
    isContinued = bytes[1] & 1 != 0
    sequence = UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    data = Array(bytes[4...])
  }

  /// As it is sent.
  var bytes: [UInt8] {
    [id.rawValue, isContinued ? 1 : 0, UInt8(sequence >> 8), UInt8(sequence & 0xff)] + data
  }

  /// Two bytes of the data, big-endian.
  func number(at offset: Int) -> UInt16? {
    guard data.count >= offset + 2 else { return nil }
    return UInt16(data[offset]) << 8 | UInt16(data[offset + 1])
  }
}
