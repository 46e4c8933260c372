import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Testers on a pseudo terminal, driven as true ones.
@Suite(.timeLimit(.minutes(3)))
struct TesterMeterTests {
  static let drivers: [TesterModel: any MeterDriver] = [
    .tc66c: TC66Driver(), .um24c: UMDriver(), .um25c: UMDriver(), .um34c: UMDriver(),
    .yzxstudio: YZXDriver()
  ]

  static func open(
    _ model: TesterModel, _ device: SimulatedTester, rate: Double = 50, patience: Double = 0.15
  ) async throws -> any Meter {
    let driver = try #require(drivers[model])
    return try await driver.open(
      name: "usb",
      options: [
        "path": .text(device.path), "rate": .number(rate), "patience": .number(patience)
      ], through: LocalConnection(), until: soon)
  }

  /// Waits until its capture has ended by itself.
  static func isOver(_ meter: any Meter) -> Bool {
    guard let end = meter.isOver else { return false }
    _ = Deadline.after(seconds: 20).ended(by: [end]).wait()
    return end.isRaised
  }

  /// Quick ones that send by themselves.
  static func faults(_ events: [Int64: TesterFaults.Event] = [:]) -> TesterFaults {
    var faults = TesterFaults()
    faults.interval = 0.02
    faults.events = events
    return faults
  }

  static func codes(_ model: TesterModel, _ truth: TesterTruth) throws -> [Int64] {
    let language = TesterProtocolTests.language(model)
    return try language.read(TesterFrames.frame(model, truth)[...]).codes
  }

  /// Samples of a sink, each with the frame that it is of: the one whose values it has, and that was made when it
  /// says, within `within` seconds. Those without one were made up.
  static func madeUp(
    _ sink: CollectingSink, _ model: TesterModel, _ device: SimulatedTester, within: Double
  ) throws -> Int {
    let frames = try device.record.frames.map { (codes: try codes(model, $0.truth), time: $0.time) }
    let channels = TesterProtocolTests.language(model).channels.count
    let all = (0..<channels).map { sink.codes($0) }
    var wrong = 0
    for (place, time) in sink.times().enumerated() {
      let reading = all.map { $0[place] }
      let isThere = frames.contains {
        $0.codes == reading && abs(Double(time - $0.time)) < within * 1e9
      }
      if !isThere { wrong += 1 }
    }
    return wrong
  }

  @Test(arguments: TesterModel.allCases)
  func measures(model: TesterModel) async throws {
    let device = try SimulatedTester(model, faults: Self.faults())
    let meter = try await Self.open(model, device)
    #expect(meter.identity.verified == "simulator only" && meter.identity.location == device.path)
    #expect(Array(meter.channels.map(\.name).prefix(2)) == ["voltage", "current"])
    #expect(Set(meter.channels.prefix(2).map(\.site)) == ["usb"])
    let sites = try MeterSite.all(of: meter.channels, meter: meter.identity)
    #expect(sites.map(\.name) == ["usb"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let again = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(again?.code == .busy)
    #expect(sink.wait(for: 12))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(summary)")
    #expect(sink.events.allSatisfy { $0.kind == .overrun }, "\(sink.events)")
    let count = Int64(sink.codes(0).count)
    #expect(summary.samples == meter.channels.map { _ in count })
    #expect(try Self.madeUp(sink, model, device, within: 0.1) == 0)
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    #expect(await meter.stop(until: soon) == summary)
    // Once more.
    let second = CollectingSink()
    try await meter.start(into: second, until: soon)
    #expect(second.wait(for: 2))
    #expect(await meter.stop(until: soon).failure == nil)
    await meter.close()
    #expect(device.record.unknown == 0)
    #expect(try await meter.status(until: soon).contains { $0.name == "loss witness" })
  }

  /// A reading that was damaged or lost is a gap, and never a value.
  @Test(arguments: [TesterModel.tc66c, .um34c])
  func whatGoesWrongOnceIsAGap(model: TesterModel) async throws {
    var faults = Self.faults([
      6: .byte(3), 12: .flip(bit: 8 * 49), 18: .noise(30), 24: .twice, 30: .mute, 36: .late(120)
    ])
    faults.pieces = 7
    let device = try SimulatedTester(model, faults: faults)
    let meter = try await Self.open(model, device, rate: 100, patience: 0.08)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 40))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil, "\(summary)")
    #expect(try Self.madeUp(sink, model, device, within: 0.1) == 0)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(gaps.count == 6, "\(gaps)")
    #expect(summary.lost == gaps.reduce(0) { $0 + ($1.count ?? 0) })
    let notes = gaps.map(\.note)
    #expect(notes.count == 6 && notes[3] == "more came than was asked for", "\(notes)")
    #expect(notes.suffix(2) == ["no answer", "no answer"], "\(notes)")
    // Each between two samples.
    let times = sink.times()
    for gap in gaps { #expect(times.contains(gap.from) && times.contains(gap.to), "\(gap)") }
    #expect(summary.counts["faults"] == .integer(6))
  }

  @Test func aSendersDamageIsAGap() async throws {
    var faults = Self.faults([6: .byte(3), 12: .flip(bit: 60), 18: .noise(30), 24: .byte(0)])
    faults.pieces = 5
    let device = try SimulatedTester(.yzxstudio, faults: faults)
    let meter = try await Self.open(.yzxstudio, device, patience: 1)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 35))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 4, "\(summary)")
    #expect(try Self.madeUp(sink, .yzxstudio, device, within: 0.1) == 0)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(gaps.count == 4 && gaps.allSatisfy { $0.to > $0.from }, "\(gaps)")
    // 27 + 28 + 30 + 27 bytes that belong to no reading.
    #expect(summary.counts["foreign bytes"] == .integer(112), "\(summary.counts)")
  }

  @Test(arguments: [TesterModel.tc66c, .yzxstudio])
  func unpluggedOrSilentItKeepsWhatCame(model: TesterModel) async throws {
    for (event, code) in [(TesterFaults.Event.unplug, MeterFailure.Code.gone), (.stall, .timedOut)]
    {
      let device = try SimulatedTester(model, faults: Self.faults([12: event]))
      let meter = try await Self.open(model, device, patience: 0.1)
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      // The last one before it is given out, too; one that sends has said some before.
      let count = model == .yzxstudio ? 4 : 11
      #expect(sink.wait(for: count))
      #expect(Self.isOver(meter))
      let summary = await meter.stop(until: soon)
      #expect(summary.failure?.code == code, "\(model) \(event): \(summary)")
      #expect(summary.failure?.message.hasPrefix("usb: \(device.path)") == true)
      #expect(summary.failure?.hint.isEmpty == false)
      #expect(summary.samples[0] == Int64(sink.codes(0).count) && sink.codes(0).count >= count)
      #expect(try Self.madeUp(sink, model, device, within: 0.1) == 0)
      await meter.close()
      device.stop()
      let gone = await meterFailure { try await meter.start(into: sink, until: soon) }
      #expect(gone?.code == .gone, "\(String(describing: gone))")
    }
  }

  @Test(arguments: [TesterModel.tc66c, .um25c, .um34c, .yzxstudio])
  func whatIsNoTesterIsToldSo(model: TesterModel) async throws {
    for (answers, code) in [
      (TesterFaults.Answers.damaged, MeterFailure.Code.malfunction), (.unknown, .malfunction),
      (.foreign, .malfunction), (.silent, .timedOut)
    ] {
      var faults = Self.faults()
      faults.answers = answers
      let device = try SimulatedTester(model, faults: faults)
      let failure = await meterFailure { _ = try await Self.open(model, device, patience: 0.06) }
      #expect(failure?.code == code, "\(answers): \(String(describing: failure))")
      #expect(failure?.message.hasPrefix("usb: \(device.path)") == true && failure?.hint != "")
      device.stop()
    }
  }

  /// It had been asked by somebody who was killed, and answers that now.
  @Test func whatAPredecessorLeftIsPassedOver() async throws {
    let device = try SimulatedTester(.um25c, faults: Self.faults([0: .late(80), 1: .noise(400)]))
    let port = Glibc.open(device.path, O_RDWR | O_NOCTTY)
    _ = write(port, [0xf0, 0xf0] as [UInt8], 2)
    let meter = try await Self.open(.um25c, device, patience: 0.2)
    close(port)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(summary) \(sink.events)")
    #expect(try Self.madeUp(sink, .um25c, device, within: 0.1) == 0)
    await meter.close()
  }

  @Test func oneThatNeverComesToAnEndIsTold() async throws {
    var faults = Self.faults()
    faults.answers = .endless
    let device = try SimulatedTester(.tc66c, faults: faults)
    let failure = await meterFailure { _ = try await Self.open(.tc66c, device, patience: 0.08) }
    #expect(failure?.code == .malfunction, "\(String(describing: failure))")
    for model in [TesterModel.um25c, .yzxstudio] {
      let other = try SimulatedTester(model, faults: Self.faults([8: .babble]))
      let meter = try await Self.open(model, other, patience: 0.1)
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(Self.isOver(meter))
      let summary = await meter.stop(until: soon)
      #expect(summary.failure?.code == .malfunction, "\(model): \(summary)")
      let kept = sink.codes(0).count
      #expect((2...9).contains(kept) && summary.samples[0] == Int64(kept))
      await meter.close()
    }
  }

  @Test func portsAreNamedAndAlone() async throws {
    let device = try SimulatedTester(.tc66c)
    let meter = try await Self.open(.tc66c, device)
    let second = await meterFailure { _ = try await Self.open(.tc66c, device) }
    #expect(second?.code == .busy && second?.message.contains(device.path) == true)
    await meter.close()
    for (model, driver) in Self.drivers {
      func failure(_ options: [String: Value]) async -> MeterFailure? {
        await meterFailure {
          _ = try await driver.open(
            name: "usb", options: options, through: LocalConnection(), until: soon)
        }
      }
      #expect(await failure([:])?.code == .invalid, "\(model)")
      let match: Value = .map(["ID_SERIAL_SHORT": .text("1")])
      #expect(await failure(["path": .text("/dev/null"), "match": match])?.code == .invalid)
      #expect(await failure(["path": .text("/dev/ttyNone")])?.code == .notFound)
      #expect(await failure(["path": .text("/dev/null")])?.code == .malfunction)
      let accuracy = await failure([
        "path": .text(device.path), "accuracy": .map(["volume": .text("1 %")])
      ])
      #expect(accuracy?.code == .invalid)
    }
  }

  @Test func statedAccuracyIsTheChannels() async throws {
    let device = try SimulatedTester(.um24c)
    let meter = try await UMDriver().open(
      name: "usb",
      options: [
        "path": .text(device.path), "accuracy": .map(["current": .text("1 % + 4 mA")])
      ], through: LocalConnection(), until: soon)
    #expect(meter.channels[1].accuracy?.gain == 0.01 && meter.channels[0].accuracy == nil)
    await meter.close()
  }
}
