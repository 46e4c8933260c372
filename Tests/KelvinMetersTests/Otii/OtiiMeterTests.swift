import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// The driver against a simulated server, whose samples are known.
@Suite(.timeLimit(.minutes(2)))
struct OtiiMeterTests {
  static func serve(
    _ model: OtiiUnit.Model = .arc, _ faults: OtiiFaults = OtiiFaults()
  ) throws -> (SimulatedOtii, DeviceServer) {
    let otii = SimulatedOtii(model, faults: faults)
    return (otii, try DeviceServer(tcp: otii))
  }

  static func open(
    _ server: DeviceServer, _ more: [String: Value] = [:]
  ) async throws -> any Meter {
    var options: [String: Value] = [
      "port": .integer(Int64(server.address) ?? 0), "settle": .number(0), "patience": .number(2)
    ]
    options.merge(more) { $1 }
    return try await OtiiDriver().open(
      name: "otii", options: options, through: LocalConnection(), until: soon)
  }

  static let supply: [String: Value] = [
    "voltage": .number(3.3), "max-voltage": .number(3.6), "output": "on"
  ]

  /// What a channel's samples have to be, from the first one on.
  static func truth(
    _ channel: Channel, _ code: String, count: Int, rate: Double = 4000
  ) -> [Int64] {
    (0..<count).map {
      Int64((OtiiWaveform.value(code, Int64($0), rate: rate, volts: 3.3) / channel.scale).rounded())
    }
  }

  @Test func measuresWhatIsRecordedAndPutsEverythingBack() async throws {
    let (otii, server) = try Self.serve()
    let meter = try await Self.open(server, Self.supply)
    #expect(meter.identity.verified == "simulator only" && meter.identity.model == "Arc")
    #expect(meter.identity.serial == SimulatedOtii.device && meter.identity.firmware == "2.0.4")
    // So far it has a license, and nothing else.
    #expect(otii.now.settings == ["otii_reserve_license"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 1600))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0 && sink.events.isEmpty, "\(sink.events)")
    let (current, voltage) = (sink.codes(0), sink.codes(1))
    #expect(current == Self.truth(meter.channels[0], "mc", count: current.count))
    #expect(voltage == Self.truth(meter.channels[1], "mv", count: voltage.count, rate: 1000))
    // All of it, of both channels.
    #expect(current.count == 4 * voltage.count)
    #expect(summary.samples == [Int64(current.count), Int64(voltage.count)])
    let times = sink.times()
    #expect(zip(times.dropFirst(), times).allSatisfy { $0 - $1 == 250_000 })
    #expect(sink.times(1) == stride(from: 0, to: times.count, by: 4).map { times[$0] })
    #expect(summary.counts["set"]?.list?.contains("main voltage 3.3 V, was 0.0 V") == true)
    // The recording was read, and is gone.
    #expect(otii.now.recordings.isEmpty && otii.now.recorded == 1)
    await meter.close()
    let now = otii.now
    #expect(now.volts == 0 && !now.isOn && now.holders == [""] && now.unknown.isEmpty)
  }

  /// Kelvin's times are those of the recording, on this machine's clock: within what the server keeps back.
  @Test func timesAreTheRecordings() async throws {
    let (otii, server) = try Self.serve()
    let meter = try await Self.open(server, ["keep-recording": true])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2000))
    let summary = await meter.stop(until: soon)
    await meter.close()
    let begin = try #require(otii.now.recordings.first?.begin)
    let first = summary.clock.host(sink.times()[0])
    // Batches of 50 ms, and a machine that is busy with other things.
    #expect((0...300_000_000).contains(first - begin), "\(first - begin) ns")
  }

  @Test func readsDigitalInputsAndPower() async throws {
    let (_, server) = try Self.serve()
    let names: [Value] = ["main-power", "gpi1", "gpi2", "main-current"]
    let meter = try await Self.open(server, Self.supply.merging(["channels": .list(names)]) { $1 })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2600))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 0)
    #expect(sink.codes(0) == Self.truth(meter.channels[0], "mp", count: sink.codes(0).count))
    #expect(sink.codes(3) == Self.truth(meter.channels[3], "mc", count: sink.codes(3).count))
    // Edges each quarter of a second, to a sample.
    let origin = sink.times()[0]
    let samples = Array(zip(sink.times(1), sink.codes(1)))
    let edges = zip(samples.dropFirst(), samples).filter { $0.1 != $1.1 }
    #expect(edges.count >= 2)
    for (index, edge) in edges.enumerated() {
      #expect(edge.0.0 - origin == Int64(index + 1) * 250_000_000)
      #expect(edge.0.0 - edge.1.0 <= 250_000)
    }
    #expect(Set(sink.codes(2)) == [0, 1])
  }

  @Test func ratesOfAnAceAreSetAndPutBack() async throws {
    let (otii, server) = try Self.serve(.ace)
    let meter = try await Self.open(
      server,
      ["rate": .number(10_000), "range": "high", "channels": .list(["main-current"])])
    #expect(meter.rate == 10_000)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(otii.now.range == "high" && otii.now.rates["mc"] == 10_000)
    #expect(sink.wait(for: 3000))
    #expect(await meter.stop(until: soon).failure == nil)
    let times = sink.times()
    #expect(zip(times.dropFirst(), times).allSatisfy { $0 - $1 == 100_000 })
    await meter.close()
    #expect(otii.now.range == "low" && otii.now.rates["mc"] == 4000)
    // An Arc has one rate.
    let (_, arc) = try Self.serve(.arc)
    let other = try await Self.open(arc, ["rate": .number(10_000)])
    let failure = await meterFailure { try await other.start(into: sink, until: soon) }
    #expect(failure?.code == .unsupported)
    await other.close()
  }

  @Test(arguments: [("restore", 0.0, false), ("leave", 3.3, true), ("off", 3.3, false)])
  func whatBecomesOfTheOutputIsSaid(ending: String, volts: Double, isOn: Bool) async throws {
    let (otii, server) = try Self.serve()
    let meter = try await Self.open(server, Self.supply.merging(["at-end": .text(ending)]) { $1 })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(otii.now.isOn && otii.now.volts == 3.3)
    let summary = await meter.stop(until: soon)
    #expect(summary.counts["at its end"] == .text(ending))
    await meter.close()
    #expect(otii.now.volts == volts && otii.now.isOn == isOn && otii.now.holders == [""])
  }

  @Test func limitsHoldBeforeAnythingIsSent() async throws {
    let (otii, server) = try Self.serve()
    for options in [
      ["voltage": .number(5), "max-voltage": .number(3.6)],
      ["current-limit": .number(2), "max-current": .number(1)]
    ] as [[String: Value]] {
      let failure = await meterFailure { _ = try await Self.open(server, options) }
      #expect(failure?.code == .invalid && failure?.message.contains("more than the") == true)
    }
    #expect(otii.now.settings.isEmpty)
    // What stands on the output is held against the limit before it is switched on.
    let meter = try await Self.open(
      server, ["current-limit": .number(0.5), "max-voltage": .number(1), "voltage": .number(1)])
    try await meter.start(into: CollectingSink(), until: soon)
    _ = await meter.stop(until: soon)
    await meter.close()
    let standing = try await Self.open(server, ["max-current": .number(1), "output": "on"])
    let failure = await meterFailure {
      try await standing.start(into: CollectingSink(), until: soon)
    }
    #expect(failure?.code == .invalid && !otii.now.isOn)
    await standing.close()
  }

  @Test func whatIsNotTakenIsTold() async throws {
    var faults = OtiiFaults()
    faults.isDeaf = true
    let (otii, server) = try Self.serve(.arc, faults)
    let meter = try await Self.open(server, Self.supply)
    let failure = await meterFailure {
      try await meter.start(into: CollectingSink(), until: soon)
    }
    #expect(failure?.code == .malfunction && failure?.message.contains("main voltage") == true)
    await meter.close()
    #expect(!otii.now.isOn && otii.now.recordings.isEmpty)
  }
}
