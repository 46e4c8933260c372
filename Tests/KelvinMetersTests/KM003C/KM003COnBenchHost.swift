import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A POWER-Z on the wire, driven as a true one.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct KM003COnBenchHost {
  /// Of the simulator, at a millisecond: µV, µA, mV of the four lines.
  static func truth(_ time: Int64) -> [Int64] {
    [
      5_000_000 + time % 100 * 37, (time % 1000 < 600 ? 100_000 : 1_500_000) + time % 50 * 11,
      1650 + time % 7, 20 + time % 3, 600 + time % 5, 590 + time % 4
    ]
  }
  /// Watts over whole seconds.
  static let mean = (0..<1000).reduce(0.0) { sum, time in
    let truth = truth(Int64(time))
    return sum + Double(truth[0]) * Double(truth[1]) * 1e-15
  }
  private var soon: Deadline { .after(seconds: 30) }

  @Test func measuresEachMillisecondOfTheQueue() async throws {
    let gadget = try KM003CGadget("stale")
    let found = try await KM003CDriver().find(through: LocalConnection(), until: soon)
    #expect(found.map(\.name) == ["km003c/PZ1"] && found[0].obstacle == nil)
    let meter = try await KM003CGadget.open([
      "match": found[0].options["match"] ?? .null,
      "channels": .list(["bus", "cc", "data", "temperature"])
    ])
    #expect(meter.identity.model == "POWER-Z KM003C" && meter.identity.serial == "007965")
    #expect(meter.identity.firmware == "1.9.9" && meter.identity.verified == "simulator only")
    #expect(!gadget.record.contains { $0.hasPrefix("graph") })
    let sink = GroupedSink()
    try await meter.start(into: sink, until: soon)
    let twice = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(twice?.code == .busy)
    #expect(sink.inner.wait(for: 2100, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.inner.events)")
    #expect(summary.samples == meter.channels.indices.map { Int64(sink.inner.codes($0).count) })
    // Each sample, to the last digit; the first one is that of millisecond 0.
    let count = sink.inner.codes(0).count
    for channel in 0..<6 {
      #expect(sink.inner.codes(channel) == (0..<Int64(count)).map { Self.truth($0)[channel] })
    }
    #expect(Set(sink.inner.codes(6)).isSubset(of: Set(3200...3207)))
    let times = sink.inner.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $1 - $0 == 1_000_000 })
    let interval = times[0]...times[0] + 2_000_000_000
    let figures = try MeterFigures(
      meter.identity, Array(meter.channels[..<2]), rate: meter.rate, intervals: [interval])
    for blocks in sink.groups { figures.take(blocks.filter { $0.channel < 2 }) }
    let sites = try figures.finish { _ in FigureConditions(clock: summary.clock) }
    let figure = try #require(sites.first?.first)
    print(
      "km003c: \(figure.figure.energy) J, true \(2 * Self.mean) J, "
        + "CPU \(Double(summary.hostCPU ?? 0) / 1e6) ms for \(summary.samples[0]) samples")
    #expect(figure.site == "bus" && figure.figure.coverage > 0.998)
    #expect(abs(figure.figure.energy / (2 * Self.mean) - 1) < 1e-3, "\(figure)")
    #expect(try await meter.status(until: soon).count == 4)
    await meter.close()
    #expect(RawGadget.wait { gadget.record.last == "disconnect" })
    let told = ["memory 420 64", "memory 40010450 12", "level 1", "graph 3"]
    #expect(told.allSatisfy(gadget.record.contains))
  }

  /// A KM002C, whose kernel driver lets go of it, and gets it back; usbserial's takes the place of powerz, which this
  /// kernel is too old to have.
  @Test func theKernelsDriverGetsItBack() async throws {
    let gadget = try KM003CGadget("sign=-1", model: "km002c")
    let drivers = "/sys/bus/usb-serial/drivers/generic/new_id"
    try Data("5fc9 0061".utf8).write(to: URL(fileURLWithPath: drivers))
    #expect(RawGadget.wait { KM003CGadget.kernelDriver == "usbserial_generic" })
    let meter = try await KM003CGadget.open([
      "reading": .text("values"), "rate": .number(100), "reversed": .boolean(true),
      "channels": .list(["bus", "cc", "temperature"])
    ])
    #expect(KM003CGadget.kernelDriver == "usbfs" && meter.identity.model == "POWER-Z KM002C")
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 60, seconds: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.counts["stray replies"] == nil)
    // Voltage says which part of the saws each one belongs to.
    for (volts, amperes) in zip(sink.codes(0), sink.codes(1)) {
      let place = (volts - 5_000_000) / 37
      #expect([100_000, 1_500_000].contains(amperes - place % 50 * 11), "\(volts) \(amperes)")
    }
    #expect(sink.codes(2).allSatisfy { (16_500...16_560).contains($0) })
    #expect(sink.codes(4).allSatisfy { (3200...3207).contains($0) })
    let second = await meterFailure { _ = try await KM003CGadget.open() }
    #expect(second?.code == .busy)
    await meter.close()
    #expect(RawGadget.wait { KM003CGadget.kernelDriver == "usbserial_generic" })
    let after = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(after?.code == .gone)
    withExtendedLifetime(gadget) {}
  }

  /// Lost by the meter; cut short on the way; what comes twice; a reply to somebody else; full packets that are
  /// followed by an empty one; late answers.
  @Test func losesNothingUnseen() async throws {
    let gadget = try KM003CGadget("lose=300:25,cut=20,twice=200,stray=30,empty,late=5")
    let meter = try await KM003CGadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 1000, seconds: 40))
    let summary = await meter.stop(until: soon)
    await meter.close()
    let cut = gadget.record.compactMap { $0.hasPrefix("cut ") ? Int64($0.dropFirst(4)) : nil }
    #expect(summary.failure == nil && cut.count == 1)
    #expect(summary.lost == 25 + cut.reduce(0, +), "\(sink.events)")
    #expect(summary.counts["damaged replies"] == 1 && summary.counts["repeated samples"] == 1)
    #expect(summary.counts["stray replies"] == 1)
    let (times, gaps) = (sink.times(), sink.events.filter { $0.kind == .gap })
    #expect(
      gaps.count == 2 && gaps.allSatisfy { $0.to - $0.from == (($0.count ?? 0) + 1) * 1_000_000 })
    // Every value is that of its millisecond.
    let volts = zip(times, sink.codes(0)).map { (time: ($0 - times[0]) / 1_000_000, code: $1) }
    #expect(volts.allSatisfy { Self.truth($0.time)[0] == $0.code })
  }

  /// While it is started; the other steps are tried without a wire.
  @Test
  func unpluggedBeforeItMeasuresIsTold() async throws {
    let gadget = try KM003CGadget("unplug=7")
    let failure = await meterFailure {
      let meter = try await KM003CGadget.open()
      do {
        try await meter.start(into: CollectingSink(), until: soon)
      } catch {
        await meter.close()
        throw error
      }
    }
    #expect(failure?.code == .gone && failure?.message.hasPrefix("m: ") == true)
    withExtendedLifetime(gadget) {}
  }

  /// It ends by itself, and tells why; what came before is kept.
  @Test func unpluggedWhileItMeasuresItKeepsWhatCame() async throws {
    let gadget = try KM003CGadget("unplug=40")
    let meter = try await KM003CGadget.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let isOver = try #require(meter.isOver)
    _ = soon.ended(by: [isOver]).wait()
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .gone, "\(summary.failure as Any)")
    let volts = sink.codes(0)
    #expect(summary.samples[0] == Int64(volts.count) && volts.count > 50)
    #expect(volts == (0..<Int64(volts.count)).map { Self.truth($0)[0] })
    await meter.close()
    withExtendedLifetime(gadget) {}
  }

  @Test func whatIsNotAsItShouldBeIsTold() async throws {
    #expect(RawGadget.wait { KM003CGadget.device == nil })
    let none = await meterFailure { _ = try await KM003CGadget.open() }
    #expect(none?.code == .notFound)
    // One that lets nobody at its queue, and one that does not say who it is: its values can be had all the same.
    for (words, code) in [
      ("stranger", MeterFailure.Code.malfunction), ("no-memory", .unsupported)
    ] {
      let gadget = try KM003CGadget(words)
      let wrong = await meterFailure {
        _ = try await KM003CGadget.open(["match": .map(["ID_SERIAL_SHORT": .text("PZ2")])])
      }
      #expect(wrong?.code == .notFound)
      let meter = try await KM003CGadget.open()
      let failure = await meterFailure {
        try await meter.start(into: CollectingSink(), until: soon)
      }
      #expect(failure?.code == code && failure?.hint.contains("values") == true, "\(words)")
      await meter.close()
      guard code == .unsupported else { continue }
      #expect(meter.identity.model == "POWER-Z KM003C" && meter.identity.serial == "PZ1")
      let values = try await KM003CGadget.open(["reading": .text("values")])
      let sink = CollectingSink()
      try await values.start(into: sink, until: soon)
      #expect(sink.wait(for: 2, seconds: 20))
      #expect(await values.stop(until: soon).failure == nil)
      await values.close()
      withExtendedLifetime(gadget) {}
    }
  }
}
