import Testing

@testable import KelvinDevices

@Suite struct HubPortsTests {
  /// USB 2.0, table 11-13; USB 3.2, table 10-5.
  @Test(arguments: [
    // A four-port hub that switches each port, one that switches all, one that cannot.
    ([9, 0x29, 4, 0xa9, 0x00, 50, 100, 0, 0xff], HubPorts.Switching.perPort),
    ([9, 0x29, 4, 0xa8, 0x00, 50, 100, 0, 0xff], .allTogether),
    ([9, 0x29, 4, 0xaa, 0x00, 50, 100, 0, 0xff], HubPorts.Switching.none),
    ([9, 0x29, 4, 0xab, 0x00, 50, 100, 0, 0xff], HubPorts.Switching.none),
    ([12, 0x2a, 4, 0x09, 0x00, 50, 0, 4, 0, 0, 0, 0], .perPort),
    // A device descriptor is none.
    ([18, 0x01, 0x00, 0x02, 9, 0, 1, 64], .notKnown)
  ])
  func readsHubDescriptors(bytes: [UInt8], switching: HubPorts.Switching) {
    #expect(HubPorts.switching(descriptor: bytes) == switching)
  }

  @Test func aTruncatedOrCorruptDescriptorIsNotKnown() {
    let whole: [UInt8] = [9, 0x29, 4, 0xa9, 0x00, 50, 100, 0, 0xff]
    for length in 0..<7 {
      #expect(HubPorts.switching(descriptor: Array(whole.prefix(length))) == .notKnown)
    }
    for value in UInt8.min...UInt8.max where value < 7 {
      #expect(HubPorts.switching(descriptor: [value] + whole.dropFirst()) == .notKnown)
    }
    for value in UInt8.min...UInt8.max where value != 0x29 && value != 0x2a {
      #expect(
        HubPorts.switching(descriptor: [9, value] + whole.dropFirst(2)) == .notKnown)
    }
  }
}
