import Foundation
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A JS110 on the wire, driven as a true one.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct JS110OnBenchHost {
  /// Of the simulator: 1.25 mA with a saw of 0.12 mA on average for three fifths, 60 mA for the rest.
  static let low = 1.25e-3 + 0.12e-3
  static let mean = 0.6 * low + 0.4 * 60e-3
  /// Mean of the square: the saw's is that of 0 to 24 steps of 10 uA.
  static let square: Double = {
    let saw = (0..<25).reduce(0.0) { $0 + pow(1.25e-3 + Double($1) * 1e-5, 2) } / 25
    return 0.6 * saw + 0.4 * 60e-3 * 60e-3
  }()
  private var soon: Deadline { .after(seconds: 30) }

  private func values(_ meter: any Meter, _ sink: CollectingSink, _ column: Int) -> [Double] {
    sink.codes(column).map { meter.channels[column].value(of: $0) }
  }

  @Test func measuresABoard() async throws {
    #expect(RawGadget.wait { JS110Gadget.device == nil })
    let none = await meterFailure { _ = try await JS110Gadget.open() }
    #expect(none?.code == .notFound)
    let gadget = try JS110Gadget()
    let other = await meterFailure {
      _ = try await JS110Gadget.open(["match": .map(["ID_SERIAL_SHORT": .text("JS2")])])
    }
    #expect(other?.code == .notFound)
    let found = try await JS110Driver().find(through: LocalConnection(), until: soon)
    #expect(found.map(\.name) == ["joulescope-js110/JS1"] && found[0].obstacle == nil)
    let meter = try await JS110Gadget.open(["match": found[0].options["match"] ?? .null])
    #expect(meter.identity.model == "JS110" && meter.identity.serial == "000042")
    #expect(meter.identity.firmware == "1.3.2, sensor 1.3.1")
    #expect(meter.identity.calibration == "2019-05-01T12:00:00+00:00")
    #expect(meter.identity.verified == "simulator only" && meter.rate == 2e6)
    #expect(meter.channels.map(\.name) == ["current", "voltage"])
    // Opening it sets nothing, and keeps others away.
    #expect(gadget.settings.isEmpty)
    let second = await meterFailure { _ = try await JS110Gadget.open() }
    #expect(second?.code == .busy)
    let sink = GroupedSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.inner.wait(for: 20_000, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.inner.events)")
    #expect(summary.samples == [0, 1].map { Int64(sink.inner.codes($0).count) })
    #expect(summary.counts["on close"] == "left connected")
    #expect(gadget.isSet("01 80 c0 00 00"), "\(gadget.settings)")
    #expect(gadget.settings == ["01 80 c0 00 00", "01 80 c0 00 03", "01 80 c0 00 00"])
    // Each sample is right, or on its way from one level to the other.
    let currents = values(meter, sink.inner, 0)
    let volts = values(meter, sink.inner, 1)
    let isRight = { (value: Double) in
      value > 1.24e-3 && value < 1.51e-3 || abs(value - 60e-3) < 8e-6
    }
    let between = currents.filter { !isRight($0) }
    let switches = summary.counts["range switches"]?.integer ?? 0
    #expect(switches >= 18 && Int64(between.count) <= 7 * switches)
    #expect(between.allSatisfy { $0 > 1.24e-3 && $0 < 60e-3 })
    #expect(volts.allSatisfy { abs($0 - 3.3) < 0.032 })
    // Energy of whole periods of 1 ms, against what is true.
    let times = sink.inner.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 500 })
    let figures = try MeterFigures(
      meter.identity, meter.channels, rate: meter.rate,
      intervals: [times[10]...times[10] + 8_000_000])
    for blocks in sink.groups { figures.take(blocks) }
    for event in sink.inner.events { figures.take(event) }
    let sites = try figures.finish { _ in FigureConditions() }
    let figure = try #require(sites.first?.first)
    let truth = 8e-3 * (3.3 * Self.mean - 0.5 * Self.square)
    print(
      "js110: \(figure.figure.energy) J, true \(truth) J, CPU "
        + "\(Double(summary.hostCPU ?? 0) / 1e6) ms for \(summary.samples[0]) samples")
    #expect(abs(figure.figure.energy / truth - 1) < 2e-3, "\(figure)")
    #expect(figure.figure.coverage == 1)
    // It measures again, and what the last stream left does not matter.
    let again = CollectingSink()
    try await meter.start(into: again, until: soon)
    #expect(again.wait(for: 500, seconds: 40))
    #expect(await meter.stop(until: soon).failure == nil)
    await meter.close()
    #expect(gadget.isSet("01 80 c0 00 00") && gadget.settings.count == 6)
    let after = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(after?.code == .gone)
  }

  @Test func theBoardIsCutAndConnectedWhileItMeasures() async throws {
    // A predecessor that was killed has left it streaming.
    let gadget = try JS110Gadget("streaming,busy=3")
    let meter = try await JS110Gadget.open([
      "voltage-range": .text("5 V"), "inputs": .boolean(true), "io-voltage": .number(1.8),
      "on-close": .text("off")
    ])
    #expect(gadget.record.contains { $0.hasPrefix("stop") })
    #expect(meter.channels.map(\.name) == ["current", "voltage", "in0", "in1"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(gadget.record.contains("inputs 2 3 1800"))
    #expect(sink.wait(for: 4000, seconds: 40))
    let refused: [MeterSetting] = [
      MeterSetting("output", .text("on")), MeterSetting("current-range", .text("off")),
      MeterSetting("voltage-range", .text("4 V")), MeterSetting("voltage", .text("3 V"))
    ]
    let before = gadget.settings.count
    for setting in refused {
      let failure = await meterFailure { try await meter.set([setting], until: soon) }
      #expect(failure?.code == .invalid, "\(setting)")
    }
    #expect(gadget.settings.count == before)
    let twice = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(twice?.code == .busy)
    try await meter.set([MeterSetting("output", .boolean(false))], until: soon)
    #expect(gadget.isSet("01 00 c0 02 03"))
    #expect(sink.wait(for: sink.codes(0).count + 10_000, seconds: 40))
    let status = Dictionary(
      uniqueKeysWithValues: try await meter.status(until: soon).map { ($0.name, $0.value) })
    #expect(status["set to"] == "current off, voltage 5 V" && status["inputs"] == "1800 mV")
    try await meter.set(
      [MeterSetting("output", .boolean(true)), MeterSetting("current-range", .text("180 mA"))],
      until: soon)
    #expect(gadget.isSet("01 04 c0 02 03"))
    #expect(sink.wait(for: sink.codes(0).count + 10_000, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.events)")
    let currents = values(meter, sink, 0)
    #expect(currents.contains { abs($0) < 1e-9 } && currents.last.map { $0 > 1.2e-3 } == true)
    // Of an input only its edges, and the newest sample of each batch.
    let levels = sink.codes(2)
    #expect(Set(levels) == [0, 1] && levels.count < currents.count / 10)
    #expect(summary.samples[2] == Int64(levels.count) && !sink.codes(3).isEmpty)
    await meter.close()
    // As it was found: streaming, but for the streaming.
    #expect(gadget.isSet("01 80 c0 00 00"))
    #expect(RawGadget.wait { gadget.record.contains("inputs 0 0 3300") })
  }

  @Test func deliversItsOwnStatistics() async throws {
    let gadget = try JS110Gadget()
    let meter = try await JS110Gadget.open(["deliver": .text("statistics")])
    #expect(meter.channels.map(\.name) == ["current", "voltage", "power", "charge", "energy"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 3, seconds: 20))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0)
    #expect(summary.samples[0] >= 3 && Set(summary.samples).count == 1)
    let power = 3.3 * Self.mean - 0.5 * Self.square
    for (column, truth) in [(0, Self.mean), (2, power)] {
      for value in values(meter, sink, column) {
        let more = value / truth
        #expect([1, 1.01, 1.02, 1.03].contains { abs(more - $0) < 1e-6 }, "\(column) \(more)")
      }
    }
    let energies = values(meter, sink, 4)
    #expect(zip(energies, energies.dropFirst()).allSatisfy { abs($1 - $0 - power * 0.5075) < 1e-6 })
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 500_000_000 })
    await meter.close()
    withExtendedLifetime(gadget) {}
  }

  @Test func losesNothingUnseen() async throws {
    // From when it is set anew. At last its packets' numbers begin anew.
    let gadget = try JS110Gadget(
      "period=1000000,lose=20:40,skip=8000:5,status=70,kind=80,length=90,toggle=15000,short=130,number=140"
    )
    let lost: [Int64] = [40 * 126, 5, 126, 126, 126, 126]
    let meter = try await JS110Gadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try await meter.set([MeterSetting("current-range", .text("auto"))], until: soon)
    #expect(RawGadget.wait { sink.events.count >= 7 })
    _ = Deadline.after(seconds: 1).wait()
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure?.code == .malfunction, "\(summary.failure as Any)")
    #expect(summary.failure?.message.hasPrefix("m: its packets' numbers") == true)
    #expect(summary.lost == lost.reduce(0, +), "\(sink.events)")
    // Four, and the first of those whose numbers are others.
    #expect(summary.counts["damaged packets"] == 6 && summary.counts["out of step"] == 1)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(gaps.map { $0.count ?? 0 } == lost)
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    for gap in gaps {
      #expect(gap.to - gap.from == ((gap.count ?? 0) + 1) * 500)
      #expect(times.contains(gap.from) && times.contains(gap.to))
    }
    withExtendedLifetime(gadget) {}
  }

  @Test func itsEndKeepsWhatCame() async throws {
    let gadget = try JS110Gadget("unplug=100")
    let meter = try await JS110Gadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    try await meter.set([MeterSetting("current-range", .text("auto"))], until: soon)
    #expect(RawGadget.wait { JS110Gadget.device == nil })
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .gone, "\(summary.failure as Any)")
    #expect(summary.failure?.message.hasPrefix("m: ") == true)
    #expect(summary.samples[0] == Int64(sink.codes(0).count) && summary.samples[0] > 1000)
    await meter.close()
    withExtendedLifetime(gadget) {}
  }

  /// Each ends in a typed error that names the meter.
  @Test(arguments: [
    ("calibration=other", MeterFailure.Code.malfunction, "another meter"),
    ("unplug-at=0x108", .gone, "m: "), ("streaming,error=7", .malfunction, "error 7")
  ])
  func whatIsNotAsItShouldBeIsTold(
    words: String, code: MeterFailure.Code, text: String
  ) async throws {
    let gadget = try JS110Gadget(words)
    let failure = await meterFailure { _ = try await JS110Gadget.open() }
    #expect(failure?.code == code && failure?.message.hasPrefix("m: ") == true, "\(failure as Any)")
    #expect(failure?.message.contains(text) == true, "\(failure as Any)")
    withExtendedLifetime(gadget) {}
  }

  @Test(arguments: [
    ("unplug-at=3", MeterFailure.Code.gone), ("late-at=0x109:4000", .timedOut)
  ])
  func whatGoesWrongAtTheStartIsTold(words: String, code: MeterFailure.Code) async throws {
    let gadget = try JS110Gadget(words)
    let meter = try await JS110Gadget.open()
    let failure = await meterFailure { try await meter.start(into: CollectingSink(), until: soon) }
    #expect(failure?.code == code && failure?.message.hasPrefix("m: ") == true, "\(failure as Any)")
    await meter.close()
    withExtendedLifetime(gadget) {}
  }
}
