import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// An Energy Probe on a pseudo terminal, driven as a true one.
@Suite(.timeLimit(.minutes(3)))
struct EnergyProbeMeterTests {
  /// All that it can send, of all channels, over the shunts of the simulated board.
  static let everything: Value = .map(
    Dictionary(
      uniqueKeysWithValues: [0.02, 0.05, 0.1].enumerated().map { number, shunt in
        (
          "\(number)",
          .map([
            "shunt": .number(shunt), "site": .text("rail\(number)"),
            "fields": .list(EnergyProbeField.allCases.map { .text($0.rawValue) })
          ])
        )
      }))

  static func open(
    _ device: SimulatedEnergyProbe, _ channels: Value = everything
  ) async throws -> any Meter {
    try await EnergyProbeDriver().open(
      name: "probe", options: ["path": .text(device.path), "channels": channels],
      through: LocalConnection(), until: soon)
  }

  static func wait(_ what: String, _ isSo: () -> Bool) throws {
    let deadline = Deadline.after(seconds: 10)
    while !isSo() {
      try #require(!deadline.hasPassed, "\(what)")
      usleep(5000)
    }
  }

  /// Codes that are not what was sent at the time that they claim, of all nine channels.
  static func madeUp(
    _ sink: CollectingSink, _ wave: EnergyProbeWaveform, from first: Int64 = 0
  ) -> Int {
    let begin = sink.times().first ?? 0
    var wrong = 0
    for channel in 0..<9 {
      for (time, code) in zip(sink.times(channel), sink.codes(channel)) {
        let frame = first + (time - begin + 50_000) / 100_000
        if code != Int64(wave.code(channel / 3, channel % 3, at: frame)) { wrong += 1 }
      }
    }
    return wrong
  }

  @Test func measuresThreeRails() async throws {
    let wave = EnergyProbeWaveform(seed: 4)
    let device = try SimulatedEnergyProbe(wave)
    let meter = try await Self.open(device)
    #expect(
      meter.channels.map(\.name).prefix(4) == [
        "rail0.power", "rail0.voltage", "rail0.current", "rail1.power"
      ])
    #expect(meter.identity.verified == "simulator only" && meter.rate == 10_000)
    #expect(meter.identity.firmware == "protocol 20110803")
    // Opening it starts nothing.
    #expect(device.record.starts == 0 && device.record.masks == [0, 0, 0])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10_000))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0 && sink.events.isEmpty, "\(sink.events)")
    let count = sink.codes(0).count
    #expect(summary.samples == [Int64](repeating: Int64(count), count: 9))
    #expect(Int64(count) <= device.record.frames && device.record.masks == [7, 7, 7])
    #expect(Self.madeUp(sink, wave) == 0)
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 100_000 })
    #expect(abs(summary.clock.skew) < 5e-4 && summary.clock.count > 5)
    for rail in 0..<3 {
      func sum(_ value: (Int) -> Double) -> Double {
        (0..<10_000).reduce(0) { $0 + value($1) * 1e-4 }
      }
      let (power, voltage) = (sink.codes(3 * rail), sink.codes(3 * rail + 1))
      let (current, channels) = (sink.codes(3 * rail + 2), meter.channels)
      let direct = sum { channels[3 * rail].value(of: power[$0]) }
      let product = sum {
        channels[3 * rail + 1].value(of: voltage[$0])
          * channels[3 * rail + 2].value(of: current[$0])
      }
      let truth = wave.energy(rail, from: 0, to: 9_999)
      // Steps are rounded by a noise that means nothing: their error is that of 10,000 roundings.
      let step = channels[3 * rail].scale * 1e-4 * 10_000.0.squareRoot()
      #expect(abs(direct - truth) < 2 * step, "\(rail): \(direct), \(truth)")
      #expect(abs(product - truth) < 2 * step * Self.volts(rail), "\(rail): \(product), \(truth)")
    }
    try Self.wait("that it stops") { !device.record.isMeasuring }
    // Once more, and what is asked for only.
    try await meter.start(into: CollectingSink(), until: soon)
    let second = await meter.stop(until: soon)
    #expect(device.record.starts == 2 && second.failure == nil)
    let status = try await meter.status(until: soon)
    #expect(
      status.contains { $0.value.contains("rail0, shunt 20 mohm, up to 8.25 A") }, "\(status)")
    await meter.close()
    #expect(device.record.unknown == [])
  }

  private static func volts(_ rail: Int) -> Double { EnergyProbeWaveform.volts[rail] }

  @Test func sendsWhatIsAskedFor() async throws {
    let wave = EnergyProbeWaveform(seed: 2)
    let device = try SimulatedEnergyProbe(wave)
    let meter = try await Self.open(
      device,
      .map([
        "1": .map([
          "shunt": .number(0.05), "fields": .list([.text("current"), .text("voltage")])
        ]), "2": .map(["shunt": .number(0.1)])
      ]))
    #expect(
      meter.channels.map(\.name) == ["channel1.voltage", "channel1.current", "channel2.power"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 3000) && device.record.masks == [0, 6, 1])
    #expect(await meter.stop(until: soon).lost == 0)
    for (place, (channel, field)) in [(1, 1), (1, 2), (2, 0)].enumerated() {
      let truth = (0..<Int64(3000)).map { Int64(wave.code(channel, field, at: $0)) }
      #expect(Array(sink.codes(place).prefix(3000)) == truth)
    }
    await meter.close()
  }

  /// A byte at each place of a frame, some frames, strangers, a bit: one after the other.
  @Test func losesNothingUnseen() async throws {
    var faults = EnergyProbeFaults()
    faults.pieces = 333
    for place in 0..<20 { faults.events[2000 + Int64(place) * 500] = .byte(place) }
    // Far from where rail 2 climbs beside what could be a number.
    faults.events[12_100] = .frames(1)
    faults.events[12_600] = .frames(2)
    faults.events[13_100] = .noise(37)
    faults.events[13_600] = .flip(bit: 9)
    let wave = EnergyProbeWaveform(seed: 8)
    let device = try SimulatedEnergyProbe(wave, faults: faults)
    let meter = try await Self.open(device)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try Self.wait("all faults") {
      (sink.times().last ?? 0) - (sink.times().first ?? 0) > 1_450_000_000
    }
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && Self.madeUp(sink, wave) == 0)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(gaps.count == 24, "\(gaps)")
    #expect(gaps.allSatisfy { (1...16).contains($0.count ?? 0) }, "\(gaps)")
    #expect(gaps.reduce(0) { $0 + ($1.count ?? 0) } == summary.lost)
    // Where and how many: those at both ends are left out as well.
    let begin = sink.times().first ?? 0
    for (gap, frame) in zip(gaps, faults.events.keys.sorted()) {
      let first = (gap.from - begin) / 100_000
      #expect(first < frame && first >= frame - 4, "\(frame): \(gap)")
    }
    #expect(gaps[20].count == 3 && gaps[21].count == 4)
    #expect(summary.witnesses == ["frame number of 16 bits", "host clock against sample count"])
    let span = ((sink.times().last ?? 0) - begin) / 100_000 + 1
    #expect(Int64(sink.codes(0).count) + summary.lost == span)
  }

  /// What the numbers tell up to 65,535 frames, the clock tells of 65,536; and whoever says nothing any more is
  /// told from both.
  @Test func roundsOfNumbersAreTold() async throws {
    let wave = EnergyProbeWaveform(seed: 6)
    var running: [(SimulatedEnergyProbe, any Meter, CollectingSink)] = []
    for event in [EnergyProbeFaults.Event.frames(65_535), .frames(65_536), .stall] {
      var faults = EnergyProbeFaults()
      faults.skew = 30e-6
      faults.events[12_000] = event
      let device = try SimulatedEnergyProbe(wave, faults: faults)
      let meter = try await Self.open(
        device, .map(["0": .map(["shunt": .number(0.02)])]))
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      running.append((device, meter, sink))
    }
    for (place, lost) in [(0, 65_537), (1, 65_536)] {
      let (_, meter, sink) = running[place]
      #expect(sink.wait(for: 29_000))
      let summary = await meter.stop(until: soon)
      let gaps = sink.events.filter { $0.kind == .gap }
      #expect(summary.failure == nil && summary.lost == Int64(lost), "\(place): \(sink.events)")
      #expect(gaps.count == 1 && gaps.first?.note.contains("by the clock") == (place == 1))
      await meter.close()
    }
    let (_, meter, sink) = running[2]
    // It has been silent for nearly as long as it may be.
    _ = Deadline.after(seconds: 2).wait()
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .timedOut, "\(summary)")
    // But for the last one of all, which nothing confirms.
    #expect(sink.codes(0).count == 11_999 && summary.lost == 0)
    await meter.close()
  }

  @Test func whatAPredecessorLeftIsPassedOver() async throws {
    let wave = EnergyProbeWaveform()
    for isLeftRunning in [false, true] {
      var faults = EnergyProbeFaults()
      faults.isLeftRunning = isLeftRunning
      faults.stale = 5003
      faults.pieces = 61
      faults.jitter = 0.01
      faults.trailing = 3
      let device = try SimulatedEnergyProbe(wave, faults: faults)
      usleep(50_000)
      let meter = try await Self.open(device)
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(sink.wait(for: 4000))
      let summary = await meter.stop(until: soon)
      #expect(summary.failure == nil && summary.lost == 0, "\(summary) \(sink.events)")
      #expect(Self.madeUp(sink, wave) == 0)
      await meter.close()
      device.stop()
    }
  }

  @Test func unpluggedItKeepsWhatCame() async throws {
    var faults = EnergyProbeFaults()
    faults.events[5000] = .unplug
    let wave = EnergyProbeWaveform()
    let device = try SimulatedEnergyProbe(wave, faults: faults)
    let meter = try await Self.open(device)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try Self.wait("the end") { sink.codes(0).count > 4700 }
    usleep(100_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .gone)
    #expect(summary.failure?.message.contains("probe: \(device.path)") == true)
    let count = sink.codes(0).count
    #expect(count > 4700 && count < 5000 && summary.samples[0] == Int64(count))
    #expect(Self.madeUp(sink, wave) == 0)
    await meter.close()
  }

  /// No loss of 6 s is made of it.
  @Test func numbersThatGoBackEndIt() async throws {
    var faults = EnergyProbeFaults()
    faults.events[5000] = .restart
    let wave = EnergyProbeWaveform()
    let device = try SimulatedEnergyProbe(wave, faults: faults)
    let meter = try await Self.open(device, .map(["0": .map(["shunt": .number(0.02)])]))
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try Self.wait("the event") { !sink.events.isEmpty }
    usleep(50_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .malfunction && summary.lost == 0)
    #expect(sink.events.map(\.kind) == [.reset] && sink.codes(0).count == 4999)
    await meter.close()
  }

  @Test func whatIsNoEnergyProbeIsToldSo() async throws {
    for (answers, code) in [
      (EnergyProbeFaults.Answers.foreign, MeterFailure.Code.malfunction), (.silent, .timedOut),
      (.version, .unsupported), (.rate, .unsupported), (.endless, .malfunction),
      (.unacknowledged, .timedOut)
    ] {
      var faults = EnergyProbeFaults()
      faults.answers = answers
      let device = try SimulatedEnergyProbe(faults: faults)
      let failure = await meterFailure { _ = try await Self.open(device) }
      #expect(failure?.code == code, "\(answers): \(String(describing: failure))")
      #expect(failure?.message.hasPrefix("probe: ") == true && failure?.hint != "")
      #expect(device.record.starts == 0)
      device.stop()
    }
  }

  @Test func oneThatDoesNotStartOrStopIsTold() async throws {
    var faults = EnergyProbeFaults()
    faults.answers = .unstarted
    let device = try SimulatedEnergyProbe(faults: faults)
    let meter = try await Self.open(device)
    let failure = await meterFailure { try await meter.start(into: CollectingSink(), until: soon) }
    #expect(failure?.code == .timedOut && failure?.message.contains("start") == true)
    await meter.close()
    var deaf = EnergyProbeFaults()
    deaf.isDeaf = true
    deaf.isLeftRunning = true
    let other = try SimulatedEnergyProbe(faults: deaf)
    let second = await meterFailure { _ = try await Self.open(other) }
    #expect(second?.code == .malfunction && second?.message.contains("goes on sending") == true)
  }

  @Test func portsAreNamed() async throws {
    func code(_ options: [String: Value]) async -> MeterFailure? {
      await meterFailure {
        _ = try await EnergyProbeDriver().open(
          name: "probe", options: options.merging(["channels": Self.everything]) { $1 },
          through: LocalConnection(), until: soon)
      }
    }
    let absent = await code(["path": .text("/dev/ttyNone")])
    #expect(absent?.code == .notFound && absent?.message.contains("/dev/ttyNone") == true)
    #expect(await code(["path": .text("/dev/null")])?.code == .malfunction)
    let match: Value = .map(["ID_SERIAL_SHORT": .text("1")])
    #expect(await code(["path": .text("/dev/null"), "match": match])?.code == .invalid)
    let none = await code([:])
    #expect(none?.code == .notFound || none?.code == .unsupported)
  }
}
