import Foundation
import KelvinDevices
import Testing

struct USBDescriptorTests {
  /// The virtual instrument of hardware/virtual-bench/gadgets at high speed, as lsusb shows it.
  static let device: [UInt8] = [
    18, 1, 0, 2, 0, 0, 0, 64, 0x09, 0x12, 0x01, 0x00, 0, 1, 1, 2, 3, 1
  ]
  static let interface: [UInt8] = [9, 4, 0, 0, 4, 0xff, 0, 0, 0]
  static let endpoints: [UInt8] = [
    7, 5, 0x01, 2, 0x00, 0x02, 0, 7, 5, 0x81, 2, 0x00, 0x02, 0, 7, 5, 0x82, 2, 0x00, 0x02, 0,
    7, 5, 0x83, 3, 8, 0, 4
  ]

  static func configuration(_ rest: [UInt8], total: Int? = nil) -> [UInt8] {
    let total = total ?? 9 + rest.count
    return [9, 2, UInt8(total & 255), UInt8(total >> 8), 1, 1, 0, 0x80, 50] + rest
  }

  static let whole = device + configuration(interface + endpoints)

  @Test func readsInterfacesAndEndpoints() throws {
    let descriptors = try #require(USBDescriptors(Self.whole))
    #expect(descriptors.problems.isEmpty)
    #expect(descriptors.configurations.map(\.value) == [1])
    let interface = try #require(descriptors.interface(0, configuration: 1))
    #expect(interface.interfaceClass == 0xff)
    #expect(interface.endpoints.map(\.address) == [0x01, 0x81, 0x82, 0x83])
    #expect(interface.endpoints.map(\.kind) == [.bulk, .bulk, .bulk, .interrupt])
    #expect(interface.endpoints.map(\.maxPacketSize) == [512, 512, 512, 8])
    #expect(interface.endpoints[3].interval == 4)
    #expect(descriptors.interface(1, configuration: 1) == nil)
    #expect(descriptors.interface(0, configuration: 2) == nil)
  }

  @Test func tellsAlternateSettingsAndConfigurationsApart() throws {
    let other: [UInt8] = [9, 4, 0, 1, 1, 0xff, 1, 2, 0, 7, 5, 0x84, 1, 0x00, 0x14, 1]
    var second = Self.configuration(Self.interface)
    second[5] = 2
    let bytes = Self.device + Self.configuration(Self.interface + Self.endpoints + other) + second
    let descriptors = try #require(USBDescriptors(bytes))
    #expect(descriptors.problems.isEmpty)
    #expect(descriptors.configurations.map(\.value) == [1, 2])
    let setting = try #require(descriptors.interface(0, alternate: 1, configuration: 1))
    #expect(setting.endpoints.map(\.kind) == [.isochronous])
    // 0x1400: three packets of 1024 bytes.
    #expect(setting.endpoints.map(\.maxPacketSize) == [1024])
    #expect(descriptors.interface(0, configuration: 2)?.endpoints.isEmpty == true)
  }

  @Test(arguments: 0..<whole.count)
  func keepsWhatWasThereBeforeACut(length: Int) {
    let descriptors = USBDescriptors(Array(Self.whole.prefix(length)))
    #expect((descriptors == nil) == (length < 18))
    guard let descriptors, length > 18 else { return }
    #expect(!descriptors.problems.isEmpty)
    let endpoints = descriptors.configurations.first?.interfaces.first?.endpoints.count ?? 0
    #expect(endpoints == max(0, length - 36) / 7)
  }

  @Test(arguments: 0..<whole.count)
  func survivesACorruptedByte(position: Int) {
    for value in [0, 1, 2, 9, 0x7f, 0x80, 0xff] as [UInt8] {
      var bytes = Self.whole
      bytes[position] = value
      let descriptors = USBDescriptors(bytes)
      let count = descriptors?.configurations.flatMap(\.interfaces).flatMap(\.endpoints).count ?? 0
      #expect(count <= 4)
    }
  }

  @Test(arguments: [
    ("an endpoint that is cut short", configuration(interface + [4, 5, 0x84, 2] + endpoints), 4),
    ("the control pipe as an endpoint", configuration(interface + [7, 5, 0x80, 2, 64, 0, 0]), 0),
    ("an endpoint of no bytes", configuration(interface + [7, 5, 0x81, 2, 0, 0, 0]), 0),
    ("an endpoint without an interface", configuration(endpoints), 0),
    ("an interface that is cut short", configuration([5, 4, 0, 0, 4] + endpoints), 0),
    ("a descriptor beyond the end", configuration(interface + endpoints + [200, 0x24, 1]), 4),
    ("a descriptor of length 0", configuration(interface + [0, 5] + endpoints), 0),
    ("a total beyond the end", configuration(interface + endpoints, total: 60_000), 4),
    ("a total of nothing", configuration(interface + endpoints, total: 3), 0),
    ("no configuration", [9, 4, 0, 0, 0, 0, 0, 0, 0], 0)
  ])
  func namesWhatItLeavesOut(what: String, rest: [UInt8], usable: Int) throws {
    let descriptors = try #require(USBDescriptors(Self.device + rest))
    #expect(!descriptors.problems.isEmpty)
    #expect(
      descriptors.configurations.flatMap(\.interfaces).flatMap(\.endpoints).count == usable)
  }
}
