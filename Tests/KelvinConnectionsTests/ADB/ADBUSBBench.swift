import Foundation
import KelvinDevices
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Simulated devices on USB, in the bench host.
enum ADBUSBBench {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let isThere =
    FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0") && !programs.isEmpty

  /// A guest without KVM is slow.
  static var deadline: Deadline { .after(seconds: 120) }

  static func shell(_ words: String) throws {
    try FastbootTests.run("sh", "-ec", ". \(programs)/configfs.sh; \(words)")
  }
}

/// A gadget with FunctionFS, unplugged and removed with its last reference.
final class ADBGadget: Sendable {
  let name: String
  let place: GadgetPlace

  /// - Parameter controller: which of the bench host's four.
  init(_ serial: String = "ADB0001", mount: String? = nil, controller: Int = 0) throws {
    name = "kelvin-adb-\(controller)"
    place = GadgetPlace(
      mount: mount ?? "/tmp/\(name)", gadget: "/sys/kernel/config/usb_gadget/\(name)",
      controller: "dummy_udc.\(controller)")
    // One that a failed test left behind.
    try ADBUSBBench.shell("umount \(place.mount) 2>/dev/null || :; gadget_remove \(name)")
    try ADBUSBBench.shell("gadget_functionfs \(name) \(serial) 0x18d1 0x4ee7 \(place.mount)")
  }

  func unplug() throws { try ADBUSBBench.shell("gadget_unplug \(name)") }
  func plug() throws { try ADBUSBBench.shell("gadget_plug \(name) \(place.controller)") }

  deinit {
    try? ADBUSBBench.shell("umount \(place.mount); gadget_remove \(name)")
  }
}

/// A simulated device on USB with a way to it.
final class PluggedADB: Sendable {
  let gadget: ADBGadget
  let daemon: SimulatedADBD
  let keys: Scratch
  let device: ADBDirectDevice

  init(_ settings: SimulatedADBD.Settings = .init(), controller: Int = 0) throws {
    gadget = try ADBGadget(controller: controller)
    var settings = settings
    settings.gadget = gadget.place
    daemon = try SimulatedADBD(settings)
    keys = try Scratch()
    device = ADBDirectDevice(
      usb: DeviceMatch([.init("ID_SERIAL_SHORT", "ADB0001")]),
      keys: ADBKeyStore(directory: keys.path))
    try device.reconnect(until: ADBUSBBench.deadline)
  }

  /// Another host's view of it.
  func another() -> ADBDirectDevice {
    ADBDirectDevice(
      usb: DeviceMatch([.init("ID_SERIAL_SHORT", "ADB0001")]),
      keys: ADBKeyStore(directory: keys.path))
  }

  deinit {
    device.close()
    daemon.stop()
  }
}

/// A device on the second controller.
final class ADBTwin {
  private let gadget: ADBGadget
  private let daemon: SimulatedADBD

  init() throws {
    gadget = try ADBGadget(controller: 1)
    var settings = SimulatedADBD.Settings()
    settings.serial = "second"
    settings.gadget = gadget.place
    daemon = try SimulatedADBD(settings)
    let deadline = ADBUSBBench.deadline
    while try UDevContext().devices(.usbDevice).count(
      where: { $0.properties["ID_SERIAL_SHORT"] == "ADB0001" && $0.properties["ID_PATH"] != nil })
      < 2
    {
      guard deadline.limited(toSeconds: 0.05).wait() == .passed, !deadline.hasPassed else {
        throw PlainFailure(.timeout, "the second device does not appear")
      }
    }
  }

  func stop() { daemon.stop() }
}
