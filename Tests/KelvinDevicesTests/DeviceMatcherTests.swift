import KelvinModel
import Testing

@testable import KelvinDevices

/// Matching by labgrid's rule, on trees made of values.
@Suite struct DeviceMatcherTests {
  static func usb(
    _ name: String, serial: String?, path: String? = nil, vendor: String = "10c4",
    product: String = "ea60", ancestors: [HostDevice] = []
  ) -> HostDevice {
    var properties: [String: String] = [:]
    properties["ID_SERIAL_SHORT"] = serial
    properties["ID_PATH"] = path ?? "pci-0000:00:14.0-usb-0:\(name.dropFirst(2))"
    var attributes = ["idVendor": vendor, "idProduct": product, "bDeviceClass": "00"]
    attributes["serial"] = serial
    return HostDevice(
      syspath: "/sys/devices/test/usb1/\(name)", subsystem: "usb", type: "usb_device",
      properties: properties, attributes: attributes, ancestors: ancestors)
  }

  static func port(_ number: Int, interface: String = "00", of usb: HostDevice) -> HostDevice {
    let path = "\(usb.syspath)/\(usb.name):1.\(interface)"
    let parent = HostDevice(
      syspath: path, subsystem: "usb", type: "usb_interface",
      attributes: ["bInterfaceNumber": interface], ancestors: usb.line)
    var properties = usb.properties
    properties["ID_USB_INTERFACE_NUM"] = interface
    properties["ID_PATH"] = (usb.properties["ID_PATH"] ?? "") + ":1.\(interface)"
    return HostDevice(
      syspath: "\(path)/ttyUSB\(number)/tty/ttyUSB\(number)", subsystem: "tty",
      node: "/dev/ttyUSB\(number)", properties: properties, ancestors: parent.line)
  }

  static let hub = usb("1-2", serial: nil, vendor: "2109", product: "2811")
  static let first = port(0, of: usb("1-1", serial: "0001"))
  static let twin = port(1, of: usb("1-2.4", serial: "0001", ancestors: [hub]))
  static let double = usb("1-3", serial: "FT5", vendor: "0403", product: "6010")
  static let ports = [
    first, twin, port(2, of: double), port(3, interface: "01", of: double)
  ]

  static func match(_ keys: [String: String]) -> DeviceMatch {
    DeviceMatch(.map(keys.mapValues { .text($0) })) ?? DeviceMatch([])
  }

  @Test(arguments: [
    (["ID_SERIAL_SHORT": "FT5", "ID_USB_INTERFACE_NUM": "01"], "/dev/ttyUSB3"),
    (["@ID_PATH": "pci-0000:00:14.0-usb-0:1"], "/dev/ttyUSB0"),
    // The hub is an ancestor of what is behind it.
    (["@idVendor": "2109"], "/dev/ttyUSB1"),
    (["@serial": "FT5", "@bInterfaceNumber": "00"], "/dev/ttyUSB2"),
    (["ID_PATH": "pci-0000:00:14.0-usb-0:1:1.00"], "/dev/ttyUSB0"),
    (["sys_name": "ttyUSB3", "subsystem": "tty"], "/dev/ttyUSB3"),
    (["sys_number": "3"], "/dev/ttyUSB3"), (["device_node": "/dev/ttyUSB2"], "/dev/ttyUSB2"),
    (["@ID_SERIAL_SHORT": " 0001 ", "@sys_name": "1-1"], "/dev/ttyUSB0")
  ])
  func findsTheOneThatAllKeysHoldFor(keys: [String: String], node: String) throws {
    let found = try DeviceMatcher(Self.match(keys), role: .serialPort).find(among: Self.ports)
    #expect(found.node == node)
  }

  @Test func withoutAtAnAncestorsValueDoesNotCount() {
    let matcher = DeviceMatcher(Self.match(["idVendor": "10c4"]), role: .serialPort)
    #expect(throws: DeviceFailure.self) { try matcher.find(among: Self.ports) }
  }

  @Test func namesTheKeyThatFailsForTheNearest() throws {
    let failure = try #require(
      Self.failure(["ID_SERIAL_SHORT": "FT5", "ID_USB_INTERFACE_NUM": "02"]))
    #expect(failure.problem == .absent)
    #expect(failure.kind == .infrastructure)
    #expect(
      failure.message
        == "no serial port matches {ID_SERIAL_SHORT: FT5, ID_USB_INTERFACE_NUM: 02}")
    #expect(failure.evidence.contains("ID_USB_INTERFACE_NUM is '00', not '02'"))
    // All candidates, each with a match to copy.
    #expect(
      failure.evidence.contains(
        "/dev/ttyUSB3 {ID_SERIAL_SHORT: FT5, ID_USB_INTERFACE_NUM: 01}"))
  }

  @Test func tellsTwoAdaptersWithOneSerialNumberApart() throws {
    let failure = try #require(Self.failure(["ID_SERIAL_SHORT": "0001"]))
    #expect(failure.problem == .ambiguous)
    #expect(failure.kind == .configuration)
    #expect(failure.message == "{ID_SERIAL_SHORT: 0001} matches 2 serial ports")
    #expect(
      failure.evidence == "/dev/ttyUSB0 with {@ID_PATH: pci-0000:00:14.0-usb-0:1}, "
        + "/dev/ttyUSB1 with {@ID_PATH: pci-0000:00:14.0-usb-0:2.4}")
    #expect(failure.hint == "add @ID_PATH of the one that is meant")
  }

  @Test func tellsTwoPortsOfOneAdapterApart() throws {
    let failure = try #require(Self.failure(["ID_SERIAL_SHORT": "FT5"]))
    #expect(failure.evidence.contains("/dev/ttyUSB3 with {ID_USB_INTERFACE_NUM: 01}"))
    #expect(failure.hint == "add ID_USB_INTERFACE_NUM of the one that is meant")
  }

  @Test func saysWhenThereIsNothingAtAll() {
    let matcher = DeviceMatcher(Self.match(["ID_SERIAL_SHORT": "x"]), role: .serialPort)
    let failure = #expect(throws: DeviceFailure.self) { try matcher.find(among: []) }
    #expect(failure?.evidence == "there is no serial port at all")
  }

  @Test func anEmptyMatchMeansNothing() {
    let matcher = DeviceMatcher(DeviceMatch([]), role: .serialPort)
    #expect(!matcher.matches(Self.first))
    let failure = #expect(throws: DeviceFailure.self) { try matcher.find(among: [Self.first]) }
    #expect(failure?.problem == .absent)
  }

  @Test func aLongListIsCut() throws {
    let many = (0..<40).map { Self.port($0, of: Self.usb("1-\($0)", serial: "same")) }
    let matcher = DeviceMatcher(Self.match(["ID_SERIAL_SHORT": "same"]), role: .serialPort)
    let failure = #expect(throws: DeviceFailure.self) { try matcher.find(among: many) }
    #expect(failure?.evidence.hasSuffix("and 32 more") == true)
  }

  @Test func suggestionsMeanOneDeviceEach() throws {
    for device in Self.ports {
      let match = MatchSuggestion.match(for: device, among: Self.ports)
      let found = try DeviceMatcher(match, role: .serialPort).find(among: Self.ports)
      #expect(found.node == device.node)
      #expect(!match.description.contains("ttyUSB"))
    }
  }

  /// Both are on one socket, and so is a second stage of the same chip behind the first.
  @Test func theHalvesAndStagesOfAHubAreToldApart() throws {
    let path = "pci-0000:00:14.0-usb-0:2"
    let slow = Self.usb("1-2", serial: nil, path: path, vendor: "2109", product: "2811")
    let fast = Self.usb("2-2", serial: nil, path: path, vendor: "2109", product: "8110")
    let second = Self.usb(
      "1-2.4", serial: nil, path: path + ".4", vendor: "2109", product: "2811", ancestors: [slow])
    let hubs = [slow, second, fast]
    for hub in hubs {
      let match = MatchSuggestion.match(for: hub, among: hubs)
      #expect(try DeviceMatcher(match, role: .usbHub).find(among: hubs).name == hub.name)
      #expect(match.description.contains("ID_PATH"))
    }
    let failure = #expect(throws: DeviceFailure.self) {
      try DeviceMatcher(Self.match(["ID_PATH": path]), role: .usbHub).find(among: hubs)
    }
    #expect(failure?.hint == "add idProduct of the one that is meant")
  }

  @Test func anAttributeNameCannotLeaveTheDevice() {
    let device = HostDevice(syspath: "/sys", subsystem: "x")
    for name in ["../etc/hostname", "/etc/hostname", "a/../../etc/hostname", "..", "", "a\0b"] {
      #expect(device.attribute(name) == nil)
    }
  }

  private static func failure(_ keys: [String: String]) -> DeviceFailure? {
    do {
      _ = try DeviceMatcher(match(keys), role: .serialPort).find(among: ports)
      return nil
    } catch {
      return error
    }
  }
}

@Suite struct DeviceIdentityTests {
  @Test func isTheSerialNumberWhereverItIsPluggedIn() {
    let here = DeviceIdentity(DeviceMatcherTests.usb("1-1", serial: "A1"))
    #expect(here == DeviceIdentity(DeviceMatcherTests.usb("1-4.2", serial: "A1")))
    #expect(here.description == "usb:10c4:ea60:A1")
  }

  @Test func isThePortWithoutASerialNumber() {
    let here = DeviceIdentity(DeviceMatcherTests.usb("1-1", serial: nil))
    #expect(here != DeviceIdentity(DeviceMatcherTests.usb("1-2", serial: nil)))
    #expect(here.description == "usb:10c4:ea60:@pci-0000:00:14.0-usb-0:1")
  }

  @Test func isThePortWhenASerialNumberIsShared() {
    let ports = DeviceMatcherTests.ports
    let identities = ports.map { DeviceIdentity($0, among: ports) }
    #expect(Set(identities).count == ports.count)
    #expect(identities[0].description.contains("@pci"))
    #expect(identities[3].description == "usb:0403:6010:FT5:01")
  }

  @Test func survivesThatTheFilesHaveGone() {
    let pulled = HostDevice(
      syspath: "/sys/devices/test/usb1/1-1", subsystem: "usb", type: "usb_device",
      properties: ["PRODUCT": "403/6001/600", "ID_SERIAL_SHORT": "A1"])
    #expect(DeviceIdentity(pulled).description == "usb:0403:6001:A1")
    for broken in ["", "1/2", "1/2/3/4", "x/1/2", "12345/1/1", "//"] {
      let device = HostDevice(
        syspath: "/sys/devices/test/usb1/1-1", subsystem: "usb", type: "usb_device",
        properties: ["PRODUCT": broken])
      #expect(device.usbID == nil)
    }
  }

  @Test func neverHoldsANumberOfTheKernels() {
    let sensor = HostDevice(
      syspath: "/sys/devices/platform/i2c/1-0040/hwmon/hwmon3", subsystem: "hwmon",
      ancestors: [
        HostDevice(syspath: "/sys/devices/platform/i2c/1-0040", subsystem: "i2c")
      ])
    #expect(DeviceIdentity(sensor).description == "hwmon:platform/i2c/1-0040")
  }
}
