import Foundation
import KelvinDevices
import KelvinModel
import Synchronization
import Testing

/// A recorded tree: what sysfs shows of a root hub, a hub and two devices.
struct RecordedUSB: ~Copyable {
  let sysfs = NSTemporaryDirectory() + "kelvin-usb-\(UUID().uuidString)"

  init() throws {
    try add("pci/usb1", ["busnum": "1", "devnum": "1", "devpath": "0", "bDeviceClass": "09"])
    try add(
      "pci/usb1/1-2", ["busnum": "1", "devnum": "2", "devpath": "2", "bDeviceClass": "09"])
    try add(
      "pci/usb1/1-2/1-2.10",
      ["busnum": "1", "devnum": "30", "devpath": "2.10", "serial": " A1\n", "speed": "12\n"])
    try add(
      "pci/usb1/1-2/1-2.9",
      ["busnum": "1", "devnum": "9", "devpath": "2.9", "product": "caf\u{e9}\n"])
  }

  deinit { try? FileManager.default.removeItem(atPath: sysfs) }

  func add(_ path: String, _ files: [String: String]) throws {
    let directory = "\(sysfs)/devices/\(path)"
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: true)
    let links = "\(sysfs)/bus/usb/devices"
    try FileManager.default.createDirectory(atPath: links, withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: "\(links)/\((path as NSString).lastPathComponent)", withDestinationPath: directory)
    let all = files.merging(["idVendor": "1209\n", "idProduct": "000a\n"]) { first, _ in first }
    for (name, text) in all {
      try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
    }
  }
}

struct USBListingTests {
  @Test func listsDevicesInTheOrderOfTheirPorts() throws {
    let tree = try RecordedUSB()
    let devices = USBDeviceInfo.all(sysfs: tree.sysfs)
    #expect(devices.map(\.name) == ["usb1", "1-2", "1-2.9", "1-2.10"])
    #expect(devices.map(\.portPath) == [[], [2], [2, 9], [2, 10]])
    #expect(devices.map(\.isHub) == [true, true, false, false])
    let last = try #require(devices.last)
    #expect(last.serialNumber == "A1")
    #expect(last.speed == .full)
    #expect(last.node() == "/dev/bus/usb/001/030")
    #expect("\(last)" == "device 1209:000a (serial A1) at 1-2.10")
    #expect(devices[2].product == "caf\u{e9}")
  }

  @Test func leavesOutWhatIsGoneOrNoDevice() throws {
    let tree = try RecordedUSB()
    try tree.add("pci/usb1/1-3", ["busnum": "", "devnum": "4"])
    try tree.add("pci/usb1/1-4", ["busnum": "1", "devnum": "5", "idVendor": "12x9"])
    try tree.add("pci/usb1/1-2/1-2:1.0", ["bInterfaceNumber": "00"])
    #expect(USBDeviceInfo.all(sysfs: tree.sysfs).count == 4)
    #expect(USBDeviceInfo.at(bus: 1, portPath: [3], sysfs: tree.sysfs) == nil)
    #expect(USBDeviceInfo.at(bus: 1, portPath: [], sysfs: tree.sysfs)?.name == "usb1")
    #expect(USBDeviceInfo.all(sysfs: "/nowhere").isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func startsAndEndsOnAMachineWithoutUSB() throws {
    for _ in 0..<20 { _ = try USBContext() }
  }

  @Test(.timeLimit(.minutes(1)))
  func handsLibusbsLogOver() throws {
    let lines = Mutex<[String]>([])
    _ = try USBContext(logging: .debug) { _, line in lines.withLock { $0.append(line) } }
    #expect(lines.withLock { $0 }.contains { $0.contains("libusb") && !$0.hasSuffix("\n") })
  }

  @Test(.timeLimit(.minutes(1)))
  func saysWhyADeviceCannotBeOpened() throws {
    let tree = try RecordedUSB()
    let context = try USBContext()
    let info = try #require(USBDeviceInfo.at(bus: 1, portPath: [2, 9], sysfs: tree.sysfs))
    let missing = #expect(throws: USBFailure.self) {
      _ = try context.open(info, dev: "\(tree.sysfs)/nodes")
    }
    #expect(missing?.code == .notFound)
    #expect(missing?.message.contains("001/009 does not exist") == true)
    // A file that is no device node must be refused, not believed.
    let node = info.node(in: "\(tree.sysfs)/nodes")
    try FileManager.default.createDirectory(
      atPath: (node as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(USBDescriptorTests.whole).write(to: URL(fileURLWithPath: node))
    #expect(throws: USBFailure.self) { _ = try context.open(info, dev: "\(tree.sysfs)/nodes") }
    // Another device in its place.
    try "31".write(toFile: "\(info.syspath)/devnum", atomically: false, encoding: .utf8)
    let other = #expect(throws: USBFailure.self) {
      _ = try context.open(info, dev: "\(tree.sysfs)/nodes")
    }
    #expect(other?.message.contains("no longer plugged in") == true)
    let nothing = #expect(throws: USBFailure.self) {
      _ = try context.open(bus: 1, portPath: [7], sysfs: tree.sysfs)
    }
    #expect(nothing?.message == "USB: nothing is plugged in at 1-7")
  }
}
