import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// A PPK2 on a pseudo terminal, driven as a true one.
@Suite(.timeLimit(.minutes(3)))
struct PPK2MeterTests {
  static func open(
    _ device: SimulatedPPK2, _ more: [String: Value] = [:]
  ) async throws -> any Meter {
    var options: [String: Value] = [
      "path": .text(device.path), "mode": .text("source"), "voltage": .text("3.3 V"),
      "settle": .number(0.02)
    ]
    options.merge(more) { $1 }
    return try await PPK2Driver().open(
      name: "ppk2", options: options, through: LocalConnection(), until: soon)
  }

  /// Waits until the simulator has seen it.
  static func wait(_ what: String, _ isSo: () -> Bool) throws {
    let deadline = Deadline.after(seconds: 10)
    while !isSo() {
      try #require(!deadline.hasPassed, "\(what)")
      usleep(5000)
    }
  }

  @Test func measuresABoardThatItSupplies() async throws {
    let unit = PPK2Unit(seed: 4)
    let device = try SimulatedPPK2(unit)
    let meter = try await Self.open(device, ["inputs": .list([.text("D0"), .text("D7")])])
    #expect(meter.channels.map(\.name) == ["current", "D0", "D7", "voltage"])
    #expect(meter.identity.verified == "simulator only" && meter.rate == 100_000)
    // Opening it changes nothing.
    #expect(!device.record.isConnected && device.record.mode == 0 && device.record.millivolts == 0)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(device.record.isConnected && device.record.mode == 2)
    #expect(device.record.millivolts == 3300)
    #expect(sink.wait(for: 250_000))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.events)")
    let codes = sink.codes(0)
    #expect(summary.samples[0] == Int64(codes.count) && summary.samples.count == 4)
    // All that was sent until it was told to stop.
    #expect(Int64(codes.count) <= device.record.samples)
    let wave = PPK2Waveform(unit, volts: 3.3)
    // Where Nordic's filter has nothing to say: long after a change of range.
    for sample in stride(from: 0, to: 250_000, by: 10_000) where sample % 100_000 != 90_000 {
      let place = sample + 1000
      let truth = wave.truth[place % PPK2Waveform.period]
      let mean = codes[place - 200..<place + 300].reduce(0.0) { $0 + Double($1) } * 1e-8 / 500
      let others = wave.mean(from: Int64(place - 200), to: Int64(place + 299))
      #expect(abs(mean / others - 1) < 2e-3, "\(sample): \(mean), \(truth)")
    }
    // Of levels the ends are given: each sample in between has the level of the one before it.
    let times = sink.times()
    let lines = [1, 2].map { (times: sink.times($0), codes: sink.codes($0)) }
    func level(_ line: Int, at sample: Int) -> Int64? {
      lines[line - 1].times.lastIndex { $0 <= times[sample] }.map { lines[line - 1].codes[$0] }
    }
    #expect(level(1, at: 1000) == 1 && level(1, at: 1999) == 1 && level(1, at: 2000) == 0)
    #expect(level(1, at: 5000) == 0 && level(2, at: 5000) == 0 && level(2, at: 60_000) == 1)
    #expect(lines[0].codes.count < 10_000)
    #expect(Set(sink.codes(3)) == [3300])
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 10_000 })
    #expect(abs(summary.clock.skew) < 5e-4 && summary.clock.count > 10)
    #expect(sink.events.contains { $0.kind == .rangeSwitch })
    // The board stays as it is between two measurements, and is off at the end.
    #expect(device.record.isConnected)
    await meter.close()
    try Self.wait("switched off") { !device.record.isConnected }
    #expect(device.record.unknown == [])
  }

  @Test func losesNothingUnseen() async throws {
    for (event, lost) in [
      // With the two at its ends, of which nobody knows whether they are whole.
      (PPK2Faults.Event.byte(0), 1...16), (.byte(1), 1...16), (.byte(2), 1...16),
      (.byte(3), 1...16),
      (.samples(1), 3...3), (.samples(62), 64...64), (.samples(65), 3...3)
    ] {
      var faults = PPK2Faults()
      faults.events[40_000] = event
      let device = try SimulatedPPK2(faults: faults)
      let meter = try await Self.open(device)
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(sink.wait(for: 60_000))
      let summary = await meter.stop(until: soon)
      await meter.close()
      #expect(summary.failure == nil)
      let gaps = sink.events.filter { $0.kind == .gap }
      #expect(gaps.count == 1 && lost.contains(Int(summary.lost)), "\(event): \(gaps)")
      #expect(gaps.first?.count == summary.lost)
      let begin = sink.times()[0]
      #expect(abs((gaps.first?.from ?? 0) - begin - 400_000_000) < 1_000_000, "\(event)")
      device.stop()
    }
  }

  /// What the counter cannot show, the clock does.
  @Test func theClockTellsOfLosesOf64() async throws {
    for count in [64, 640] {
      var faults = PPK2Faults()
      faults.events[200_000] = .samples(count)
      faults.skew = 20e-6
      let device = try SimulatedPPK2(faults: faults)
      let meter = try await Self.open(device)
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(sink.wait(for: 500_000))
      let summary = await meter.stop(until: soon)
      await meter.close()
      let gaps = sink.events.filter { $0.kind == .gap }
      #expect(summary.lost == Int64(count) && gaps.count == 1, "\(count): \(sink.events)")
      #expect(gaps.first?.note.contains("by the clock") == true)
      device.stop()
    }
  }

  @Test func whatAPredecessorLeftIsPassedOver() async throws {
    var faults = PPK2Faults()
    faults.stale = 17_412
    faults.pieces = 61
    let device = try SimulatedPPK2(faults: faults)
    let meter = try await Self.open(device)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 20_000))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0 && sink.codes(0).count >= 20_000)
    await meter.close()
  }

  @Test func unpluggedItKeepsWhatCame() async throws {
    var faults = PPK2Faults()
    faults.events[50_000] = .unplug
    let device = try SimulatedPPK2(faults: faults)
    let meter = try await Self.open(device)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try Self.wait("the end") { sink.codes(0).count > 48_000 }
    usleep(200_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .gone)
    #expect(summary.failure?.message.contains("ppk2: \(device.path)") == true)
    let codes = sink.codes(0)
    // What stood in the line when it went is gone with it.
    #expect(codes.count > 48_000 && codes.count <= 50_000)
    #expect(summary.samples[0] == Int64(codes.count))
    await meter.close()
  }

  @Test func silenceInTheMiddleIsAFailure() async throws {
    var faults = PPK2Faults()
    faults.events[30_000] = .stall
    let device = try SimulatedPPK2(faults: faults)
    let meter = try await Self.open(device)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try Self.wait("the samples") { sink.codes(0).count > 29_000 }
    usleep(1_500_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .timedOut)
    // The last ones, too, which were held back.
    #expect(sink.codes(0).count == 30_000)
    await meter.close()
  }

  @Test func whatIsNoPPK2IsToldSo() async throws {
    for (metadata, code) in [
      (PPK2Faults.Metadata.foreign, MeterFailure.Code.malfunction), (.silent, .timedOut),
      (.endless, .malfunction)
    ] {
      var faults = PPK2Faults()
      faults.metadata = metadata
      let device = try SimulatedPPK2(faults: faults)
      let failure = await meterFailure { _ = try await Self.open(device) }
      #expect(failure?.code == code, "\(metadata): \(String(describing: failure))")
      #expect(failure?.message.contains(device.path) == true)
      #expect(!device.record.isConnected)
      device.stop()
    }
  }

  @Test func oneThatNeverStopsIsTold() async throws {
    var faults = PPK2Faults()
    faults.isDeaf = true
    let device = try SimulatedPPK2(faults: faults)
    let first = try await Self.open(device)
    let sink = CollectingSink()
    try await first.start(into: sink, until: soon)
    let summary = await first.stop(until: soon)
    #expect(summary.failure == nil)
    await first.close()
    let failure = await meterFailure { _ = try await Self.open(device) }
    #expect(failure?.code == .busy || failure?.code == .malfunction)
    device.stop()
  }

  @Test func valuesThatAreMissingAreAsInTheApplication() async throws {
    for metadata in [PPK2Faults.Metadata.notANumber, .missing, .uncalibrated] {
      var faults = PPK2Faults()
      faults.metadata = metadata
      let device = try SimulatedPPK2(faults: faults)
      let meter = try await Self.open(device)
      let status = try await meter.status(until: soon)
      #expect(status.contains { $0.name == "board" && $0.value == "not connected" })
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(sink.wait(for: 5000))
      #expect(await meter.stop(until: soon).failure == nil)
      await meter.close()
      device.stop()
    }
  }

  @Test func oneProgramAtATime() async throws {
    let device = try SimulatedPPK2()
    let meter = try await Self.open(device)
    let failure = await meterFailure { _ = try await Self.open(device) }
    #expect(failure?.code == .busy)
    await meter.close()
  }

  @Test func aPortThatIsNotThereIsNamed() async throws {
    let failure = await meterFailure {
      _ = try await PPK2Driver().open(
        name: "ppk2", options: ["path": .text("/dev/ttyNone")], through: LocalConnection(),
        until: soon)
    }
    #expect(failure?.code == .notFound && failure?.message.contains("/dev/ttyNone") == true)
    let file = await meterFailure {
      _ = try await PPK2Driver().open(
        name: "ppk2", options: ["path": .text("/dev/null")], through: LocalConnection(),
        until: soon)
    }
    #expect(file?.code == .malfunction)
    let none = await meterFailure {
      _ = try await PPK2Driver().open(
        name: "ppk2", options: [:], through: LocalConnection(), until: soon)
    }
    #expect(none?.code == .notFound || none?.code == .unsupported)
    let both = await meterFailure {
      _ = try await PPK2Driver().open(
        name: "ppk2",
        options: ["path": .text("/dev/null"), "match": .map(["ID_SERIAL_SHORT": .text("1")])],
        through: LocalConnection(), until: soon)
    }
    #expect(both?.code == .invalid)
  }

  @Test func supplyIsSetWithinLimitsOnly() async throws {
    let device = try SimulatedPPK2()
    let meter = try await Self.open(device, ["max-voltage": .number(3.6)])
    for value in ["4 V", "0.5 V", "lots"] {
      let failure = await meterFailure {
        try await meter.set([MeterSetting("voltage", .text(value))], until: soon)
      }
      #expect(failure?.code == .invalid)
    }
    let unknown = await meterFailure {
      try await meter.set([MeterSetting("current", .number(1))], until: soon)
    }
    #expect(unknown?.code == .invalid && device.record.millivolts == 0)
    try await meter.set(
      [MeterSetting("voltage", .text("3 V")), MeterSetting("output", .boolean(true))], until: soon)
    try Self.wait("3 V") { device.record.millivolts == 3000 && device.record.isConnected }
    try await meter.set([MeterSetting("output", .boolean(false))], until: soon)
    try Self.wait("off") { !device.record.isConnected }
    await meter.close()
  }

  /// As `kill -9` of whoever had it: the device itself disconnects the board.
  @Test func theBoardIsOffWhenThePortCloses() async throws {
    let device = try SimulatedPPK2()
    let port = try PPK2Port(name: "ppk2", path: device.path, match: nil, until: soon)
    try port.send(.output(true), until: soon)
    try Self.wait("on") { device.record.isConnected }
    _ = consume port
    try Self.wait("off") { !device.record.isConnected }
  }
}
