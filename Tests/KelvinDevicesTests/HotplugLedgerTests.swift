import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinDevices

@Suite struct HotplugLedgerTests {
  static let device = DeviceMatcherTests.usb("1-1", serial: "A1")
  /// As the kernel's remove event has it: only the path is left.
  static let bare = HostDevice(
    syspath: device.syspath, subsystem: "usb", type: "usb_device",
    properties: ["ID_PATH": "pci-0000:00:14.0-usb-0:1"])

  @Test func aVanishedAndReturnedDeviceIsTheSame() throws {
    var ledger = HotplugLedger([Self.device])
    let gone = try #require(ledger.event(for: "remove", Self.bare))
    #expect(gone.action == .vanished)
    #expect(gone.device.serialNumber == "A1")
    ledger.apply(gone)
    let elsewhere = DeviceMatcherTests.usb("1-4", serial: "A1")
    let back = try #require(ledger.event(for: "add", elsewhere))
    #expect(back.action == .returned)
    #expect(back.identity == gone.identity)
    #expect(back.device.syspath == elsewhere.syspath)
    ledger.apply(back)
    #expect(ledger.event(for: "add", elsewhere) == nil)
  }

  @Test func anotherOneIsNew() {
    let ledger = HotplugLedger([Self.device])
    let other = ledger.event(for: "add", DeviceMatcherTests.usb("1-2", serial: "B2"))
    #expect(other?.action == .appeared)
  }

  @Test func unbindKeepsWhatIsKnown() {
    let ledger = HotplugLedger([Self.device])
    #expect(ledger.event(for: "unbind", Self.bare)?.device == Self.device)
    #expect(HotplugLedger([]).event(for: "unbind", Self.bare) == nil)
    #expect(HotplugLedger([]).event(for: "remove", Self.bare) == nil)
  }

  @Test func rescanTellsTheDifferenceOnly() {
    let stays = DeviceMatcherTests.usb("1-2", serial: "B2")
    let comes = DeviceMatcherTests.usb("1-3", serial: "C3")
    var ledger = HotplugLedger([Self.device, stays])
    let events = ledger.events(leadingTo: [stays, comes])
    #expect(events.map(\.action) == [.vanished, .appeared])
    #expect(events.map(\.device.name) == ["1-1", "1-3"])
    #expect(!events.contains { !$0.isFromRescan })
    for event in events { ledger.apply(event) }
    #expect(ledger.events(leadingTo: [stays, comes]).isEmpty)
  }

  @Test func rescanSeesAnotherDeviceOnTheSamePath() {
    let other = DeviceMatcherTests.usb("1-1", serial: "Z9")
    let events = HotplugLedger([Self.device]).events(leadingTo: [other])
    #expect(events.map(\.action) == [.vanished, .appeared])
    #expect(events.map(\.device.serialNumber) == ["A1", "Z9"])
  }

  @Test func remembersOnlySoMany() throws {
    var ledger = HotplugLedger([])
    for number in 0...HotplugLedger.memory {
      let device = DeviceMatcherTests.usb("1-1", serial: "\(number)")
      for action in ["add", "remove"] {
        ledger.apply(try #require(ledger.event(for: action, device)))
      }
    }
    let actions = [0, 1].map { [ledger] in
      ledger.event(for: "add", DeviceMatcherTests.usb("1-1", serial: "\($0)"))?.action
    }
    #expect(actions == [.appeared, .returned])
  }
}

@Suite struct HotplugQueueTests {
  static func event(_ number: Int) -> HotplugEvent {
    let device = DeviceMatcherTests.usb("1-\(number)", serial: "\(number)")
    return HotplugEvent(.appeared, device, identity: DeviceIdentity(device))
  }

  @Test(.timeLimit(.minutes(1)))
  func overflowIsCountedAndAsksForARescanWhenTheListenerIsThrough() async {
    let queue = HotplugQueue(capacity: 2)
    #expect([1, 2, 3, 4].map { queue.offer(Self.event($0)) } == [true, true, false, false])
    #expect(queue.lost == 2)
    // The listener has not caught up.
    #expect(!queue.beginCatchingUp())
    #expect(await queue.next()?.device.name == "1-1")
    #expect(!queue.beginCatchingUp())
    #expect(await queue.next()?.device.name == "1-2")
    #expect(isReadable(queue.drained))
    #expect(queue.beginCatchingUp())
    #expect(!isReadable(queue.drained))
    #expect(queue.offer(Self.event(5)))
    #expect(await queue.next()?.device.name == "1-5")
  }

  @Test(.timeLimit(.minutes(1)))
  func endsForWhoWaitsAndForWhoComesLater() async {
    let queue = HotplugQueue(capacity: 2)
    async let waiting = queue.next()
    _ = queue.offer(Self.event(1))
    #expect(await waiting != nil)
    _ = queue.offer(Self.event(2))
    queue.end()
    #expect(await queue.next()?.device.name == "1-2")
    #expect(await queue.next() == nil)
    #expect(!queue.offer(Self.event(3)))
  }

  @Test(.timeLimit(.minutes(1)))
  func cancellationEndsTheWait() async {
    let queue = HotplugQueue(capacity: 2)
    let task = Task { await queue.next() }
    task.cancel()
    #expect(await task.value == nil)
  }
}

private func isReadable(_ descriptor: Int32) -> Bool {
  Deadline.after(seconds: 0).wait(for: descriptor) == .ready
}
