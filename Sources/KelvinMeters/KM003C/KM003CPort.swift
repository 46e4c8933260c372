internal import KelvinDevices
internal import KelvinModel

/// What leads to a POWER-Z and back. Used by one thread at a time.
protocol KM003CLink: Sendable {
  /// Sends a request. Blocks.
  func send(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure)
  /// Reads at most `count` bytes, a multiple of 64: as they come, up to the first packet of less than 64, which
  /// may be empty. Blocks.
  func receive(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8]
}

/// The first interface of a POWER-Z, claimed. Its others (a serial port, a keyboard's kind) are left alone; the
/// kernel's `powerz` driver, which makes a hwmon device of this one, gets it back.
///
/// Endpoints: Linux, drivers/hwmon/powerz.c.
final class KM003CPort: KM003CLink {
  let name: String
  let device: USBDevice
  private let interface: USBInterface
  private let output = USBTransfer(capacity: 64)
  private let input = USBTransfer(capacity: KM003CSession.limit)

  private static let number: UInt8 = 0
  private static let (outgoing, incoming): (UInt8, UInt8) = (0x01, 0x81)

  init(name: String, _ found: HostDevice, until deadline: Deadline) throws(MeterFailure) {
    self.name = name
    guard let info = USBDeviceInfo(syspath: found.syspath) else {
      throw MeterFailure(.gone, "\(name): no longer plugged in", hint: "look at its cable")
    }
    do throws(USBFailure) {
      device = try USBContext().open(info)
      interface = try device.claim(interface: Self.number, until: deadline.limited(toSeconds: 1))
    } catch { throw MeterFailure(error, of: name) }
  }

  func send(_ bytes: [UInt8], until deadline: Deadline) throws(MeterFailure) {
    output.fill(bytes)
    do throws(USBFailure) {
      try interface.writeBlocking(
        Self.outgoing, from: output, count: bytes.count, until: deadline)
    } catch { throw MeterFailure(error, of: name) }
  }

  func receive(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8] {
    do throws(USBFailure) {
      let moved = try interface.readBlocking(
        Self.incoming, into: input, count: count, until: deadline)
      return input.bytes(moved)
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Gives it back to the kernel.
  func close() {
    interface.release()
    device.close()
  }
}
