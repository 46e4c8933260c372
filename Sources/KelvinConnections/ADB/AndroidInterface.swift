internal import Glibc
internal import KelvinDevices
internal import KelvinModel

/// One of Android's two USB interfaces, and how its device is found.
///
/// Class ff, subclass 42; the protocol tells which (AOSP adb.h; fastboot's usb_linux.cpp). On the debug
/// class of newer devices adb is dc/02.
struct AndroidInterface: Sendable {
  /// What messages begin with.
  let name: String
  private let protocolNumber: UInt8
  /// Says what may be done about a device that lacks it.
  private let absence: String

  static let adb = AndroidInterface(
    name: "adb", protocolNumber: 1,
    absence: "has no adb interface now: is USB debugging on, and has it started?")
  static let fastboot = AndroidInterface(
    name: "fastboot", protocolNumber: 3,
    absence:
      "has no fastboot interface now: 'adb reboot bootloader', or its keys, bring it there")

  /// The number of a device's interface; nil when it has none in its present configuration.
  func number(in info: USBDeviceInfo) -> UInt8? {
    let configurations = info.descriptors()?.configurations ?? []
    let value = info.activeConfiguration
    return configurations.first { value == nil || $0.value == value }?.interfaces.first {
      let kind = ($0.interfaceClass, $0.interfaceSubclass)
      return (kind == (0xff, 0x42) || kind == (0xdc, 0x02))
        && $0.interfaceProtocol == protocolNumber
    }?.number
  }

  /// The device that a match means, as it is plugged in now. Among several, those with the interface
  /// count.
  ///
  /// - Parameter match: nil means the only device with the interface.
  /// - Throws: `notFound`; `unsupported` with the list of those that are meant.
  func find(_ match: DeviceMatch?) throws(ConnectionFailure) -> USBDeviceInfo {
    do throws(DeviceFailure) {
      let devices = try UDevContext().devices(.usbDevice)
      let able = devices.filter { device in
        USBDeviceInfo(syspath: device.syspath).flatMap(number) != nil
      }
      let device: HostDevice
      if let match {
        let matcher = DeviceMatcher(match, role: .usbDevice)
        device = try matcher.find(
          among: able.contains(where: matcher.matches) ? able : devices)
      } else {
        device = try only(of: able)
      }
      guard let info = USBDeviceInfo(syspath: device.syspath) else {
        throw DeviceFailure(.absent, "\(device.name): no longer plugged in")
      }
      return info
    } catch {
      throw ConnectionFailure(
        error.problem == .absent ? .notFound : .unsupported, "\(name): \(error.message)",
        evidence: error.evidence, hint: error.hint)
    }
  }

  private func only(of able: [HostDevice]) throws(DeviceFailure) -> HostDevice {
    if able.count == 1 { return able[0] }
    guard !able.isEmpty else {
      throw DeviceFailure(
        .absent, "no USB device with an interface of \(name) is plugged in",
        hint: "'kelvin bench scan' shows what is")
    }
    let list = able.map { "\(DeviceMatcher.title($0)) at \($0.name)" }
    throw DeviceFailure(
      .ambiguous, "\(able.count) USB devices have an interface of \(name)",
      evidence: list.joined(separator: ", "), hint: "say by 'match' which one is meant")
  }

  /// Opens a device and claims its interface; waits for some seconds while another program has it.
  ///
  /// - Throws: `notFound` when it has none, `permissionDenied`, `connectionLost`, and with the holder's
  ///   name `unreachable(.inUse)`.
  func claim(
    _ info: USBDeviceInfo, until deadline: Deadline
  ) throws(ConnectionFailure) -> USBInterface {
    guard let number = number(in: info) else {
      throw ConnectionFailure(.notFound, "\(name): \(info) \(absence)")
    }
    do throws(USBFailure) {
      return try USBContext().open(info).claim(interface: number, until: deadline)
    } catch {
      guard error.code == .busy else { throw ConnectionFailure(usb: error, of: name) }
      throw inUse(info)
    }
  }

  private func inUse(_ info: USBDeviceInfo) -> ConnectionFailure {
    let holders = NodeHolder.all(of: info.node())
    let isServer = holders.contains { $0.name == "adb" }
    let hint =
      isServer && name == "adb"
      ? "'adb kill-server' frees it; or go through the server, by 'adb: {serial: "
        + "\(info.serialNumber ?? "usb:\(info.name)")}'"
      : "end the other program, or wait for its end"
    return ConnectionFailure(
      .unreachable(.inUse),
      "\(name): \(info): its interface is in use by "
        + (holders.isEmpty
          ? "another user's program" : holders.map(\.description).joined(separator: ", ")),
      hint: hint)
  }
}

extension ConnectionFailure {
  /// What went wrong on the bus.
  ///
  /// - Parameter name: what was spoken there: `adb`, `fastboot`.
  init(usb failure: USBFailure, of name: String) {
    let code: Code =
      switch failure.code {
      case .permission: .permissionDenied
      case .notFound: .notFound
      case .overflow: .badReply
      case .timedOut: .timedOut
      case .cancelled: .interrupted
      case .busy: .system(KelvinModel.Errno(EBUSY))
      case .unsupported: .unsupported
      case .disconnected, .transferError, .stall, .library: .connectionLost
      }
    self.init(
      code, "\(name): \(failure.message)", evidence: failure.evidence, hint: failure.hint)
  }
}
