internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A host on a TCP connection: "FB01" from both sides, then a length of eight bytes, big-endian, before
/// each message (fastboot/README.md of the Android Open Source Project, "TCP Protocol v1").
final class BootloaderTCP: BootloaderWire {
  private let descriptor: Int32
  private let until: Deadline
  private var rest: UInt64 = 0

  /// Takes over a connection; greets the host.
  init(_ descriptor: Int32, until: Deadline) throws(WireEnd) {
    self.descriptor = descriptor
    self.until = until
    try sendAll([0x46, 0x42, 0x30, 0x31])
    let greeting = try receive(exactly: 4)
    guard greeting.starts(with: [0x46, 0x42]), greeting[2] >= 0x30, greeting[3] >= 0x30 else {
      throw .gone
    }
  }

  deinit { close(descriptor) }

  func readCommand() throws(WireEnd) -> [UInt8] {
    rest = 0
    let length = try readLength()
    // Longer ones than any command end the conversation.
    guard length <= 4096 else { throw .gone }
    return try receive(exactly: Int(length))
  }

  func readData(limit: Int) throws(WireEnd) -> [UInt8] {
    while rest == 0 { rest = try readLength() }
    let bytes = try receive(limit: Int(min(UInt64(limit), rest)))
    rest -= UInt64(bytes.count)
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(WireEnd) {
    var message = [UInt8](repeating: 0, count: 8)
    for index in 0..<8 { message[7 - index] = UInt8(bytes.count >> (8 * index) & 0xff) }
    try sendAll(message + bytes)
  }

  func ignore() throws(WireEnd) {
    while true { _ = try receive(limit: 65_536) }
  }

  private func readLength() throws(WireEnd) -> UInt64 {
    var length: UInt64 = 0
    for byte in try receive(exactly: 8) { length = length * 256 + UInt64(byte) }
    return length
  }

  private func receive(exactly count: Int) throws(WireEnd) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += try receive(limit: count - bytes.count) }
    return bytes
  }

  private func receive(limit: Int) throws(WireEnd) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: limit)
    while true {
      guard until.wait(for: descriptor) == .ready else { throw .stopped }
      let count = recv(descriptor, &buffer, limit, Int32(MSG_DONTWAIT))
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count > 0 else { throw .gone }
      return Array(buffer.prefix(count))
    }
  }

  private func sendAll(_ bytes: [UInt8]) throws(WireEnd) {
    var rest = bytes[...]
    while !rest.isEmpty {
      guard until.wait(for: descriptor, events: Int16(POLLOUT)) == .ready else { throw .stopped }
      let count = rest.withUnsafeBytes {
        send(
          descriptor, $0.baseAddress, $0.count,
          Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
      }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count > 0 else { throw .gone }
      rest = rest.dropFirst(count)
    }
  }
}
