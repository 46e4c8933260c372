import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// The driver against simulated instruments over TCP, whose waveform is known.
@Suite(.timeLimit(.minutes(2)))
struct SCPIMeterTests {
  static func open(
    _ server: SimulatedSCPI, _ more: [String: Value] = [:]
  ) async throws -> any Meter {
    try await open(port: server.port, more)
  }

  static func open(port: UInt16, _ more: [String: Value] = [:]) async throws -> any Meter {
    var options: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(port)), "settle": .number(0),
      "patience": .number(1)
    ]
    options.merge(more) { $1 }
    return try await SCPIDriver().open(
      name: "psu", options: options, through: LocalConnection(), until: soon)
  }

  static func server(
    _ model: SCPIModel, _ faults: SCPIFaults = SCPIFaults(), volts: Double? = 5
  ) throws -> SimulatedSCPI {
    try SimulatedSCPI(SCPIInstrument(model, faults: faults, volts: volts))
  }

  /// Each sample is what was answered, to the last digit, in order; and its time is within its round of when
  /// the value was taken.
  @Test(arguments: SCPIModel.allCases)
  func measuresWhatIsAnswered(model: SCPIModel) async throws {
    let server = try Self.server(model)
    let meter = try await Self.open(server)
    #expect(meter.identity.verified == "simulator only" && meter.identity.driver == "scpi")
    #expect(
      meter.identity.model == model.identity.split(separator: ",").prefix(2).joined(separator: " "))
    #expect(server.instrument.now.settings.isEmpty && server.instrument.now.unknown.isEmpty)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 60))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 0 && sink.events.isEmpty, "\(sink.events)")
    #expect(server.instrument.now.unknown.isEmpty, "\(server.instrument.now.unknown)")
    let answers = server.instrument.now.answers
    for (index, channel) in meter.channels.enumerated() {
      let said = answers.filter { $0.quantity.rawValue == channel.kind?.rawValue }
      let codes = sink.codes(index)
      #expect(codes.count == said.count && summary.samples[index] == Int64(codes.count))
      let times = sink.times(index)
      for (place, code) in codes.enumerated() where place < said.count {
        let value = try #require(Double(said[place].text))
        #expect(abs(channel.value(of: code) - value) <= 1e-6 * channel.scale + 1e-15 * abs(value))
        let off = abs(times[place] - said[place].time)
        #expect(Double(off) <= summary.clock.residual + 1, "\(off) ns of \(summary.clock.residual)")
      }
    }
    #expect(summary.clock.uncertainty > 0 && summary.clock.uncertainty <= summary.clock.residual)
  }

  @Test func channelsAreSitesOfTheirOwn() async throws {
    for model in [SCPIModel.n6705, .dp832, .spd3303, .ngm202, .hmc8043] {
      let server = try Self.server(model)
      let meter = try await Self.open(
        server, ["channels": .list([.integer(1), .integer(2)]), "read": .list(["current"])])
      #expect(meter.channels.map(\.name) == ["ch1.current", "ch2.current"])
      #expect(meter.channels.map(\.site) == ["ch1", "ch2"])
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(sink.wait(for: 5))
      _ = await meter.stop(until: soon)
      // The second one is off.
      #expect(
        sink.codes(0).allSatisfy { $0 > 0 } && sink.codes(1).allSatisfy { $0 == 0 }, "\(model)")
      await meter.close()
    }
  }

  @Test func aRateIsKept() async throws {
    let server = try Self.server(.dp832)
    let meter = try await Self.open(server, ["rate": .number(100)])
    #expect(meter.rate == 100)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 50))
    let summary = await meter.stop(until: soon)
    await meter.close()
    let times = sink.times()
    let late = sink.events.filter { $0.kind == .overrun }.compactMap(\.count).reduce(0, +)
    let span = Double(times[times.count - 1] - times[0]) / 1e7
    // As many as there were ticks, less those that a busy machine left out.
    #expect(
      abs(span - Double(times.count - 1) - Double(late)) < 3, "\(span), \(times.count), \(late)")
    #expect(summary.failure == nil)
  }

  @Test(arguments: [
    (SCPIFaults.Event.overload, CaptureEvent.Kind.saturation), (.notANumber, .gap), (.wrong, .gap)
  ])
  func whatIsNoValueIsAGap(event: SCPIFaults.Event, kind: CaptureEvent.Kind) async throws {
    var faults = SCPIFaults()
    faults.events[11] = event
    let server = try Self.server(.generic, faults)
    let meter = try await Self.open(server, ["read": .list(["current"])])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 20))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 1)
    let gaps = sink.events.filter { $0.kind == .gap }
    #expect(sink.events.contains { $0.kind == kind } && gaps.count == 1, "\(sink.events)")
    let times = sink.times()
    #expect(gaps.first?.from == times[9] && gaps.first?.to == times[10] && gaps.first?.count == 1)
    // None of what was measured is beyond what the board draws.
    #expect(sink.codes(0).allSatisfy { (0...2_000_000_000).contains($0) })
  }

  @Test func lateAnswersWidenTheTimes() async throws {
    var faults = SCPIFaults()
    faults.events[6] = .slow(0.2)
    let server = try Self.server(.dp832, faults)
    let meter = try await Self.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.clock.residual >= 0.1e9)
    #expect((summary.counts["longest round"]?.number ?? 0) >= 0.2)
  }

  @Test func splitAnswersAreJoined() async throws {
    var faults = SCPIFaults()
    faults.pieces = 1
    let server = try Self.server(.dp832, faults)
    let meter = try await Self.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 5))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 0)
    #expect(sink.codes(0).allSatisfy { $0 == 50_000_000 })
  }

  /// One answer too many is thrown away before the next question.
  @Test func answersThatNobodyAskedForAreThrownAway() async throws {
    var faults = SCPIFaults()
    faults.events[5] = .twice
    let server = try Self.server(.dp832, faults)
    let meter = try await Self.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 20))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil)
    #expect(summary.counts["stray answers"] == .integer(1))
    #expect(sink.codes(0).allSatisfy { $0 == 50_000_000 })
  }

  /// Where each answer is the one to the question before, voltages would be read as currents: none gets out.
  @Test func answersThatAreOutOfStepAreNeverGivenOut() async throws {
    var faults = SCPIFaults()
    faults.events[21] = .shift
    let server = try Self.server(.generic, faults)
    let meter = try await Self.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    usleep(900_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .malfunction)
    #expect(summary.failure?.message.contains("psu: 127.0.0.1:\(server.port)") == true)
    #expect(summary.lost > 0 && sink.codes(0).allSatisfy { $0 == 50_000_000 })
    #expect(sink.events.contains { $0.kind == .gap })
    #expect(summary.samples[0] == Int64(sink.codes(0).count))
    await meter.close()
  }

  @Test(arguments: [
    (SCPIFaults.Event.silent, MeterFailure.Code.timedOut), (.cut, .gone)
  ])
  func whatCameBeforeTheEndIsKept(event: SCPIFaults.Event, code: MeterFailure.Code) async throws {
    var faults = SCPIFaults()
    faults.events[31] = event
    let server = try Self.server(.dp832, faults)
    let meter = try await Self.open(server, ["patience": .number(0.3)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 30))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    #expect(summary.failure?.message.contains("psu: 127.0.0.1:\(server.port)") == true)
    #expect(sink.codes(0).count == 30 && summary.samples[0] == 30)
    // The next time it is connected anew.
    if event == .cut {
      try await meter.start(into: sink, until: soon)
      #expect(await meter.stop(until: soon).failure == nil)
    }
    await meter.close()
  }

  @Test func answersWithoutNumbersEndIt() async throws {
    var faults = SCPIFaults()
    faults.events[10] = .wrong
    faults.isLasting = true
    let server = try Self.server(.dp832, faults)
    let meter = try await Self.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    usleep(300_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .malfunction)
    #expect(summary.failure?.evidence.contains("ERROR: busy") == true)
    await meter.close()
  }

  @Test func whatIsNoInstrumentIsToldSo() async throws {
    var faults = SCPIFaults()
    faults.identity = "SSH-2.0-OpenSSH_9.2"
    let server = try Self.server(.generic, faults)
    let failure = await meterFailure { _ = try await Self.open(server) }
    #expect(failure?.code == .malfunction && failure?.evidence.contains("SSH") == true)
    // Nothing listens there.
    let port = server.port
    server.stop()
    let nobody = await meterFailure { _ = try await Self.open(port: port) }
    #expect(nobody?.code == .connection && nobody?.message.contains("127.0.0.1:\(port)") == true)
  }

  @Test func whatItDoesNotHaveIsRefused() async throws {
    let server = try Self.server(.spd3303)
    for (options, code) in [
      (["channels": .list([.integer(3)])], MeterFailure.Code.notFound),
      (["read": .list(["power", "voltage"]), "profile": "rs-ngm202"], .unsupported),
      (["logging": .boolean(true)], .unsupported),
      (["profile": "siglent-sdm3055", "read": .list(["voltage", "current"])], .unsupported)
    ] as [([String: Value], MeterFailure.Code)] {
      let failure = await meterFailure { _ = try await Self.open(server, options) }
      #expect(failure?.code == code, "\(options): \(String(describing: failure))")
    }
    #expect(server.instrument.now.settings.isEmpty)
  }

  @Test func severalMeasureAtOnce() async throws {
    let server = try Self.server(.dp832)
    let slow: SimulatedSCPI = try {
      var faults = SCPIFaults()
      faults.delay = 0.05
      return try Self.server(.hmc8043, faults)
    }()
    let (first, second) = (try await Self.open(server), try await Self.open(slow))
    let (one, other) = (CollectingSink(), CollectingSink())
    try await second.start(into: other, until: soon)
    try await first.start(into: one, until: soon)
    #expect(one.wait(for: 100))
    let summaries = [await first.stop(until: soon), await second.stop(until: soon)]
    #expect(summaries.allSatisfy { $0.failure == nil })
    #expect(other.codes(0).count < one.codes(0).count)
    await first.close()
    await second.close()
  }
}
