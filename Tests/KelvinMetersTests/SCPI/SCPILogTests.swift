import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// The instruments' own logging.
@Suite(.timeLimit(.minutes(1)))
struct SCPILogTests {
  /// Each current is the true one at its time, as well as the two clocks are known to go together.
  @Test(arguments: [(SCPIModel.n6705, 2000.0), (.ngm202, 1000)])
  func samplesByItsOwnClock(model: SCPIModel, rate: Double) async throws {
    var faults = SCPIFaults()
    faults.window = 10
    let server = try SCPIMeterTests.server(model, faults)
    let meter = try await SCPIMeterTests.open(
      server, ["logging": .boolean(true), "rate": .number(rate)])
    #expect(meter.rate == rate && meter.channels.map(\.name) == ["voltage", "current"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let log = try #require(server.instrument.now.log)
    #expect(sink.wait(for: Int(1.3 * rate)))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(sink.events)")
    #expect(server.instrument.now.log == nil)
    await meter.close()
    let (times, codes) = (sink.times(1), sink.codes(1))
    #expect(times.count == codes.count && sink.times(0) == times)
    // It rounds to multiples of its own.
    let period = log.period
    for (place, code) in codes.enumerated() {
      let time = log.begin + Int64((Double(place) + 0.5) * period)
      let truth = Double(Float(server.instrument.truth(.current, 1, at: time)))
      #expect(abs(meter.channels[1].value(of: code) - truth) <= 1e-10, "\(place) \(truth)")
    }
    let steps = zip(times, times.dropFirst()).map { Double($1 - $0) }
    #expect(steps.allSatisfy { abs($0 - period) < 2 })
    // Late by what the first pieces took to come: never early.
    let first = summary.clock.host(times[0]) - log.begin
    #expect(first > -5_000_000 && first < 250_000_000, "\(first) ns")
    #expect(server.instrument.now.unknown.isEmpty, "\(server.instrument.now.unknown)")
  }

  /// What the instrument has overwritten is a gap with its count, and later samples have the right times.
  @Test func aPieceThatIsLostIsTold() async throws {
    var faults = SCPIFaults()
    faults.window = 10
    faults.lostPiece = 4
    let server = try SCPIMeterTests.server(.ngm202, faults)
    let meter = try await SCPIMeterTests.open(
      server, ["logging": .boolean(true), "rate": .number(1000)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 1300))
    let summary = await meter.stop(until: soon)
    await meter.close()
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(summary.failure == nil && summary.lost == 250 && gaps.map(\.count) == [250], "\(gaps)")
    let (times, codes) = (sink.times(1), sink.codes(1))
    // 1000 samples before it, and 250 times the period more behind.
    #expect(times[1000] - times[999] == 251_000_000)
    let slope = SCPIWaveform.slope(1)
    for place in [999, 1000, 1200] {
      let seconds = Double(times[place] - times[0]) / 1e9
      let start = meter.channels[1].value(of: codes[0])
      #expect(abs(meter.channels[1].value(of: codes[place]) - start) <= slope * seconds + 1e-6)
    }
  }

  @Test func ratesThatItDoesNotHaveAreRefused() async throws {
    let keysight = try SCPIMeterTests.server(.n6705)
    let rohde = try SCPIMeterTests.server(.ngm202)
    for (server, rate) in [(keysight, 9000.0), (rohde, 2000)] {
      let failure = await meterFailure {
        _ = try await SCPIMeterTests.open(
          server, ["logging": .boolean(true), "rate": .number(rate)])
      }
      #expect(failure?.code == .invalid, "\(rate)")
    }
    // One value alone may be logged twice as fast.
    _ = try await SCPIMeterTests.open(
      keysight, ["logging": .boolean(true), "rate": .number(9000), "read": .list(["current"])])
  }

  /// An instrument whose firmware has no logging says so in its queue of errors.
  @Test func firmwareWithoutItIsTold() async throws {
    let server = try SCPIMeterTests.server(.generic)
    let meter = try await SCPIMeterTests.open(
      server, ["logging": .boolean(true), "profile": "keysight-n6705"])
    let failure = await meterFailure {
      try await meter.start(into: CollectingSink(), until: soon)
    }
    #expect(failure != nil && [.malfunction, .timedOut].contains(failure?.code))
    await meter.close()
  }
}
