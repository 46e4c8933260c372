internal import CLinux
internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Feature reports, without numbers, of a HID device with one interface.
///
/// By the kernel's hidraw where there is such a node, since then nothing has to be taken away from the
/// kernel's driver; else by control requests of the class (HID 1.11, 7.2). hidraw keeps a time limit
/// of its own, five seconds.
struct HIDFeatureReports {
  let info: USBDeviceInfo
  private let node: String?
  private let host: PowerHost

  init(_ info: USBDeviceInfo, host: PowerHost) {
    self.info = info
    self.host = host
    let interface = "\(info.syspath)/\(info.name):1.0"
    node = SmallFile.names(in: interface).lazy
      .compactMap { SmallFile.names(in: "\(interface)/\($0)/hidraw").first }
      .first.map { "\(host.dev)/\($0)" }
  }

  func write(_ report: [UInt8], until deadline: Deadline) async throws(PowerFailure) {
    if let node {
      // The leading zero says that reports have no numbers.
      var bytes = [0] + report
      _ = try exchange(node, HIDFeatureReports.set, &bytes)
      return
    }
    try await powered { () async throws(USBFailure) in
      let device = try USBContext().open(info, dev: host.dev)
      let interface = try device.claim(interface: 0, until: deadline)
      defer { interface.release() }
      try await device.controlWrite(
        USBControlSetup(0x21, 0x09, value: 0x0300), report, until: deadline)
    }
  }

  func read(count: Int, until deadline: Deadline) async throws(PowerFailure) -> [UInt8] {
    if let node {
      var bytes = [UInt8](repeating: 0, count: 1 + count)
      let got = try exchange(node, HIDFeatureReports.get, &bytes)
      return Array(bytes.prefix(got).dropFirst())
    }
    return try await powered { () async throws(USBFailure) in
      let device = try USBContext().open(info, dev: host.dev)
      let interface = try device.claim(interface: 0, until: deadline)
      defer { interface.release() }
      return try await device.controlRead(
        USBControlSetup(0xa1, 0x01, value: 0x0300), count: count, until: deadline)
    }
  }

  // linux/hidraw.h: _IOC(_IOC_WRITE | _IOC_READ, 'H', number, length).
  private static let set: UInt = 0x06
  private static let get: UInt = 0x07

  private func exchange(
    _ node: String, _ number: UInt, _ bytes: inout [UInt8]
  ) throws(PowerFailure) -> Int {
    let descriptor = kelvin_open(node, O_RDWR | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      let error = Errno.current
      let isRefused = error == .permissionDenied || error == .notPermitted
      throw PowerFailure(
        isRefused ? .configuration : .infrastructure, "\(info): \(node): \(error)",
        hint: isRefused ? "run 'kelvin bench udev --install' and plug the device in again" : "")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else {
      throw PowerFailure(.infrastructure, "\(node): a file, and no device node")
    }
    let request = 3 << 30 | UInt(bytes.count) << 16 | UInt(UInt8(ascii: "H")) << 8 | number
    let count = ioctl(descriptor, request, &bytes)
    guard count >= 0 else {
      let error = Errno.current
      throw PowerFailure(
        .infrastructure, "\(info): \(node): feature report: \(error)",
        hint: error == Errno(ENODEV) ? "look at its cable and its power" : "")
    }
    return Int(count)
  }
}
