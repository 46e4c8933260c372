import Foundation
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinTargets

/// What needs no device: options, descriptors, a recorded tree.
struct PowerUSBTests {
  @Test(
    arguments: [
      ([:], "'match' or 'at' is missing"),
      (["at": .text("1-2"), "match": .map(["idVendor": .text("05e3")])], "both 'match' and 'at'"),
      (["at": .text("../../block")], "'at: ../../block' is no place of a USB device"),
      (["at": .text("")], "'at: ' is no place of a USB device")
    ] as [([String: Value], String)])
  func refusesContradictoryOptions(options: [String: Value], message: String) async {
    for type in [USBHubSwitch.self, HIDRelaySwitch.self, YKUSHSwitch.self]
      as [any PowerSwitch.Type]
    {
      let found = await failure {
        _ = try makeSwitch(type, options.merging(["port": .integer(1)]) { first, _ in first })
      }
      #expect(found?.kind == .configuration)
      #expect(found?.message == message)
    }
  }

  @Test func needsThePortOfAHub() async {
    let found = await failure { _ = try makeSwitch(USBHubSwitch.self, ["at": .text("1-2")]) }
    #expect(found?.message == "'port' is missing")
  }

  @Test func saysWhatIsNotThere() async throws {
    let tree = try USBTree()
    let host = PowerHost(sysfs: tree.path, dev: "\(tree.path)/dev")
    let missing = await failure {
      let power = try makeSwitch(
        USBHubSwitch.self, ["at": .text("1-9"), "port": .integer(1)], host: host)
      _ = try await power.state(until: .after(seconds: 1))
    }
    #expect(missing?.message == "nothing is plugged in at 1-9")
    let noHub = await failure {
      let power = try makeSwitch(
        USBHubSwitch.self, ["at": .text("1-2.1"), "port": .integer(1)], host: host)
      try await power.set(.off, until: .after(seconds: 1))
    }
    #expect(noHub?.message == "device 1209:000a at 1-2.1 is no hub")
    let noPort = await failure {
      let power = try makeSwitch(
        USBHubSwitch.self, ["at": .text("1-2"), "port": .integer(7)], host: host)
      try await power.set(.off, until: .after(seconds: 1))
    }
    #expect(noPort?.message == "device 1209:000a at 1-2: it has no port 7")
    #expect(noPort?.evidence == "it has 2 ports")
    let noRelay = await failure {
      let power = try makeSwitch(HIDRelaySwitch.self, ["at": .text("1-2.1")], host: host)
      try await power.set(.off, until: .after(seconds: 1))
    }
    #expect(noRelay?.message == "device 1209:000a at 1-2.1 is no USBRelay board")
    let noYKUSH = await failure {
      let power = try makeSwitch(YKUSHSwitch.self, ["at": .text("1-2.1")], host: host)
      try await power.set(.off, until: .after(seconds: 1))
    }
    #expect(noYKUSH?.message == "device 1209:000a at 1-2.1 is no YKUSH")
  }

  @Test func findsTheOtherHalfByThePortsPeer() async throws {
    let tree = try USBTree()
    let host = PowerHost(sysfs: tree.path)
    let context = try USBContext()
    let hub = try #require(USBDeviceInfo(syspath: "\(tree.path)/bus/usb/devices/1-2"))
    let port = try USBHubPort(hub, 2, context: context, host: host)
    let peer = try #require(try await port.peer(until: .after(seconds: 1)))
    #expect(peer.hub.name == "2-2")
    #expect(peer.hub.isSuperSpeed)
    #expect(peer.number == 2)
    // The kernel's own switch.
    #expect(try await peer.state(until: .after(seconds: 1)) == .on)
    try await peer.set(.off, until: .after(seconds: 1))
    #expect(SmallFile.text("\(peer.directory)/disable") == "1")
    #expect(try await peer.state(until: .after(seconds: 1)) == .off)
    let single = try USBHubPort(hub, 1, context: context, host: host)
    #expect(try await single.peer(until: .after(seconds: 1)) == nil)
  }

  @Test func findsTheDeviceOfANode() throws {
    let tree = try USBTree()
    let host = PowerHost(sysfs: tree.path)
    #expect(USBDeviceChoice.device(of: "/dev/bus/usb/001/002", host)?.name == "1-2")
    #expect(USBDeviceChoice.device(of: "/dev/bus/usb/001/077", host) == nil)
    #expect(USBDeviceChoice.device(of: "/dev/null", host) == nil)
    #expect(USBDeviceChoice.device(of: "/nowhere", host) == nil)
  }

  @Test(
    arguments: [
      ([9, 0x29, 4, 0x00, 0, 50, 0, 0, 0xff], .allTogether),
      ([9, 0x29, 4, 0x09, 0, 50, 0], .perPort),
      ([9, 0x29, 4, 0x0a, 0, 50, 0], HubPorts.Switching.none),
      ([9, 0x29, 4, 3, 0, 50, 0], HubPorts.Switching.none),
      ([12, 0x2a, 4, 1, 0, 50, 0, 0, 0, 0, 0, 0], .perPort), ([9, 0x29, 4], .notKnown),
      ([], .notKnown),
      ([18, 1, 0, 2, 9, 0, 0, 64], .notKnown)
    ] as [([UInt8], HubPorts.Switching)])
  func readsHowAHubSwitches(descriptor: [UInt8], way: HubPorts.Switching) {
    #expect(HubPorts.switching(descriptor: descriptor) == way)
  }

  @Test func findsAContainerAndSurvivesWhatIsNone() {
    let id = (1...16).map { UInt8($0) }
    let other: [UInt8] = [7, 0x10, 2, 6, 0, 0, 0]
    let capability: [UInt8] = [20, 0x10, 4, 0] + id
    let whole: [UInt8] = [5, 0x0f, 32, 0, 2] + other + capability
    #expect(ContainerID.find(whole) == id)
    for length in 0..<whole.count { #expect(ContainerID.find(Array(whole.prefix(length))) == nil) }
    for position in whole.indices {
      for value in [0, 1, 255] as [UInt8] {
        var bytes = whole
        bytes[position] = value
        #expect(ContainerID.find(bytes).map(\.count) ?? 16 == 16)
      }
    }
    #expect(
      ContainerID.find([5, 0x0f, 25, 0, 1, 20, 0x10, 4, 0] + [UInt8](repeating: 0, count: 16))
        == nil)
  }
}

/// A recorded tree: a USB 3 hub with both halves, whose second port has a peer.
private struct USBTree: ~Copyable {
  let path = NSTemporaryDirectory() + "kelvin-power-\(UUID().uuidString)"

  init() throws {
    let hub = ["bDeviceClass": "09", "maxchild": "2"]
    try add("usb1/1-2", hub.merging(["devnum": "2", "devpath": "2", "speed": "480"]) { $1 })
    try add(
      "usb2/2-2", hub.merging(["devnum": "2", "devpath": "2", "speed": "5000"]) { $1 }, bus: 2)
    try add("usb1/1-2/1-2.1", ["devnum": "3", "devpath": "2.1", "speed": "12"])
    let manager = FileManager.default
    for (bus, number) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
      let port = self.port(bus, number)
      try manager.createDirectory(atPath: port, withIntermediateDirectories: true)
      try "0".write(toFile: "\(port)/disable", atomically: false, encoding: .utf8)
    }
    try manager.createSymbolicLink(
      atPath: "\(port(1, 2))/peer", withDestinationPath: port(2, 2))
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func port(_ bus: Int, _ number: Int) -> String {
    "\(path)/devices/usb\(bus)/\(bus)-2/\(bus)-2:1.0/\(bus)-2-port\(number)"
  }

  func add(_ name: String, _ files: [String: String], bus: Int = 1) throws {
    let directory = "\(path)/devices/\(name)"
    let links = "\(path)/bus/usb/devices"
    let manager = FileManager.default
    try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try manager.createDirectory(atPath: links, withIntermediateDirectories: true)
    try manager.createSymbolicLink(
      atPath: "\(links)/\((name as NSString).lastPathComponent)", withDestinationPath: directory)
    let ids = ["idVendor": "1209", "idProduct": "000a", "busnum": "\(bus)"]
    for (file, text) in files.merging(ids, uniquingKeysWith: { first, _ in first }) {
      try text.write(toFile: "\(directory)/\(file)", atomically: false, encoding: .utf8)
    }
  }
}
