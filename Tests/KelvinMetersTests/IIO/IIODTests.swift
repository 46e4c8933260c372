import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// The driver against a simulated iiod over TCP, whose waveform is known.
@Suite(.timeLimit(.minutes(1)), .serialized)
struct IIODTests {
  func open(_ server: SimulatedIIOD, _ options: [String: Value] = [:]) async throws -> any Meter {
    try await open(port: server.port, options)
  }

  func open(port: UInt16, _ options: [String: Value] = [:]) async throws -> any Meter {
    var all: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(port)), "device": "probe1"
    ]
    for (name, value) in options { all[name] = value }
    return try await IIODDriver().open(
      name: "acme", options: all, through: LocalConnection(), until: soon)
  }

  /// Whether the capture comes to its end by itself.
  func hasEnded(_ meter: any Meter) throws -> Bool {
    let isOver = try #require((meter as? IIODMeter)?.isOver)
    return soon.wait(for: isOver.descriptor) == .ready
  }

  @Test func capturesWhatIsTrue() async throws {
    let folder = try Folder()
    let board = IIODBoard(rate: 2000, clockOffset: 5_000_000_000, clockSkew: 100e-6)
    let server = try SimulatedIIOD(board, truthPath: folder.path + "/truth.csv")
    let meter = try await open(server)
    #expect(meter.channels.map(\.name) == ["voltage0", "voltage1", "power2", "current3"])
    #expect(meter.channels.map(\.unit) == ["V", "V", "W", "A"])
    #expect(meter.rate == 2000)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 4000))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0 && sink.events.isEmpty)
    let times = sink.times()
    #expect(summary.samples == Array(repeating: Int64(times.count), count: 4))
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    let current = sink.codes(3).map { meter.channels[3].value(of: $0) }
    let voltage = sink.codes(1).map { meter.channels[1].value(of: $0) }
    // Half a step of the converter.
    for (index, time) in times.enumerated() {
      let truth = IIODBoard.truth(at: time)
      #expect(abs(current[index] - truth.current) <= 0.126e-3)
      #expect(abs(voltage[index] - truth.voltage) <= 0.63e-3)
    }
    // The file has the same truth.
    let line = try #require(folder.read("truth.csv").split(separator: "\n").dropFirst().first)
    #expect(Int64(line.prefix { $0 != "," }) == times.first)
    // The board's clock is 5 s ahead.
    let last = try #require(times.last)
    let host = summary.clock.host(last)
    #expect(abs(host - (last - 5_000_000_000)) < 50_000_000)
    #expect(summary.clock.count > 10 && !summary.witnesses.isEmpty)
    // Put back.
    #expect(board.value(["iio:device0", "current_timestamp_clock"]) == "realtime")
    #expect(summary.counts["not put back"] == nil)
    await meter.close()
  }

  @Test func takesChosenChannelsAndTheShunt() async throws {
    let board = IIODBoard(rate: 500)
    let server = try SimulatedIIOD(board)
    for device in ["probe1", "probe2"] {
      let meter = try await open(
        server,
        [
          "device": .text(device), "channels": ["current3"], "shunt": 0.05, "oversampling": 16,
          "shunt-tolerance": 0.01
        ])
      #expect(meter.channels.map(\.name) == ["current3"])
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      let id = device == "probe1" ? "iio:device0" : "iio:device1"
      #expect(board.value([id, "in_shunt_resistor"]) == "0.050000000")
      #expect(board.value([id, "in_oversampling_ratio"]) == "16")
      #expect(sink.wait(for: 100))
      let summary = await meter.stop(until: soon)
      #expect(summary.failure == nil)
      for (time, code) in zip(sink.times(), sink.codes(0)) {
        let truth = IIODBoard.truth(at: time).current
        #expect(abs(meter.channels[0].value(of: code) - truth) <= 0.026e-3)
      }
      #expect(abs((meter.channels[0].accuracy?.gain ?? 0) - 0.011) < 1e-12)
      #expect(board.value([id, "in_shunt_resistor"]) == "0.010000000")
      #expect(board.value([id, "in_oversampling_ratio"]) == "4")
    }
  }

  @Test func mayBeStartedAgain() async throws {
    let server = try SimulatedIIOD(IIODBoard(rate: 1000))
    let meter = try await open(server)
    for _ in 0..<3 {
      let sink = CollectingSink()
      try await meter.start(into: sink, until: soon)
      #expect(await meterFailure { try await meter.start(into: sink, until: soon) }?.code == .busy)
      #expect(sink.wait(for: 50))
      let summary = await meter.stop(until: soon)
      #expect(summary.samples.first == Int64(sink.times().count))
      #expect(await meter.stop(until: soon) == summary)
    }
  }

  /// What each fault must come to: the code, and no sample that was whole before it lost.
  @Test(arguments: [
    (IIODFault.cut(after: 130), MeterFailure.Code.gone, 130),
    (.truncated(after: 130), .gone, 130), (.ioError(after: 130), .malfunction, 100),
    (.hugeLength(after: 130), .malfunction, 100), (.byteLoss(after: 130), .malfunction, 130),
    (.wrongMask, .malfunction, 0)
  ])
  func endsAtAFaultWithWhatCame(
    fault: IIODFault, code: MeterFailure.Code, least: Int
  ) async throws {
    let board = IIODBoard(rate: 1000)
    let server = try SimulatedIIOD(board, fault: fault)
    let meter = try await open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: least))
    // It ends by itself, before it is told to.
    #expect(try hasEnded(meter))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    let times = sink.times()
    #expect(times.count >= least)
    if case .byteLoss = fault {
    } else {
      for (time, number) in zip(times, sink.codes(3)) {
        let truth = IIODBoard.truth(at: time).current
        #expect(abs(meter.channels[3].value(of: number) - truth) <= 0.126e-3)
      }
    }
    #expect(board.value(["iio:device0", "current_timestamp_clock"]) == "realtime")
  }

  @Test func countsWhatTheKernelsBufferLost() async throws {
    let server = try SimulatedIIOD(IIODBoard(rate: 1000), fault: .gap(after: 300, count: 25))
    let meter = try await open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 500))
    let summary = await meter.stop(until: soon)
    #expect(summary.lost == 25 && summary.failure == nil)
    #expect(sink.events.map(\.kind) == [.gap] && sink.events.first?.count == 25)
  }

  @Test func doesNotWaitForASilentDaemonForEver() async throws {
    let server = try SimulatedIIOD(IIODBoard(rate: 1000), fault: .stall(after: 50))
    let meter = try await open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(try hasEnded(meter))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .timedOut)
  }

  @Test(arguments: [IIODFault.truncatedDescription, .hugeDescription])
  func refusesADescriptionThatIsNone(fault: IIODFault) async throws {
    let server = try SimulatedIIOD(IIODBoard(), fault: fault)
    let found = await meterFailure { _ = try await open(server) }
    #expect(found?.code == .malfunction, "\(String(describing: found))")
  }

  @Test func saysWhatIsWrong() async throws {
    let server = try SimulatedIIOD(IIODBoard())
    var found = await meterFailure { _ = try await open(server, ["device": "probe9"]) }
    #expect(found?.code == .notFound && found?.hint.contains("iio:device1") == true)
    found = await meterFailure { _ = try await open(server, ["device": "ina226"]) }
    #expect(found?.code == .invalid)
    found = await meterFailure { _ = try await open(server, ["channels": ["current9"]]) }
    #expect(found?.code == .notFound && found?.hint.contains("current3") == true)
    for options in [["oversampling": 5], ["rate": 50], ["trigger": "t0"]] as [[String: Value]] {
      let meter = try await open(server, options)
      found = await meterFailure { try await meter.start(into: CollectingSink(), until: soon) }
      #expect(found != nil)
      #expect([.invalid, .unsupported, .notFound].contains(found?.code))
    }
    #expect(server.board.value(["iio:device0", "in_oversampling_ratio"]) == "4")
    let port = server.port
    server.stop()
    found = await meterFailure { _ = try await open(port: port) }
    #expect(found?.code == .connection)
  }
}
