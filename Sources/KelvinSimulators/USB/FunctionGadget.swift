internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Where a simulated device is plugged in.
package struct GadgetPlace: Sendable, Hashable {
  /// Where FunctionFS is mounted.
  package var mount: String
  /// The gadget's directory in configfs.
  package var gadget: String
  package var controller: String

  /// Names the three; nothing is opened yet.
  package init(mount: String, gadget: String, controller: String = "dummy_udc.0") {
    self.mount = mount
    self.gadget = gadget
    self.controller = controller
  }
}

/// A USB interface with two bulk endpoints that a simulator plays, through FunctionFS
/// (linux/usb/functionfs.h). Somebody has made the gadget by configfs and mounted the function; what is
/// written to its UDC plugs it in.
final class FunctionGadget: Sendable {
  private let place: GadgetPlace
  private let control: Int32
  private let output: Int32
  private let input: Int32
  private let ending = Interrupt()
  /// Rings when a host begins to use it.
  private let host: Doorbell
  private let events: NamedThread
  private let isOpen = Mutex(true)

  /// Opens the function and plugs the gadget in.
  ///
  /// - Parameter protocolNumber: of the interface, whose class is ff and whose subclass is 42.
  init(_ place: GadgetPlace, protocolNumber: UInt8) throws(PlainFailure) {
    let open = { (name: String) throws(PlainFailure) -> Int32 in
      // An endpoint that no host uses is then not waited for.
      let descriptor = kelvin_open("\(place.mount)/\(name)", O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
      guard descriptor >= 0 else {
        throw PlainFailure(
          .infrastructure, "\(place.mount)/\(name): \(Errno.current)",
          hint: "is FunctionFS mounted there, and nobody else using it?")
      }
      return descriptor
    }
    control = try open("ep0")
    for bytes in [FunctionGadget.descriptors(protocolNumber), FunctionGadget.strings] {
      guard Glibc.write(control, bytes, bytes.count) == bytes.count else {
        throw PlainFailure(.infrastructure, "\(place.mount)/ep0: \(Errno.current)")
      }
    }
    output = try open("ep1")
    input = try open("ep2")
    self.place = place
    let (control, host) = (control, Doorbell())
    self.host = host
    let until = Deadline(time: nil, interrupt: ending)
    // Events must be taken; nothing that is asked of the interface itself is answered.
    events = try NamedThread("gadget-ep0") {
      var event = [UInt8](repeating: 0, count: 12)
      while until.wait(for: control) == .ready {
        guard Glibc.read(control, &event, event.count) <= 0 else {
          // FUNCTIONFS_ENABLE
          if event[8] == 2 { host.ring() }
          continue
        }
        guard [EINTR, EAGAIN, EL2HLT].contains(errno) else { return }
      }
    }
    try plug()
  }

  func plug() throws(PlainFailure) {
    do { try SmallFile.write(place.controller, to: "\(place.gadget)/UDC") } catch {
      throw PlainFailure(.infrastructure, "\(place.gadget)/UDC: \(error)")
    }
  }

  /// As when a cable is pulled; reads and writes that wait end. Idempotent.
  func unplug() { try? SmallFile.write("\n", to: "\(place.gadget)/UDC") }

  deinit { end() }

  /// Gives everything back. Idempotent.
  func end() {
    ending.raise()
    events.join()
    isOpen.withLock { isOpen in
      if isOpen { for descriptor in [control, output, input] { Glibc.close(descriptor) } }
      isOpen = false
    }
  }

  // MARK: bytes

  /// Bytes of a packet at high speed.
  static let packet = 512
  /// The kernel needs as much memory in one piece.
  static let chunk = 65_536

  /// Waits for a host, and reads one transfer.
  ///
  /// The kernel does not let reads be polled for: they end when the device is unplugged.
  ///
  /// - Parameter count: whole packets, at most ``chunk``.
  func read(_ count: Int, until: Deadline) throws(WireEnd) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    while true {
      let got = Glibc.read(output, &buffer, count)
      if got >= 0 { return Array(buffer.prefix(got)) }
      if errno == EAGAIN {
        // No host uses it.
        guard until.wait(for: host.descriptor) == .ready else { throw .stopped }
        host.silence()
        continue
      }
      if errno == EINTR, !until.isInterrupted { continue }
      throw until.isInterrupted ? .stopped : .gone
    }
  }

  /// Writes one transfer, and waits until the host has read it; no empty packet ends it.
  func write(_ bytes: [UInt8], until: Deadline) throws(WireEnd) {
    while true {
      let count = Glibc.write(input, bytes, bytes.count)
      if count == bytes.count { return }
      if count < 0, errno == EINTR, !until.isInterrupted { continue }
      throw until.isInterrupted ? .stopped : .gone
    }
  }

  // MARK: descriptors

  private static func word(_ number: UInt32) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  /// Version 2: magic 3, length, flags (full and high speed), how many of each, and they themselves.
  private static func descriptors(_ protocolNumber: UInt8) -> [UInt8] {
    let function = { (size: Int) -> [UInt8] in
      [9, 4, 0, 0, 2, 0xff, 0x42, protocolNumber, 0]
        + [7, 5, 0x01, 2, UInt8(size & 255), UInt8(size >> 8), 0]
        + [7, 5, 0x82, 2, UInt8(size & 255), UInt8(size >> 8), 0]
    }
    let body = word(3) + word(3) + function(64) + function(packet)
    return word(3) + word(UInt32(12 + body.count)) + word(3) + body
  }

  /// Magic 2, length, no strings in no languages.
  private static let strings: [UInt8] = word(2) + word(16) + word(0) + word(0)
}
