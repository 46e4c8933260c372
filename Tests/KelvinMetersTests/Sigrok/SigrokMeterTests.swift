import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// The bridge through Debian's sigrok-cli: its own demo driver, and its SCPI driver against the simulated supply.
@Suite(
  .enabled(if: SCPIThirdPartyTests.hasSigrok, "needs Debian's sigrok-cli"), .timeLimit(.minutes(2)))
struct SigrokMeterTests {
  static func open(_ options: [String: Value]) async throws -> any Meter {
    try await SigrokDriver().open(
      name: "bridge", options: options.merging(["patience": .number(5)]) { a, _ in a },
      through: LocalConnection(), until: soon)
  }

  static func supply(_ server: SimulatedSCPI) -> [String: Value] {
    [
      "device": "scpi-pps", "conn": .text("tcp-raw/127.0.0.1/\(server.port)"),
      "channels": .list(["V1", "I1"])
    ]
  }

  @Test func readsTheDemoDevice() async throws {
    let meter = try await Self.open([
      "device": "demo", "channels": .list(["A0", "A4"]), "config": .map(["samplerate": "200"])
    ])
    #expect(meter.identity.model == "Demo device" && meter.channels.map(\.name) == ["A0", "A4"])
    #expect(meter.channels.allSatisfy { $0.kind == .voltage })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 100))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.witnesses.isEmpty)
    // Its first pattern is a square of ±10 V.
    #expect(Set(sink.codes(0)) == [-100_000_000, 100_000_000])
    let times = sink.times()
    #expect(zip(times.dropFirst(), times).allSatisfy { $0 > $1 })
    // Late by anything up to 'delay', and so the figures say.
    #expect(summary.clock.residual == 1e8 && summary.clock.uncertainty > 2.8e7)
  }

  /// What it reads of the simulated supply is what that answered, to the digits that sigrok-cli prints.
  @Test func readsASupplyThroughSigroksDriver() async throws {
    let server = try SCPIMeterTests.server(.dp832)
    let meter = try await Self.open(Self.supply(server))
    #expect(meter.identity.model.contains("DP832"))
    #expect(meter.identity.serial == "DP8C000000001")
    // Voltage and current of one output are a power.
    #expect(try MeterSite.all(of: meter.channels, meter: meter.identity).count == 1)
    let before = server.instrument.now.answers.count
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 30))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil)
    #expect(sink.codes(0).allSatisfy { $0 == 50_000_000 })
    let said = server.instrument.now.answers.dropFirst(before).filter { $0.quantity == .current }
    let currents = sink.codes(1).map { Double($0) * 1e-10 }
    #expect(currents.count >= 29)
    // It asks some more at its begin.
    let shift = (0..<10).first { shift in
      zip(said.dropFirst(shift), currents).allSatisfy { answer, value in
        abs((Double(answer.text) ?? -1) - value) < 0.000_051
      }
    }
    #expect(shift != nil, "\(said.prefix(5).map(\.text)) \(currents.prefix(5))")
  }

  @Test(arguments: [
    (SCPIFaults.Event.cut, MeterFailure.Code.gone), (.silent, .timedOut)
  ])
  func whatCameBeforeTheEndIsKept(event: SCPIFaults.Event, code: MeterFailure.Code) async throws {
    var faults = SCPIFaults()
    faults.events[40] = event
    let server = try SCPIMeterTests.server(.dp832, faults)
    let meter = try await Self.open(
      Self.supply(server).merging(["patience": .number(1)]) { $1 })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let limit = Deadline.after(seconds: 8).ended(with: meter)
    #expect(limit.wait() == .interrupted)
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    #expect(summary.failure?.message.contains("bridge") == true)
    // Of an answer that broke off sigrok makes a current of nothing, which is not among these.
    #expect(sink.codes(1).count >= 8 && sink.codes(1).allSatisfy { $0 > 400_000_000 })
  }

  @Test func whatIsNotThereIsToldSo() async throws {
    for (options, code) in [
      (["device": "nosuch"], MeterFailure.Code.notFound),
      (["device": "scpi-pps", "conn": "tcp-raw/127.0.0.1/9"], .notFound),
      (["device": "demo", "channels": .list(["X9"])], .notFound),
      (["device": "demo", "channels": .list(["D0"])], .unsupported)
    ] as [([String: Value], MeterFailure.Code)] {
      let failure = await meterFailure { _ = try await Self.open(options) }
      #expect(failure?.code == code, "\(options): \(String(describing: failure))")
      #expect(failure?.message.hasPrefix("bridge: sigrok ") == true)
    }
  }
}
