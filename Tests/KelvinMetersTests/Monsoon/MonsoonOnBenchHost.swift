import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A Monsoon on the wire, driven as a true one.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct MonsoonOnBenchHost {
  /// Of the simulator: 12 mA for 0.6 s and 850 mA for 0.4 s, and a saw of 2.45 mA on top.
  static let mean = 0.6 * 12e-3 + 0.4 * 850e-3 + 2.45e-3
  private var soon: Deadline { .after(seconds: 30) }

  private func values(_ meter: any Meter, _ sink: CollectingSink, _ column: Int) -> [Double] {
    sink.codes(column).map { meter.channels[column].value(of: $0) }
  }

  @Test func measuresABoardThatItSupplies() async throws {
    let gadget = try MonsoonGadget()
    let found = try await MonsoonDriver().find(through: LocalConnection(), until: soon)
    #expect(found.map(\.name) == ["monsoon/MON1"] && found[0].obstacle == nil)
    let meter = try await MonsoonGadget.open([
      "match": found[0].options["match"] ?? .null, "voltage": .number(3.7),
      "max-voltage": .number(3.8), "usb": .text("auto"), "power-up-limit": .number(4.6),
      "current-limit": .number(3), "channels": .list(["main", "usb", "aux"])
    ])
    #expect(meter.identity.model == "HVPM" && meter.identity.serial == "23171")
    #expect(meter.identity.firmware == "32" && meter.identity.verified == "simulator only")
    #expect(
      meter.channels.map(\.name) == [
        "main-current", "main-voltage", "usb-current", "usb-voltage", "aux-current"
      ])
    // Opening it sets nothing.
    #expect(gadget.settings.isEmpty && !MonsoonGadget.isWithHID)
    let sink = GroupedSink()
    try await meter.start(into: sink, until: soon)
    // The limits before the voltage; 'auto' was found.
    #expect(
      gadget.isSet("43 22003", "44 15685", "41 3879731") && gadget.settings.count == 3,
      "\(gadget.settings)")
    #expect(sink.inner.wait(for: 11_000, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.inner.events)")
    #expect(summary.samples == meter.channels.indices.map { Int64(sink.inner.codes($0).count) })
    #expect(summary.counts["on close"]?.text?.contains("3.7 V, switched off") == true)
    #expect(Set(sink.inner.codes(1)) == [14_800] && Set(sink.inner.codes(3)) == [40_000])
    let currents = Set(values(meter, sink.inner, 2).map { ($0 * 1000).rounded() })
    #expect(currents.isSubset(of: [8, 450]) && currents.count == 2)
    // Energy of whole periods, whichever moment they begin at, against what is true.
    let times = sink.inner.times()
    let interval = times[10]...times[10] + 2_000_000_000
    let figures = try MeterFigures(
      meter.identity, Array(meter.channels[..<2]), rate: meter.rate, intervals: [interval])
    for blocks in sink.groups { figures.take(blocks.filter { $0.channel < 2 }) }
    for event in sink.inner.events { figures.take(event) }
    let sites = try figures.finish { _ in FigureConditions(clock: summary.clock) }
    let figure = try #require(sites.first?.first)
    let truth = 2 * 3.7 * Self.mean
    print(
      "monsoon: \(figure.figure.energy) J, true \(truth) J, coverage \(figure.figure.coverage), "
        + "CPU \(Double(summary.hostCPU ?? 0) / 1e6) ms for \(summary.samples[0]) samples")
    #expect(figure.site == "main")
    #expect(abs(figure.figure.energy / truth - 1) < 1e-3, "\(figure)")
    // Two samples in 6,250 are its own calibration.
    #expect(figure.figure.coverage > 0.998 && figure.figure.coverage < 1)
    await meter.close()
    #expect(gadget.isSet("41 0", "44 42000", "43 41000"), "\(gadget.settings)")
    #expect(RawGadget.wait { MonsoonGadget.isWithHID })
    let wrong = gadget.record.filter { $0.hasPrefix("torn") || $0.hasPrefix("refused") }
    #expect(wrong.isEmpty)
  }

  @Test func leavesTheOutputOnWhenItIsTold() async throws {
    // A predecessor that was killed has left it sampling, and its firmware does not say so.
    let gadget = try MonsoonGadget("model=lv,voltage-channel=1,sampling,firmware=25")
    let meter = try await MonsoonGadget.open([
      "voltage": .number(4.2), "usb": .text("on"), "on-close": .text("left")
    ])
    #expect(meter.identity.model == "LVPM" && meter.identity.serial == "11904")
    #expect(meter.identity.firmware == "25")
    #expect(gadget.record.contains { $0.hasPrefix("stop") })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(
      gadget.isSet("10 1", "23 0", "41 4404019") && gadget.settings.count == 3, "\(gadget.settings)"
    )
    #expect(sink.wait(for: 5000, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0)
    let report = summary.counts["on close"]?.text ?? ""
    #expect(report.contains("4.2 V, left on") && report.contains("left as set"), "\(report)")
    #expect(Set(sink.codes(1)) == [33_600])
    let currents = values(meter, sink, 0)
    #expect(currents.allSatisfy { $0 > 0.0119 && $0 < 0.8552 })
    let mean = currents[..<5000].reduce(0, +) / 5000
    #expect(abs(mean / Self.mean - 1) < 5e-3, "\(mean)")
    // It measures again, and sets nothing anew.
    let again = CollectingSink()
    try await meter.start(into: again, until: soon)
    #expect(again.wait(for: 500, seconds: 40))
    #expect(await meter.stop(until: soon).failure == nil)
    await meter.close()
    #expect(gadget.settings.count == 3)
    let after = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(after?.code == .gone)
  }

  @Test func setsWithinLimitsOnlyAndNotWhileItMeasures() async throws {
    let gadget = try MonsoonGadget("output=1048576")
    let meter = try await MonsoonGadget.open(["max-voltage": .number(5)])
    let refused: [MeterSetting] = [
      MeterSetting("voltage", .text("6 V")), MeterSetting("voltage", .text("0.5 V")),
      MeterSetting("voltage", .text("3 A")), MeterSetting("usb", .text("perhaps")),
      MeterSetting("current-limit", .text("16 A")), MeterSetting("output", .boolean(true)),
      MeterSetting("frequency", .number(1))
    ]
    for setting in refused {
      let failure = await meterFailure { try await meter.set([setting], until: soon) }
      #expect(failure?.code == .invalid, "\(setting)")
    }
    #expect(gadget.settings.isEmpty)
    try await meter.set(
      [MeterSetting("voltage", .text("3 V")), MeterSetting("output", .boolean(true))], until: soon)
    try await meter.set([MeterSetting("usb", .text("off"))], until: soon)
    #expect(gadget.isSet("41 3145728", "10 0") && gadget.settings.count == 2, "\(gadget.settings)")
    let status = Dictionary(
      uniqueKeysWithValues: try await meter.status(until: soon).map { ($0.name, $0.value) })
    #expect(status["output found"] == "set to 1.0 V" && status["output"] == "set to 3.0 V")
    #expect(
      status["USB passthrough"] == "off" && status["on close"]?.contains("switched off") == true)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let busy = await meterFailure {
      try await meter.set([MeterSetting("voltage", .text("3.1 V"))], until: soon)
    }
    let twice = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(busy?.code == .busy && twice?.code == .busy)
    #expect(try await meter.status(until: soon).count == 4)
    _ = await meter.stop(until: soon)
    try await meter.set([MeterSetting("output", .boolean(false))], until: soon)
    #expect(gadget.isSet("41 0"), "\(gadget.settings)")
    await meter.close()
    #expect(gadget.isSet("10 2"), "\(gadget.settings)")
  }

  @Test func aSupplyThatWasNeverCalibratedIsNotSet() async throws {
    let gadget = try MonsoonGadget("dac=0xffff")
    let meter = try await MonsoonGadget.open(["voltage": .number(3.7)])
    let failure = await meterFailure { try await meter.start(into: CollectingSink(), until: soon) }
    #expect(failure?.code == .malfunction && failure?.message.contains("out of tolerance") == true)
    await meter.close()
    #expect(gadget.settings.isEmpty)
  }

  /// Each ends in a typed error that names the meter, and nothing is set.
  @Test(arguments: [
    ("sampling,deaf", MeterFailure.Code.malfunction), ("hardware=7", .unsupported),
    ("error=0xc0", .malfunction)
  ])
  func whatIsNotAsItShouldBeIsTold(words: String, code: MeterFailure.Code) async throws {
    let gadget = try MonsoonGadget(words)
    let failure = await meterFailure { _ = try await MonsoonGadget.open(["voltage": .number(3)]) }
    #expect(failure?.code == code && failure?.message.hasPrefix("m: ") == true, "\(failure as Any)")
    #expect(gadget.settings.isEmpty)
  }

  @Test func oneThatNeverCalibratesItselfIsTold() async throws {
    let flat = try MonsoonGadget("flat")
    let meter = try await MonsoonGadget.open()
    let failure = await meterFailure { try await meter.start(into: CollectingSink(), until: soon) }
    #expect(failure?.code == .malfunction && failure?.message.contains("no sense") == true)
    #expect(flat.record.last?.hasPrefix("stop") == true)
    await meter.close()
    flat.unplug()
    let none = try MonsoonGadget("no-reference")
    let other = try await MonsoonGadget.open()
    let missing = await meterFailure {
      try await other.start(into: CollectingSink(), until: .after(seconds: 1))
    }
    #expect(missing?.code == .timedOut && missing?.hint.contains("calibrated") == true)
    #expect(none.record.last?.hasPrefix("stop") == true)
    await other.close()
  }

  @Test func losesNothingUnseen() async throws {
    // Dropped by the meter; cut short; invalid; a count that lies.
    let gadget = try MonsoonGadget("drop=600:40,short=700,type=800,count=900")
    let lost: [Int64] = [120, 3, 3, 3]
    let meter = try await MonsoonGadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2700, seconds: 40))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == lost.reduce(0, +), "\(sink.events)")
    #expect(summary.counts["damaged packets"] == 2 && summary.counts["invalid"] == 3)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(gaps.map(\.count) == lost)
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    for (gap, count) in zip(gaps, lost) {
      #expect(gap.to - gap.from == (count + 1) * 200_000)
      #expect(times.contains(gap.from) && times.contains(gap.to))
    }
    withExtendedLifetime(gadget) {}
  }

  /// It ends by itself, and tells after a while when it is asked.
  @Test(arguments: [("unplug=500", MeterFailure.Code.gone, 0.5), ("silent=500", .timedOut, 3)])
  func itsEndKeepsWhatCame(
    words: String, code: MeterFailure.Code, seconds: Double
  ) async throws {
    let gadget = try MonsoonGadget(words)
    let meter = try await MonsoonGadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 800, seconds: 40))
    _ = Deadline.after(seconds: seconds).wait()
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == code, "\(summary.failure as Any)")
    #expect(summary.samples[0] == Int64(sink.codes(0).count) && summary.samples[0] <= 1500)
    await meter.close()
    withExtendedLifetime(gadget) {}
  }

  @Test func oneProgramAtATimeAndTheRightOne() async throws {
    #expect(RawGadget.wait { MonsoonGadget.device == nil })
    let none = await meterFailure { _ = try await MonsoonGadget.open() }
    #expect(none?.code == .notFound)
    let gadget = try MonsoonGadget()
    let other = await meterFailure {
      _ = try await MonsoonGadget.open(["match": .map(["ID_SERIAL_SHORT": .text("MON2")])])
    }
    #expect(other?.code == .notFound)
    let meter = try await MonsoonGadget.open()
    let second = await meterFailure { _ = try await MonsoonGadget.open() }
    #expect(second?.code == .busy)
    await meter.close()
    withExtendedLifetime(gadget) {}
  }
}
