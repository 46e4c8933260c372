import Foundation
import KelvinDevices
import KelvinModel
import Testing

/// The same behavior through FunctionFS, which every Debian kernel has; there the kernel chooses the
/// endpoints' addresses, so they are taken from the descriptors.
@Suite(
  .serialized, .enabled(if: USBBench.isThere, "needs the bench host"), .timeLimit(.minutes(2)))
final class USBFunctionFSOnBenchHost {
  static let name = "kelvin-ffs"
  static let mount = "/tmp/kelvin-ffs"
  let emulator = Process()
  let info: USBDeviceInfo

  init() throws {
    // One that a failed test left behind.
    try USBBench.shell("umount \(Self.mount) 2>/dev/null || :; gadget_remove \(Self.name)")
    try USBBench.shell("gadget_functionfs \(Self.name) F1 0x1209 0x0001 \(Self.mount)")
    emulator.executableURL = URL(fileURLWithPath: "\(USBBench.programs ?? "")/ffs-gadget")
    emulator.arguments = [
      "vendor", "--gadget", "/sys/kernel/config/usb_gadget/\(Self.name)", "--mount", Self.mount,
      "--udc", "dummy_udc.0"
    ]
    try #require(USBBench.wait { USBBench.device(at: 0) == nil ? true : nil } != nil)
    try emulator.run()
    guard let info = USBBench.wait(for: { USBBench.device(at: 0) }) else {
      kill(emulator.processIdentifier, SIGKILL)
      throw PlainFailure(.infrastructure, "the emulated device did not appear")
    }
    self.info = info
  }

  deinit {
    if emulator.isRunning {
      kill(emulator.processIdentifier, SIGKILL)
      emulator.waitUntilExit()
    }
    try? USBBench.shell("umount \(Self.mount); gadget_remove \(Self.name)")
  }

  @Test func movesDataAndRefusesWhatItDoesNotKnow() async throws {
    #expect(info.serialNumber == "F1")
    let interface = try USBContext().open(info).claim(interface: 0)
    let output = try interface.endpoint(.bulk, isIn: false).address
    let input = try interface.endpoint(.bulk, isIn: true).address
    let sent = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
    try await interface.write(output, sent, until: USBBench.deadline)
    #expect(try await interface.read(input, count: 5120, until: USBBench.deadline) == sent)
    let device = interface.device
    try await device.controlWrite(
      Instrument.writeRegister(2), [9, 8, 7, 6], until: USBBench.deadline)
    let value = try await device.controlRead(
      Instrument.readRegister(2), count: 4, until: USBBench.deadline)
    #expect(value == [9, 8, 7, 6])
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await device.controlRead(Instrument.unknown, count: 4, until: USBBench.deadline)
    }
    #expect(failure?.code == .stall)
  }

  enum Way: CaseIterable { case emulatorKilled, controllerEmptied }

  @Test(arguments: Way.allCases)
  func tellsThatItWasUnplugged(way: Way) async throws {
    let interface = try USBContext().open(info).claim(interface: 0)
    let input = try interface.endpoint(.bulk, isIn: true).address
    let reading = Task {
      let failure = await #expect(throws: USBFailure.self) {
        _ = try await interface.read(input, count: 512, until: USBBench.deadline)
      }
      return (failure, MonotonicTime.now)
    }
    // So that it is mostly under way; it ends the same when it is not.
    try await Task.sleep(for: .milliseconds(50))
    switch way {
    case .emulatorKilled: kill(emulator.processIdentifier, SIGKILL)
    case .controllerEmptied: try USBBench.shell("gadget_unplug \(Self.name)")
    }
    let end = MonotonicTime.now
    let (failure, time) = await reading.value
    #expect(failure?.code == .disconnected)
    #expect(time - end < 1_000_000_000)
  }
}
