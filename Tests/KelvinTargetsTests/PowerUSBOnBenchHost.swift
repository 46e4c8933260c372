import Foundation
import KelvinDevices
import KelvinModel
import KelvinSystem
import KelvinTargets
import Synchronization
import Testing

/// An emulated device of hardware/virtual-bench/gadgets, plugged in while this lives.
private final class EmulatedDevice: Sendable {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let isPossible: Bool = {
    let isPossible =
      FileManager.default.fileExists(atPath: "/sys/class/udc/dummy_udc.0")
      && FileManager.default.isExecutableFile(atPath: "\(programs)/raw-gadget")
    if !isPossible {
      print("power switches on USB skipped: no dummy_udc.0, or no emulators in KELVIN_GADGETS")
    }
    return isPossible
  }()

  /// `3-1`
  let place: String
  private let process = Process()
  private let output = Pipe()
  private let seen = Mutex("")

  init(_ behavior: String) throws {
    let hub = try #require(Self.rootHub(of: 0))
    let place = "\(hub.busNumber)-1"
    self.place = place
    process.executableURL = URL(fileURLWithPath: "\(Self.programs)/raw-gadget")
    process.arguments = [behavior]
    process.standardOutput = output
    try #require(Self.wait { USBDeviceInfo.at(bus: hub.busNumber, portPath: [1]) == nil })
    try process.run()
    try #require(
      Self.wait {
        USBDeviceInfo.at(bus: hub.busNumber, portPath: [1])?.activeConfiguration != nil
      })
  }

  deinit { unplug() }

  func unplug() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// The half for high speed.
  static func rootHub(of controller: Int) -> USBDeviceInfo? {
    USBDeviceInfo.all().first {
      $0.syspath.contains("/dummy_hcd.\(controller)/") && $0.portPath.isEmpty && !$0.isSuperSpeed
    }
  }

  static func wait(_ condition: () -> Bool) -> Bool {
    let deadline = Deadline.after(seconds: 10)
    while !condition() {
      if deadline.hasPassed { return false }
      _ = deadline.limited(toSeconds: 0.002).wait()
    }
    return true
  }

  /// What it did last, by its own word: `relay 10`.
  func truth(_ prefix: String) -> String? {
    let descriptor = output.fileHandleForReading.fileDescriptor
    while Deadline.after(seconds: 0.2).wait(for: descriptor) == .ready {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      seen.withLock { $0 += String(decoding: buffer[..<count], as: UTF8.self) }
    }
    return seen.withLock { $0 }.split(separator: "\n").last { $0.hasPrefix(prefix) }
      .map(String.init)
  }
}

@Suite(
  .serialized, .enabled(if: EmulatedDevice.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct PowerUSBOnBenchHost {
  private var deadline: Deadline { .after(seconds: 10) }

  // MARK: relays

  @Test(arguments: [true, false])
  func switchesARelayAndReadsItBack(byHidraw: Bool) async throws {
    let device = try EmulatedDevice("relay")
    let interface = "/sys/bus/usb/devices/\(device.place)/\(device.place):1.0"
    // Without the kernel's driver there is no hidraw, and libusb takes the interface; it calls the
    // driver whenever it gives it back.
    let prepare = {
      try #require(EmulatedDevice.wait { access("\(interface)/driver", F_OK) == 0 })
      if byHidraw {
        try #require(
          EmulatedDevice.wait {
            SmallFile.names(in: interface).contains {
              !SmallFile.names(in: "\(interface)/\($0)/hidraw").isEmpty
            }
          })
      } else {
        try SmallFile.write("\(device.place):1.0", to: "/sys/bus/usb/drivers/usbhid/unbind")
      }
    }
    let second = try makeSwitch(
      HIDRelaySwitch.self, ["at": .text(device.place), "relay": .integer(2)])
    try prepare()
    #expect(try await second.state(until: deadline) == PowerReading(.off, .commanded))
    try prepare()
    try await second.set(.on, until: deadline)
    #expect(device.truth("relay") == "relay 01")
    try prepare()
    #expect(try await second.state(until: deadline) == PowerReading(.on, .commanded))
    let first = try makeSwitch(
      HIDRelaySwitch.self,
      ["at": .text(device.place), "relay": .integer(1), "normally-closed": .boolean(true)])
    try prepare()
    #expect(try await first.state(until: deadline).state == .on)
    try prepare()
    try await first.set(.off, until: deadline)
    #expect(device.truth("relay") == "relay 11")
    try prepare()
    try await second.cycle(offSeconds: 0.01, until: deadline)
    #expect(device.truth("relay") == "relay 11")
    #expect(EmulatedDevice.wait { access("\(interface)/driver", F_OK) == 0 })
  }

  @Test func tellsARelayThatAcknowledgesAndDoesNothing() async throws {
    let device = try EmulatedDevice("deaf-relay")
    let power = try makeSwitch(HIDRelaySwitch.self, ["at": .text(device.place)])
    let found = await failure { try await power.set(.on, until: deadline) }
    #expect(found?.kind == .infrastructure)
    #expect(found?.message.hasSuffix("relay 1 was switched on and did not follow") == true)
    #expect(device.truth("relay") == "relay 00")
  }

  @Test func tellsThatTheRelayIsGoneOrHasTooFewContacts() async throws {
    let device = try EmulatedDevice("relay")
    let third = try makeSwitch(
      HIDRelaySwitch.self, ["at": .text(device.place), "relay": .integer(3)])
    let found = await failure { try await third.set(.on, until: deadline) }
    #expect(found?.kind == .configuration)
    #expect(found?.message.hasSuffix("has no relay 3") == true)
    device.unplug()
    let first = try makeSwitch(HIDRelaySwitch.self, ["at": .text(device.place)])
    #expect(await failure { try await first.set(.on, until: deadline) } != nil)
  }

  @Test func takesADeviceFromItsNode() async throws {
    let device = try EmulatedDevice("relay")
    let interface = "/sys/bus/usb/devices/\(device.place)/\(device.place):1.0"
    let hidraw = { () -> String? in
      SmallFile.names(in: interface).lazy
        .compactMap { SmallFile.names(in: "\(interface)/\($0)/hidraw").first }.first
    }
    try #require(EmulatedDevice.wait { hidraw() != nil })
    let name = try #require(hidraw())
    let host = PowerHost(resolveUSB: { _ in "/dev/\(name)" })
    let power = try makeSwitch(
      HIDRelaySwitch.self, ["match": .map(["idVendor": .text("16c0")])], host: host)
    try await power.set(.on, until: deadline)
    #expect(device.truth("relay") == "relay 10")
  }

  @Test func findsADeviceByItsMatch() async throws {
    let device = try EmulatedDevice("ykush")
    try #require(
      EmulatedDevice.wait {
        (try? PowerHost.usbByUDev(DeviceMatch([.init("ID_SERIAL_SHORT", "VB0001")]))) != nil
      })
    let power = try makeSwitch(
      YKUSHSwitch.self,
      ["match": .map(["ID_SERIAL_SHORT": .text("VB0001")]), "port": .integer(3)])
    try await power.set(.off, until: deadline)
    #expect(device.truth("ykush") == "ykush 110")
    let other = try makeSwitch(
      YKUSHSwitch.self,
      ["match": .map(["ID_SERIAL_SHORT": .text("VB0002")]), "port": .integer(3)])
    let found = await failure { try await other.set(.off, until: deadline) }
    #expect(found?.message.hasPrefix("no USB device matches") == true)
  }

  // MARK: YKUSH

  @Test(arguments: [("ykush", 3), ("ykush-legacy", 3), ("ykush3", 3), ("ykushxs", 1)])
  func switchesPortsOfAYKUSH(model: String, ports: Int) async throws {
    let device = try EmulatedDevice(model)
    var expected = [1, 1, 1]
    for port in 1...ports {
      let power = try makeSwitch(
        YKUSHSwitch.self, ["at": .text(device.place), "port": .integer(Int64(port))])
      #expect(try await power.state(until: deadline) == PowerReading(.on, .commanded))
      try await power.set(.off, until: deadline)
      expected[port - 1] = 0
      #expect(device.truth("ykush") == "ykush " + expected.map(String.init).joined())
      #expect(try await power.state(until: deadline).state == .off)
    }
    let first = try makeSwitch(
      YKUSHSwitch.self, ["at": .text(device.place), "port": .integer(1)])
    try await first.set(.on, until: deadline)
    #expect(try await first.state(until: deadline).state == .on)
    guard ports == 1 else { return }
    let second = try makeSwitch(
      YKUSHSwitch.self, ["at": .text(device.place), "port": .integer(2)])
    let found = await failure { try await second.set(.off, until: deadline) }
    #expect(found?.message.contains("has no port 2") == true)
  }

  // MARK: hubs

  @Test(arguments: [false, true])
  func switchesAPortOfAHub(byRequests: Bool) async throws {
    let device = try EmulatedDevice("vendor")
    let hub = try #require(EmulatedDevice.rootHub(of: 0))
    let directory = "\(hub.syspath)/\(hub.busNumber)-0:1.0/\(hub.name)-port1"
    let disable = "\(directory)/disable"
    // An empty directory in its place hides the kernel's switch, as on Linux 5.
    let empty = NSTemporaryDirectory() + "kelvin-empty"
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: true)
    if byRequests { try #require(mount(empty, directory, nil, UInt(MS_BIND), nil) == 0) }
    defer { if byRequests { umount(directory) } }
    #expect((access(disable, F_OK) == 0) != byRequests)
    let power = try makeSwitch(
      USBHubSwitch.self, ["at": .text(hub.name), "port": .integer(1)])
    #expect(try await power.state(until: deadline) == PowerReading(.on, .commanded))
    try await power.set(.off, until: deadline)
    #expect(try await power.state(until: deadline).state == .off)
    // dummy_hcd reports no change of a port that it was told to cut, so that only the kernel's own
    // switch takes the device off its list.
    #expect(
      byRequests
        || EmulatedDevice.wait { USBDeviceInfo.at(bus: hub.busNumber, portPath: [1]) == nil })
    try await power.set(.on, until: deadline)
    #expect(try await power.state(until: deadline).state == .on)
    withExtendedLifetime(device) {}
  }

  @Test func switchesBothHalvesOfAUSB3Hub() async throws {
    let hub = try #require(EmulatedDevice.rootHub(of: 0))
    let port = "\(hub.syspath)/\(hub.busNumber)-0:1.0/\(hub.name)-port1"
    guard let peer = SmallFile.realPath("\(port)/peer") else {
      print("both halves of a hub: skipped, dummy_hcd was loaded without is_super_speed=1")
      return
    }
    let power = try makeSwitch(
      USBHubSwitch.self, ["at": .text(hub.name), "port": .integer(1)])
    try await power.set(.off, until: deadline)
    #expect(SmallFile.text("\(port)/disable") == "1")
    #expect(SmallFile.text("\(peer)/disable") == "1")
    // Fed by one half is fed.
    try SmallFile.write("0", to: "\(peer)/disable")
    #expect(try await power.state(until: deadline).state == .on)
    try await power.set(.on, until: deadline)
    #expect(SmallFile.text("\(port)/disable") == "0")
  }

  @Test func refusesAHubWithoutPerPortSwitching() async throws {
    // Of QEMU: xhci's root hub, and usb-hub without port-power=on.
    let hubs = USBDeviceInfo.all().filter { $0.isHub && !$0.syspath.contains("/dummy_hcd.") }
    guard !hubs.isEmpty else {
      print("hub without per-port switching: skipped, this guest has none")
      return
    }
    var refused = 0
    for hub in hubs {
      let power = try makeSwitch(
        USBHubSwitch.self, ["at": .text(hub.name), "port": .integer(1)])
      guard let found = await failure({ _ = try await power.state(until: deadline) }) else {
        continue
      }
      #expect(found.kind == .configuration)
      #expect(found.message.hasSuffix("it cannot switch its ports"), "\(found)")
      refused += 1
    }
    #expect(refused > 0)
  }
}
