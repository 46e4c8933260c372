import Foundation
import KelvinDevices
import KelvinModel
import Testing

/// Transfers of each kind, to an emulated device on a real USB stack.
@Suite(
  .serialized, .enabled(if: USBBench.isThere, "needs the bench host"), .timeLimit(.minutes(2)))
struct USBTransferOnBenchHost {
  let gadget: USBGadget
  let device: USBDevice

  init() throws {
    gadget = try USBGadget("vendor")
    device = try USBContext().open(gadget.info)
  }

  @Test func listsTheDeviceAsItIs() throws {
    let info = gadget.info
    #expect(info.ids == "1209:0001")
    #expect(info.manufacturer == "Kelvin")
    #expect(info.product == "Virtual instrument")
    #expect(info.serialNumber == "VB0001")
    #expect(info.speed == .high)
    let interface = try device.claim(interface: 0)
    #expect(interface.setting.endpoints.map(\.address) == [0x01, 0x81, 0x82, 0x83])
    #expect(interface.setting.interfaceClass == 0xff)
  }

  @Test func readsAndWritesByControlRequests() async throws {
    try await device.controlWrite(
      Instrument.writeRegister(3), [1, 2, 3, 4], until: USBBench.deadline)
    let whole = try await device.controlRead(
      Instrument.readRegister(3), count: 4, until: USBBench.deadline)
    #expect(whole == [1, 2, 3, 4])
    // The device ends the answer early, or the host asks for less.
    let shorter = try await device.controlRead(
      Instrument.readRegister(3), count: 64, until: USBBench.deadline)
    #expect(shorter == [1, 2, 3, 4])
    let part = try await device.controlRead(
      Instrument.readRegister(3), count: 2, until: USBBench.deadline)
    #expect(part == [1, 2])
    let long = try await device.controlRead(
      Instrument.longAnswer, count: 3000, until: USBBench.deadline)
    #expect(long == (0..<3000).map { UInt8(truncatingIfNeeded: $0 * 7) })
    try await device.controlWrite(
      Instrument.longOrder, [UInt8](repeating: 3, count: 1000), until: USBBench.deadline)
    let sum = try await device.controlRead(
      Instrument.readRegister(15), count: 4, until: USBBench.deadline)
    #expect(sum == [0xb8, 0x0b, 0, 0])
  }

  @Test func namesARefusedRequestAndGoesOn() async throws {
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await device.controlRead(Instrument.unknown, count: 4, until: USBBench.deadline)
    }
    #expect(failure?.code == .stall)
    #expect(failure?.message.hasPrefix("device 1209:0001 'Virtual instrument'") == true)
    #expect(failure?.message.contains("control request c0/55") == true)
    _ = try await device.controlRead(
      Instrument.readRegister(0), count: 4, until: USBBench.deadline)
  }

  @Test(arguments: [1, 63, 511, 512, 513, 1024, 5000, 40_000])
  func getsBackWhatItSentInBulk(count: Int) async throws {
    let interface = try device.claim(interface: 0)
    let sent = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + $0 / 256) }
    try await interface.write(0x01, sent, until: USBBench.deadline)
    // A whole number of packets; the last, short one ends the transfer.
    let received = try await interface.read(
      0x81, count: (count + 511) / 512 * 512, until: USBBench.deadline)
    #expect(received == sent)
  }

  @Test func reusesABuffer() async throws {
    let interface = try device.claim(interface: 0)
    let transfer = USBTransfer(capacity: 512)
    for round in 0..<50 as Range<UInt8> {
      transfer.fill([UInt8](repeating: round, count: 100))
      try await interface.write(0x01, from: transfer, count: 100, until: USBBench.deadline)
      let count = try await interface.read(0x81, into: transfer, until: USBBench.deadline)
      #expect(transfer.bytes(count) == [UInt8](repeating: round, count: 100))
    }
  }

  @Test func movesEmptyPackets() async throws {
    let interface = try device.claim(interface: 0)
    try await interface.write(0x01, [], until: USBBench.deadline)
    #expect(try await interface.read(0x81, count: 512, until: USBBench.deadline) == [])
    // A full packet and an empty one, which ends the read of two.
    let packet = [UInt8](repeating: 9, count: 512)
    try await interface.write(0x01, packet, endsWithEmptyPacket: true, until: USBBench.deadline)
    #expect(try await interface.read(0x81, count: 1024, until: USBBench.deadline) == packet)
  }

  @Test func readsEvents() async throws {
    let interface = try device.claim(interface: 0)
    let endpoint = try interface.endpoint(.interrupt, isIn: true)
    #expect(endpoint.address == 0x83)
    try await device.controlWrite(
      Instrument.events(everyMilliseconds: 5), until: USBBench.deadline)
    var numbers: [UInt8] = []
    for _ in 0..<5 {
      let event = try await interface.read(0x83, count: 8, until: USBBench.deadline)
      #expect(event.count == 8)
      numbers.append(event[0])
    }
    #expect(numbers == [0, 1, 2, 3, 4])
  }

  @Test func revivesAHaltedEndpoint() async throws {
    let interface = try device.claim(interface: 0)
    try await device.controlWrite(Instrument.halt(0x81), until: USBBench.deadline)
    for _ in 0..<2 {
      let failure = await #expect(throws: USBFailure.self) {
        _ = try await interface.read(0x81, count: 512, until: USBBench.deadline)
      }
      #expect(failure?.code == .stall)
    }
    try interface.clearHalt(0x81)
    try await interface.write(0x01, [1, 2, 3], until: USBBench.deadline)
    #expect(try await interface.read(0x81, count: 512, until: USBBench.deadline) == [1, 2, 3])
  }

  @Test func namesAnAnswerThatIsTooLong() async throws {
    let interface = try device.claim(interface: 0)
    try await interface.write(0x01, [UInt8](repeating: 1, count: 300), until: USBBench.deadline)
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await interface.read(0x81, count: 64, until: USBBench.deadline)
    }
    #expect(failure?.code == .overflow)
  }

  @Test func namesWhatIsNotThere() async throws {
    let missing = #expect(throws: USBFailure.self) { _ = try device.claim(interface: 7) }
    #expect(missing?.code == .notFound)
    let interface = try device.claim(interface: 0)
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await interface.read(0x8f, count: 8, until: USBBench.deadline)
    }
    #expect(failure?.message.hasSuffix("no bulk or interrupt endpoint 0x8f") == true)
    let setting = #expect(throws: USBFailure.self) { try interface.setAlternate(3) }
    #expect(setting?.code == .notFound)
  }

  @Test func tellsThatAnotherHasTheInterface() throws {
    let first = try device.claim(interface: 0)
    let other = try USBContext().open(gadget.info)
    let failure = #expect(throws: USBFailure.self) { _ = try other.claim(interface: 0) }
    #expect(failure?.code == .busy)
    first.release()
    _ = try other.claim(interface: 0)
  }

  @Test func refusesTransfersOnceClosed() async throws {
    let interface = try device.claim(interface: 0)
    device.close()
    device.close()
    interface.release()
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await device.controlRead(
        Instrument.readRegister(0), count: 4, until: USBBench.deadline)
    }
    #expect(failure?.code == .cancelled)
    #expect(failure?.message.hasSuffix("closed meanwhile: cancelled") == true)
  }

  @Test func namesTheMissingPermission() throws {
    let context = try USBContext()
    try #require(setgroups(0, nil) == 0 && setegid(65_534) == 0 && seteuid(65_534) == 0)
    defer {
      seteuid(0)
      setegid(0)
    }
    let failure = #expect(throws: USBFailure.self) { _ = try context.open(gadget.info) }
    #expect(failure?.code == .permission)
    #expect(failure?.kind == .configuration)
    #expect(failure?.hint.contains("kelvin bench udev --install") == true)
    // The list needs none.
    #expect(USBDeviceInfo.at(bus: gadget.info.busNumber, portPath: gadget.info.portPath) != nil)
  }
}

@Suite(
  .serialized, .enabled(if: USBBench.isThere, "needs the bench host"), .timeLimit(.minutes(2)))
struct USBBrokenDeviceOnBenchHost {
  /// A descriptor that is cut short, one that claims more than there is, and a total that does.
  @Test(arguments: ["endpoint", "tail", "total"])
  func usesWhatIsRightInBrokenDescriptors(kind: String) async throws {
    let gadget = try USBGadget("vendor", "--broken", kind)
    let descriptors = try #require(gadget.info.descriptors())
    #expect(!descriptors.problems.isEmpty)
    let interface = try USBContext().open(gadget.info).claim(interface: 0)
    #expect(interface.setting.endpoints.map(\.address) == [0x01, 0x81, 0x82, 0x83])
    try await interface.write(0x01, [1, 2, 3], until: USBBench.deadline)
    #expect(try await interface.read(0x81, count: 512, until: USBBench.deadline) == [1, 2, 3])
  }

  @Test func readsADeviceWithoutASerialNumberAtFullSpeed() async throws {
    let gadget = try USBGadget("vendor", "--speed", "full", serial: "")
    #expect(gadget.info.serialNumber == nil)
    #expect(gadget.info.speed == .full)
    let interface = try USBContext().open(gadget.info).claim(interface: 0)
    #expect(interface.setting.endpoints.map(\.maxPacketSize) == [64, 64, 64, 8])
    let sent = [UInt8](repeating: 7, count: 200)
    try await interface.write(0x01, sent, until: USBBench.deadline)
    #expect(try await interface.read(0x81, count: 256, until: USBBench.deadline) == sent)
  }
}
