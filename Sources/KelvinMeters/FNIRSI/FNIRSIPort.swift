internal import KelvinDevices
internal import KelvinModel

/// A FNIRSI tester while it is open.
struct FNIRSIPort: Sendable {
  let name: String
  let model: FNIRSIModel
  let device: USBDevice
  let interface: USBInterface
  /// Its endpoints, found by their kind.
  let input: UInt8
  private let output: UInt8

  /// In seconds.
  private static let patience = 1.0
  private static let hidClass: UInt8 = 3

  /// Opens one, taking it from the kernel's HID driver, which gets it back.
  init(name: String, _ found: HostDevice, until deadline: Deadline) throws(MeterFailure) {
    self.name = name
    guard let info = USBDeviceInfo(syspath: found.syspath), let descriptors = info.descriptors()
    else {
      throw MeterFailure(.gone, "\(name): no longer plugged in", hint: "look at its cable")
    }
    guard let model = FNIRSIModel(vendor: info.vendorID, product: info.productID) else {
      throw MeterFailure(
        .unsupported, "\(name): \(info) is no FNIRSI tester that is known",
        hint: "FNB48, FNB48S, FNB58 and C1 are")
    }
    let interfaces = descriptors.configurations.first?.interfaces ?? []
    guard let hid = interfaces.first(where: { $0.interfaceClass == Self.hidClass }) else {
      throw MeterFailure(.malfunction, "\(name): \(info) has no HID interface")
    }
    self.model = model
    do throws(USBFailure) {
      device = try USBContext().open(info)
    } catch { throw MeterFailure(error, of: name) }
    do throws(USBFailure) {
      interface = try device.claim(interface: hid.number, until: deadline.limited(toSeconds: 1))
      input = try interface.endpoint(.interrupt, isIn: true).address
      output = try interface.endpoint(.interrupt, isIn: false).address
    } catch {
      device.close()
      throw MeterFailure(error, of: name)
    }
  }

  /// Tells it something. Blocks.
  func tell(_ command: FNIRSICommand) throws(MeterFailure) {
    do throws(USBFailure) {
      let transfer = USBTransfer(capacity: FNIRSIReport.size)
      transfer.fill(command.bytes)
      try interface.writeBlocking(
        output, from: transfer, count: FNIRSIReport.size, until: .after(seconds: Self.patience))
    } catch { throw MeterFailure(error, of: name) }
  }

  /// Gives it back to the kernel.
  func close() {
    interface.release()
    device.close()
  }
}
