internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A host on UDP (fastboot/README.md of the Android Open Source Project, "UDP Protocol v1"): the device
/// answers each packet with exactly one, and answers the one before again when it is asked again.
final class BootloaderUDP: BootloaderWire {
  private let descriptor: Int32
  private let until: Deadline
  private let faults: BootloaderFaults
  private var dice: BootloaderDice
  /// The number that the next packet must have.
  private var expected: UInt16 = 0x4b1d
  /// The last answer, and to which number.
  private var last: (number: UInt16, bytes: [UInt8])?
  private var peer = sockaddr_storage()
  private var peerSize: socklen_t = 0
  private var waiting: [[UInt8]] = []

  /// Bytes of a packet that this device takes.
  private static let packetSize = 1400
  private var agreed = 512
  private var buffer = [UInt8](repeating: 0, count: 65_536)

  private struct Packet {
    var number: UInt16
    var goesOn: Bool
    var data: [UInt8]
  }

  /// Serves a bound socket, which stays the caller's.
  init(_ descriptor: Int32, faults: BootloaderFaults, until: Deadline) {
    self.descriptor = descriptor
    self.faults = faults
    self.until = until
    dice = BootloaderDice(seed: faults.seed)
  }

  func readCommand() throws(WireEnd) -> [UInt8] {
    var message: [UInt8] = []
    while true {
      let packet = try next()
      answer(packet.number, kind: 3)
      message += packet.data
      guard message.count <= 4096 else { throw .gone }
      if !packet.goesOn, !message.isEmpty { return message }
    }
  }

  func readData(limit: Int) throws(WireEnd) -> [UInt8] {
    while true {
      let packet = try next()
      answer(packet.number, kind: 3)
      guard packet.data.count <= limit else { throw .gone }
      if !packet.data.isEmpty { return packet.data }
    }
  }

  func write(_ bytes: [UInt8]) throws(WireEnd) {
    var rest = bytes[...]
    repeat {
      let packet = try next()
      guard packet.data.isEmpty else { throw .gone }
      let piece = rest.prefix(agreed - 4)
      rest = rest.dropFirst(piece.count)
      answer(packet.number, kind: 3, flags: rest.isEmpty ? 0 : 1, Array(piece))
    } while !rest.isEmpty
  }

  func ignore() throws(WireEnd) {
    while true { _ = try receive() }
  }

  // MARK: packets

  /// The next packet of the conversation; the others are dealt with.
  private func next() throws(WireEnd) -> Packet {
    while true {
      let bytes = try receive()
      guard bytes.count >= 4 else { continue }
      let number = UInt16(bytes[2]) * 256 + UInt16(bytes[3])
      switch bytes[0] {
      case 1:
        transmit([1, 0, bytes[2], bytes[3], UInt8(expected >> 8), UInt8(expected & 255)])
      case _ where number == expected &- 1 && last?.number == number:
        if let last { transmit(last.bytes) }
      case _ where number != expected: break
      case 2 where bytes.count >= 8:
        agreed = min(Int(bytes[6]) * 256 + Int(bytes[7]), BootloaderUDP.packetSize)
        let size = BootloaderUDP.packetSize
        answer(number, kind: 2, [0, 1, UInt8(size >> 8), UInt8(size & 255)])
        throw .restarted
      case 3:
        return Packet(number: number, goesOn: bytes[1] & 1 == 1, data: Array(bytes[4...]))
      default:
        answer(number, kind: 0, Array("unknown packet".utf8))
      }
    }
  }

  private func answer(_ number: UInt16, kind: UInt8, flags: UInt8 = 0, _ data: [UInt8] = []) {
    let bytes = [kind, flags, UInt8(number >> 8), UInt8(number & 255)] + data
    last = (number, bytes)
    expected = number &+ 1
    transmit(bytes)
  }

  private func receive() throws(WireEnd) -> [UInt8] {
    if !waiting.isEmpty { return waiting.removeFirst() }
    while true {
      guard until.wait(for: descriptor) == .ready else { throw .stopped }
      peerSize = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let count = withUnsafeMutablePointer(to: &peer) { peer in
        peer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          recvfrom(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT), $0, &peerSize)
        }
      }
      guard count >= 0 else { continue }
      if dice.falls(within: faults.loss) { continue }
      let bytes = Array(buffer.prefix(count))
      if dice.falls(within: faults.duplication) { waiting.append(bytes) }
      return bytes
    }
  }

  private func transmit(_ bytes: [UInt8]) {
    if dice.falls(within: faults.loss) { return }
    for _ in 0..<(dice.falls(within: faults.duplication) ? 2 : 1) {
      _ = withUnsafePointer(to: &peer) { peer in
        peer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(descriptor, bytes, bytes.count, 0, $0, peerSize)
        }
      }
    }
  }
}

/// Chance with a seed.
struct BootloaderDice {
  private var state: UInt64

  init(seed: UInt64) { state = seed | 1 }

  /// True for this share of the calls. Marsaglia's xorshift64.
  mutating func falls(within share: Double) -> Bool {
    guard share > 0 else { return false }
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Double(state >> 11) / Double(1 << 53) < share
  }
}
