internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What carries a host's messages. One thread reads, one at a time writes; both block.
protocol ADBDWire: AnyObject, Sendable {
  /// The next message; nil when the host is gone, or has said what no host says.
  func read() -> (packet: ADBDPacket, check: UInt32)?
  /// Sends a message, head and payload.
  ///
  /// - Returns: false when the host is gone.
  func write(_ bytes: [UInt8]) -> Bool
  /// Cuts the connection. Idempotent.
  func drop()
}

/// A host over TCP.
final class ADBDSocket: ADBDWire {
  private let descriptor: Int32
  private let until: Deadline

  /// - Parameter descriptor: stays the caller's.
  init(_ descriptor: Int32, ending: Interrupt) {
    self.descriptor = descriptor
    until = Deadline(time: nil, interrupt: ending)
  }

  func read() -> (packet: ADBDPacket, check: UInt32)? {
    guard let bytes = read(ADBDPacket.headSize),
      let (head, length, check) = ADBDPacket.head(bytes), let payload = read(length)
    else { return nil }
    var packet = head
    packet.payload = payload
    return (packet, check)
  }

  private func read(_ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let part = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), count - filled)
      }
      if part > 0 {
        filled += part
        continue
      }
      guard part < 0, errno == EAGAIN || errno == EINTR, until.wait(for: descriptor) == .ready
      else { return nil }
    }
    return bytes
  }

  func write(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 { rest = rest.dropFirst(count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno != EAGAIN { return false }
      if !rest.isEmpty, until.wait(for: descriptor, events: Int16(POLLOUT)) != .ready {
        return false
      }
    }
    return true
  }

  func drop() { shutdown(descriptor, Int32(SHUT_RDWR)) }
}

/// A host over USB (AOSP zero_length_packet.md): heads and payloads are transfers of their own; those of
/// the host end with a packet that is not full, those of the device do not.
final class ADBDCable: ADBDWire {
  private let gadget: FunctionGadget
  private let until: Deadline
  /// Rung when the device is to be unplugged for a moment.
  private let dropping: Doorbell
  private let isGone = Atomic<Bool>(false)

  init(_ gadget: FunctionGadget, ending: Interrupt, dropping: Doorbell) {
    self.gadget = gadget
    self.dropping = dropping
    until = Deadline(time: nil, interrupt: ending)
  }

  func read() -> (packet: ADBDPacket, check: UInt32)? {
    do throws(WireEnd) {
      let size = FunctionGadget.packet
      let bytes = try gadget.read(size, until: until)
      guard bytes.count == ADBDPacket.headSize,
        let (head, length, check) = ADBDPacket.head(bytes)
      else { return nil }
      var packet = head
      while packet.payload.count < length {
        let rest = (length - packet.payload.count + size - 1) / size * size
        let part = try gadget.read(min(rest, FunctionGadget.chunk), until: until)
        packet.payload += part
        // A short transfer is the last one.
        if part.count % size != 0 || part.isEmpty { break }
      }
      guard packet.payload.count == length else { return nil }
      if length > 0, length % size == 0 {
        guard try gadget.read(size, until: until).isEmpty else { return nil }
      }
      return (packet, check)
    } catch {
      isGone.store(true, ordering: .releasing)
      return nil
    }
  }

  func write(_ bytes: [UInt8]) -> Bool {
    do throws(WireEnd) {
      try gadget.write(Array(bytes[..<ADBDPacket.headSize]), until: until)
      var rest = bytes[ADBDPacket.headSize...]
      while !rest.isEmpty {
        try gadget.write(Array(rest.prefix(FunctionGadget.chunk)), until: until)
        rest = rest.dropFirst(FunctionGadget.chunk)
      }
      return true
    } catch { return false }
  }

  func drop() { if !isGone.load(ordering: .acquiring) { dropping.ring() } }
}
