internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A boot loader on USB, through FunctionFS (linux/usb/functionfs.h): interface ff/42/03 with two bulk
/// endpoints. Somebody has made the gadget by configfs and mounted the function; what is written to its
/// UDC plugs it in.
final class BootloaderGadget: BootloaderSeat {
  let port: UInt16 = 0
  private let control: Int32
  private let output: Int32
  private let input: Int32
  private let gadget: String
  private let controller: String
  private let ending = Interrupt()
  private let events: NamedThread
  private let isOpen = Mutex(true)

  init(mount: String, gadget: String, controller: String) throws(PlainFailure) {
    let open = { (name: String) throws(PlainFailure) -> Int32 in
      // An endpoint that no host uses is then not waited for.
      let descriptor = kelvin_open("\(mount)/\(name)", O_RDWR | O_CLOEXEC | O_NONBLOCK, 0)
      guard descriptor >= 0 else {
        throw PlainFailure(
          .infrastructure, "\(mount)/\(name): \(Errno.current)",
          hint: "is FunctionFS mounted there, and nobody else using it?")
      }
      return descriptor
    }
    control = try open("ep0")
    for bytes in [BootloaderGadget.descriptors, BootloaderGadget.strings] {
      guard Glibc.write(control, bytes, bytes.count) == bytes.count else {
        throw PlainFailure(.infrastructure, "\(mount)/ep0: \(Errno.current)")
      }
    }
    output = try open("ep1")
    input = try open("ep2")
    self.gadget = gadget
    self.controller = controller
    let control = control
    let until = Deadline(time: nil, interrupt: ending)
    // Events must be taken; nothing that is asked of the interface itself is answered.
    events = try NamedThread("bootloader-ep0") {
      var event = [UInt8](repeating: 0, count: 12)
      while until.wait(for: control) == .ready {
        guard Glibc.read(control, &event, event.count) <= 0 else { continue }
        guard [EINTR, EAGAIN, EL2HLT].contains(errno) else { return }
      }
    }
    try plug()
  }

  func plug() throws(PlainFailure) {
    do { try SmallFile.write(controller, to: "\(gadget)/UDC") } catch {
      throw PlainFailure(.infrastructure, "\(gadget)/UDC: \(error)")
    }
  }

  func close() { try? SmallFile.write("\n", to: "\(gadget)/UDC") }

  deinit { end() }

  func end() {
    ending.raise()
    events.join()
    isOpen.withLock { isOpen in
      if isOpen { for descriptor in [control, output, input] { Glibc.close(descriptor) } }
      isOpen = false
    }
  }

  func serve(
    _ bootloader: SimulatedBootloader, _ faults: BootloaderFaults, _ until: Deadline
  ) throws(WireEnd) {
    let wire = BootloaderUSB(output: output, input: input, until: until)
    while true {
      do throws(WireEnd) {
        return try bootloader.serve(wire)
      } catch {
        if case .stopped = error { throw error }
        // The host has reset it, or let go of it.
        guard until.limited(toSeconds: 0.02).wait() == .passed else { throw .stopped }
      }
    }
  }

  // MARK: descriptors

  private static func word(_ number: UInt32) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  /// Version 2: magic 3, length, flags (full and high speed), how many of each, and they themselves.
  private static let descriptors: [UInt8] = {
    let function = { (size: Int) -> [UInt8] in
      [9, 4, 0, 0, 2, 0xff, 0x42, 0x03, 0]
        + [7, 5, 0x01, 2, UInt8(size & 255), UInt8(size >> 8), 0]
        + [7, 5, 0x82, 2, UInt8(size & 255), UInt8(size >> 8), 0]
    }
    let body = word(3) + word(3) + function(64) + function(512)
    return word(3) + word(UInt32(12 + body.count)) + word(3) + body
  }()

  /// Magic 2, length, no strings in no languages.
  private static let strings: [UInt8] = word(2) + word(16) + word(0) + word(0)
}

/// A host on USB. Its transfers end with a packet that is not full; the kernel does not let reads be
/// polled for, so that they end when the device is unplugged.
final class BootloaderUSB: BootloaderWire {
  private let output: Int32
  private let input: Int32
  private let until: Deadline

  init(output: Int32, input: Int32, until: Deadline) {
    self.output = output
    self.input = input
    self.until = until
  }

  func readCommand() throws(WireEnd) -> [UInt8] {
    while true {
      let bytes = try read(512)
      if !bytes.isEmpty { return bytes }
    }
  }

  func readData(limit: Int) throws(WireEnd) -> [UInt8] {
    // A read of whole packets; more than 64 KiB at once would need too much memory in one piece.
    let bytes = try read((min(limit, 65_536) + 511) / 512 * 512)
    guard bytes.count <= limit else { throw .gone }
    return bytes
  }

  func write(_ bytes: [UInt8]) throws(WireEnd) {
    while true {
      let count = Glibc.write(input, bytes, bytes.count)
      if count == bytes.count { return }
      if count < 0, errno == EINTR, !until.isInterrupted { continue }
      throw until.isInterrupted ? .stopped : .gone
    }
  }

  func ignore() throws(WireEnd) {
    _ = until.wait()
    throw .stopped
  }

  private func read(_ count: Int) throws(WireEnd) -> [UInt8] {
    var buffer = [UInt8](repeating: 0, count: count)
    while true {
      let got = Glibc.read(output, &buffer, count)
      if got >= 0 { return Array(buffer.prefix(got)) }
      if errno == EAGAIN {
        // No host uses it, and nothing can be polled for.
        guard until.limited(toSeconds: 0.02).wait() == .passed else { throw .stopped }
        continue
      }
      if errno == EINTR, !until.isInterrupted { continue }
      throw until.isInterrupted ? .stopped : .gone
    }
  }
}
