internal import CLinux
internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Leads adb's bytes between a socket and a device's interface, so that greeting and link work as over
/// TCP: two threads, one for each direction.
///
/// On USB a message's header and its payload are transfers of their own. What the host sends ends with a
/// packet that is not full, be it an empty one; what the device sends does not, so that each transfer is
/// asked for by its length (AOSP zero_length_packet.md).
///
/// What the device still has to say to an earlier host comes first: everything up to the first word of a
/// greeting is dropped, whatever it is.
final class ADBUSBCable: Sendable {
  let name: String
  private let interface: USBInterface
  private let input: USBDescriptors.Endpoint
  private let output: USBDescriptors.Endpoint
  /// Our end of the pair.
  private let near: Int32
  private let stopping = Interrupt()
  private let endReason = Mutex<String?>(nil)
  private let threads = Mutex<[NamedThread]>([])

  /// Claims the interface and begins to move bytes.
  ///
  /// - Returns: it, and the socket's other end, which is the caller's.
  static func plug(
    _ info: USBDeviceInfo, name: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> (cable: ADBUSBCable, descriptor: Int32) {
    let interface = try AndroidInterface.adb.claim(info, until: deadline)
    let ends: (USBDescriptors.Endpoint, USBDescriptors.Endpoint)
    do throws(USBFailure) {
      ends = (try interface.endpoint(.bulk, isIn: true), try interface.endpoint(.bulk, isIn: false))
    } catch { throw ConnectionFailure(usb: error, of: "adb") }
    var pair: [Int32] = [-1, -1]
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &pair) == 0 else {
      throw ConnectionFailure(.system(.current), "\(name): \(KelvinModel.Errno.current)")
    }
    for end in pair {
      var size: Int32 = 1 << 20
      setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    let cable = ADBUSBCable(interface, ends.0, ends.1, near: pair[0], name: name)
    do throws(PlainFailure) {
      for (title, work) in [("adb-usb-in", cable.receive), ("adb-usb-out", cable.send)] {
        let thread = try NamedThread(title, work)
        cable.threads.withLock { $0.append(thread) }
      }
    } catch {
      cable.pull()
      Glibc.close(pair[1])
      throw ConnectionFailure(.system(.io), "\(name): \(error.message)")
    }
    return (cable, pair[1])
  }

  private init(
    _ interface: USBInterface, _ input: USBDescriptors.Endpoint, _ output: USBDescriptors.Endpoint,
    near: Int32, name: String
  ) {
    self.interface = interface
    self.input = input
    self.output = output
    self.near = near
    self.name = name
  }

  deinit { Glibc.close(near) }

  /// Why no more bytes move; nil while they do, and when it was pulled here.
  var end: String? { endReason.withLock { $0 } }

  /// Gives the interface back, when what is under way has ended. Idempotent.
  func pull() {
    stopping.raise()
    for thread in threads.withLock({ $0 }) { thread.join() }
    interface.release()
    interface.device.close()
  }

  private var until: Deadline { Deadline(time: nil, interrupt: stopping) }

  /// The first reason counts. What has arrived can still be read.
  private func fail(_ why: String) {
    endReason.withLock { end in
      if end == nil, !stopping.isRaised { end = why }
    }
    stopping.raise()
    shutdown(near, Int32(SHUT_RDWR))
  }

  // MARK: From the device

  /// Whole packets: a device that sends more than there is room for fails the transfer.
  private func packets(_ count: Int) -> Int {
    let size = input.maxPacketSize
    return (count + size - 1) / size * size
  }

  private func receive() {
    let head = USBTransfer(capacity: packets(ADBMessage.headerSize))
    let body = USBTransfer(capacity: packets(ADBMessage.maximumPayload))
    var isGreeted = false
    do throws(USBFailure) {
      var count = 0
      while true {
        // A payload that never came may have been a head.
        if count == 0 { count = try read(head, head.capacity) }
        let bytes = head.bytes(count)
        let size = count
        count = 0
        guard size > 0 else { continue }
        guard size == ADBMessage.headerSize, let header = try? ADBMessage.header(bytes) else {
          guard isGreeted else { continue }
          return fail(ADBUSBCable.mistake(bytes))
        }
        let isGreeting = [.connect, .auth, .startTLS].contains(header.command)
        let length = header.length == 0 ? 0 : try read(body, packets(header.length))
        guard length == header.length else {
          if isGreeted { return fail("the device sent \(length) bytes of \(header.length)") }
          count = min(length, head.capacity)
          head.fill(body.bytes(count))
          continue
        }
        isGreeted = isGreeted || isGreeting
        guard isGreeted else { continue }
        guard deliver(bytes[...]), deliver(body, length) else { return fail("it was closed") }
      }
    } catch { fail(error.message) }
  }

  private func read(_ transfer: USBTransfer, _ count: Int) throws(USBFailure) -> Int {
    try interface.readBlocking(input.address, into: transfer, count: count, until: until)
  }

  private static func mistake(_ bytes: [UInt8]) -> String {
    guard bytes.count == ADBMessage.headerSize else {
      return "the device sent \(bytes.count) bytes where a message begins"
    }
    do throws(ADBMessage.Mistake) {
      _ = try ADBMessage.header(bytes)
      return "the device sent no message"
    } catch { return "the device sent \(error.text)" }
  }

  private func deliver(_ transfer: USBTransfer, _ count: Int) -> Bool {
    transfer.withBytes { deliver(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
  }

  private func deliver(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.withUnsafeBytes(deliver) }

  /// Writes to the socket; false when its other end is closed.
  private func deliver(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var start = 0
    while start < bytes.count {
      let count = Glibc.send(
        near, bytes.baseAddress?.advanced(by: start), bytes.count - start, Int32(MSG_NOSIGNAL))
      if count > 0 {
        start += count
      } else if errno != EINTR {
        guard errno == EAGAIN, until.wait(for: near, events: Int16(POLLOUT)) == .ready else {
          return false
        }
      }
    }
    return true
  }

  // MARK: To the device

  private func send() {
    let head = USBTransfer(capacity: ADBMessage.headerSize)
    let body = USBTransfer(capacity: ADBMessage.maximumPayload)
    do throws(USBFailure) {
      while take(head, ADBMessage.headerSize) {
        // The link's own words: they are right.
        guard let header = try? ADBMessage.header(head.bytes(ADBMessage.headerSize)),
          take(body, header.length)
        else { break }
        try interface.writeBlocking(
          output.address, from: head, count: ADBMessage.headerSize, endsWithEmptyPacket: true,
          until: until)
        guard header.length > 0 else { continue }
        try interface.writeBlocking(
          output.address, from: body, count: header.length, endsWithEmptyPacket: true, until: until)
      }
      fail("it was closed")
    } catch { fail(error.message) }
  }

  /// Reads from the socket; false at its end.
  private func take(_ transfer: USBTransfer, _ count: Int) -> Bool {
    var filled = 0
    while filled < count {
      let part = transfer.withBytes {
        Glibc.read(near, $0.baseAddress?.advanced(by: filled), count - filled)
      }
      if part > 0 {
        filled += part
      } else if part == 0 || errno != EINTR {
        guard part < 0, errno == EAGAIN, until.wait(for: near) == .ready else { return false }
      }
    }
    return true
  }
}
