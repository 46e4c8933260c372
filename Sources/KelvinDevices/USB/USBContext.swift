internal import CLibUSB
internal import CLinux
internal import Glibc
internal import KelvinModel

/// libusb, with one thread that takes in the ends of all transfers. One for a process is enough.
///
/// Devices are listed and found by ``USBDeviceInfo``, from sysfs, and handed to libusb as open file
/// descriptors: so libusb needs no list of its own, which would be empty where no udevd runs and late
/// where one does, and a missing permission shows as what it is.
public final class USBContext: Sendable {
  let loop: USBEventLoop

  /// Starts libusb and its event thread.
  ///
  /// - Parameter log: gets what libusb has to say from `level` on, on whichever thread that happens.
  ///   libusb 1.0.26 writes the same lines to standard error, and cannot be told not to.
  public init(
    logging level: USBLogLevel = .none,
    to log: (@Sendable (USBLogLevel, String) -> Void)? = nil
  ) throws(USBFailure) {
    var context: OpaquePointer?
    var status = kelvin_usb_without_discovery()
    if status == 0 { status = libusb_init(&context) }
    guard status == 0, let context else {
      throw USBFailure(
        .library(status), "USB: libusb did not start",
        evidence: USBFailure.Code.library(status).words)
    }
    let library = USBLibrary(context)
    if let log { USBLog.route(context, from: level, to: log) }
    do {
      loop = try USBEventLoop(library)
    } catch {
      throw USBFailure(.library(0), error.message)
    }
  }

  deinit { loop.stop() }

  /// Opens a device. Blocks for the few milliseconds that the kernel and the device need.
  ///
  /// - Throws: `permission`, `notFound` when it is gone or another one has taken its place, `busy`.
  public func open(
    _ info: USBDeviceInfo, dev: String = "/dev"
  ) throws(USBFailure) -> USBDevice {
    let node = info.node(in: dev)
    let descriptor = kelvin_open(node, O_RDWR | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw USBContext.failure(opening: info, node, .current) }
    // Numbers are given again: what was opened must be what was listed.
    guard USBDeviceInfo(syspath: info.syspath) == info else {
      close(descriptor)
      throw USBFailure(
        .notFound, "\(info): no longer plugged in there", hint: USBFailure.Code.disconnected.hint)
    }
    var handle: OpaquePointer?
    let status = libusb_wrap_sys_device(loop.library.context.raw, Int(descriptor), &handle)
    guard status == 0, let handle else {
      close(descriptor)
      let code = USBFailure.Code(libusb: status)
      throw USBFailure(code, "\(info): opening \(node): \(code.words)", hint: code.hint)
    }
    _ = libusb_set_auto_detach_kernel_driver(handle, 1)
    return USBDevice(info, context: self, handle: handle, descriptor: descriptor)
  }

  /// Opens what is plugged in at a bus and a path of ports.
  public func open(
    bus: Int, portPath: [Int], sysfs: String = "/sys", dev: String = "/dev"
  ) throws(USBFailure) -> USBDevice {
    guard let info = USBDeviceInfo.at(bus: bus, portPath: portPath, sysfs: sysfs) else {
      let ports = portPath.map(String.init).joined(separator: ".")
      throw USBFailure(.notFound, "USB: nothing is plugged in at \(bus)-\(ports)")
    }
    return try open(info, dev: dev)
  }

  static func failure(opening info: USBDeviceInfo, _ node: String, _ error: Errno) -> USBFailure {
    switch error {
    case .permissionDenied, .notPermitted:
      USBFailure(
        .permission, "\(info): \(node): permission denied", hint: USBFailure.Code.permission.hint)
    case .notFound, Errno(ENODEV), Errno(ENXIO):
      USBDeviceInfo(syspath: info.syspath) == info
        ? USBFailure(
          .notFound, "\(info): \(node) does not exist, though the kernel lists the device",
          hint: "is systemd-udevd running, or is /dev of a container missing it?")
        : USBFailure(
          .notFound, "\(info): no longer plugged in", hint: USBFailure.Code.disconnected.hint)
    default:
      USBFailure(.library(error.rawValue), "\(info): \(node): \(error)")
    }
  }
}
