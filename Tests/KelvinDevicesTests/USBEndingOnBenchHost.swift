import Foundation
import KelvinDevices
import KelvinModel
import Testing

/// Each way in which a transfer of each kind ends before it is done.
@Suite(
  .serialized, .enabled(if: USBBench.isThere, "needs the bench host"), .timeLimit(.minutes(2)))
struct USBEndingOnBenchHost {
  enum Kind: CaseIterable { case controlIn, controlOut, bulkIn, bulkOut, interruptIn }

  let gadget: USBGadget
  let device: USBDevice
  let interface: USBInterface

  init() throws {
    gadget = try USBGadget("vendor")
    device = try USBContext().open(gadget.info)
    interface = try device.claim(interface: 0)
  }

  /// A transfer that the device lets wait; for those that it would serve at once, it is frozen.
  private func pend(_ kind: Kind, until deadline: Deadline) async throws {
    switch kind {
    case .controlIn:
      _ = try await device.controlRead(Instrument.readRegister(0), count: 4, until: deadline)
    case .controlOut: try await device.controlWrite(Instrument.longOrder, [1], until: deadline)
    case .bulkIn: _ = try await interface.read(0x81, count: 512, until: deadline)
    case .bulkOut:
      try await interface.write(0x01, [UInt8](repeating: 1, count: 100_000), until: deadline)
    case .interruptIn: _ = try await interface.read(0x83, count: 8, until: deadline)
    }
  }

  /// Seconds from `act`, done while the transfer waits, to the transfer's end; and how it ended.
  private func end(
    _ kind: Kind, until deadline: Deadline = USBBench.deadline, by act: @Sendable () -> Void
  ) async throws -> (seconds: Double, failure: USBFailure?) {
    gadget.freeze()
    let task = Task { () throws -> (MonotonicTime, USBFailure?) in
      do {
        try await pend(kind, until: deadline)
        return (.now, nil)
      } catch let failure as USBFailure { return (.now, failure) }
    }
    // That it is submitted cannot be seen from here; either order must end the same way.
    try await Task.sleep(for: .milliseconds(50))
    let start = MonotonicTime.now
    act()
    let (time, failure) = try await task.value
    return (Double(time - start) / 1e9, failure)
  }

  @Test(arguments: Kind.allCases)
  func endsWithItsDeadline(kind: Kind) async throws {
    gadget.freeze()
    let start = MonotonicTime.now
    let failure = await #expect(throws: USBFailure.self) {
      try await pend(kind, until: .after(seconds: 0.1))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.kind == .timeout)
    let seconds = Double(MonotonicTime.now - start) / 1e9
    #expect(seconds >= 0.1 && seconds < 2)
  }

  @Test(arguments: Kind.allCases)
  func endsWithTheInterrupt(kind: Kind) async throws {
    let interrupt = Interrupt()
    let (seconds, failure) = try await end(
      kind, until: .after(seconds: 10, interrupt: interrupt)
    ) { interrupt.raise() }
    #expect(failure?.code == .cancelled)
    #expect(seconds < 1)
    // And nothing begins any more.
    let start = MonotonicTime.now
    let refused = await #expect(throws: USBFailure.self) {
      try await pend(kind, until: .after(seconds: 10, interrupt: interrupt))
    }
    #expect(refused?.code == .cancelled)
    #expect(MonotonicTime.now - start < 1_000_000_000)
  }

  @Test(arguments: Kind.allCases)
  func endsWithItsTask(kind: Kind) async throws {
    gadget.freeze()
    let task = Task { try await pend(kind, until: USBBench.deadline) }
    try await Task.sleep(for: .milliseconds(50))
    let start = MonotonicTime.now
    task.cancel()
    let result = await task.result
    #expect((#expect(throws: USBFailure.self) { try result.get() })?.code == .cancelled)
    #expect(MonotonicTime.now - start < 1_000_000_000)
  }

  @Test(arguments: Kind.allCases)
  func endsWhenTheDeviceIsClosed(kind: Kind) async throws {
    let (seconds, failure) = try await end(kind) { device.close() }
    #expect(failure?.code == .cancelled)
    #expect(seconds < 1)
  }

  @Test(arguments: Kind.allCases)
  func tellsThatTheDeviceWasUnplugged(kind: Kind) async throws {
    let (seconds, failure) = try await end(kind) { gadget.unplug() }
    #expect(failure?.code == .disconnected, "\(String(describing: failure))")
    print("unplugged during \(kind): told after \(Int(seconds * 1000)) ms")
    #expect(seconds < 1)
    // So do all later calls, and none hangs.
    for kind in Kind.allCases {
      let later = await #expect(throws: USBFailure.self) {
        try await pend(kind, until: USBBench.deadline)
      }
      #expect(later?.code == .disconnected, "\(String(describing: later))")
    }
    #expect(device.isGone)
    #expect(
      (#expect(throws: USBFailure.self) { try interface.clearHalt(0x81) })?.code == .disconnected)
    interface.release()
    device.close()
    _ = USBBench.wait { USBBench.device(at: 0) == nil ? true : nil }
    let reopened = #expect(throws: USBFailure.self) { _ = try USBContext().open(gadget.info) }
    #expect(reopened?.code == .notFound)
  }

  @Test func keepsWhatHadComeBeforeTheDeadline() async throws {
    let packet = [UInt8](repeating: 5, count: 512)
    try await interface.write(0x01, packet, until: USBBench.deadline)
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await interface.read(0x81, count: 2048, until: .after(seconds: 0.3))
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.transferred == 512)
    #expect(failure?.partial == packet)
  }

  @Test func takesALateAnswerForNone() async throws {
    let failure = await #expect(throws: USBFailure.self) {
      _ = try await device.controlRead(
        Instrument.answerLate(milliseconds: 400), count: 4, until: .after(seconds: 0.1))
    }
    #expect(failure?.code == .timedOut)
    // The emulator refuses what comes while it still thinks about the last; then the answer is the
    // next request's.
    let deadline = USBBench.deadline
    var answer: [UInt8] = []
    while answer.isEmpty, !deadline.hasPassed {
      do {
        answer = try await device.controlRead(
          Instrument.answerLate(milliseconds: 1), count: 4, until: deadline)
      } catch { #expect(error.code == .stall) }
    }
    #expect(answer == [1, 0, 0, 0])
  }

  @Test func knowsADeviceThatCameBackForAnother() throws {
    let old = gadget.info
    gadget.unplug()
    let new = try USBGadget("vendor")
    #expect(new.info.name == old.name)
    #expect(new.info.deviceNumber != old.deviceNumber)
    let context = try USBContext()
    #expect((#expect(throws: USBFailure.self) { _ = try context.open(old) })?.code == .notFound)
    _ = try context.open(bus: old.busNumber, portPath: old.portPath)
  }

  @Test func tellsTwoDevicesWithOneSerialNumberApart() async throws {
    let twin = try USBGadget("vendor", controller: 1)
    #expect(twin.info.serialNumber == gadget.info.serialNumber)
    #expect(twin.info.syspath != gadget.info.syspath)
    let other = try device.context.open(twin.info)
    for (device, number) in [(device, 1), (other, 2)] as [(USBDevice, UInt8)] {
      try await device.controlWrite(
        Instrument.writeRegister(0), [number, 0, 0, 0], until: USBBench.deadline)
    }
    for (device, number) in [(device, 1), (other, 2)] as [(USBDevice, UInt8)] {
      let value = try await device.controlRead(
        Instrument.readRegister(0), count: 4, until: USBBench.deadline)
      #expect(value[0] == number)
    }
    // One goes, the other stays.
    twin.unplug()
    _ = try await device.controlRead(
      Instrument.readRegister(0), count: 4, until: USBBench.deadline)
  }
}
