import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// The driver against simulated plugs, whose conversions are known: 4 W and 6 W in turns.
@Suite(.timeLimit(.minutes(2)))
struct PlugMeterTests {
  static let models: [SimulatedPlug.Model] = [.tasmota(password: nil), .shelly1, .shelly2]

  static func serve(
    _ model: SimulatedPlug.Model, outputs: Int = 1, update: Double = 0.1
  ) throws -> (SimulatedPlug, DeviceServer) {
    let plug = SimulatedPlug(model, outputs: outputs, meter: PlugMeter(update: update))
    return (plug, try DeviceServer(tcp: plug))
  }

  static func open(
    _ server: DeviceServer, _ model: SimulatedPlug.Model, _ more: [String: Value] = [:]
  ) async throws -> any Meter {
    let isTasmota = if case .tasmota = model { true } else { false }
    var options: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(server.address) ?? 0), "rate": .number(40),
      "model": isTasmota ? "tasmota" : "shelly", "update": .number(0.1), "patience": .number(1)
    ]
    options.merge(more) { $1 }
    return try await PlugDriver().open(
      name: "plug", options: options, through: LocalConnection(), until: soon)
  }

  @Test(arguments: models)
  func measuresWhatThePlugConverts(model: SimulatedPlug.Model) async throws {
    let (plug, server) = try Self.serve(model)
    let meter = try await Self.open(server, model)
    #expect(meter.identity.verified == "simulator only" && !meter.identity.serial.isEmpty)
    #expect(meter.channels.map(\.name) == ["power"])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 12))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 0)
    #expect(summary.samples == [Int64(sink.codes(0).count)])
    #expect(Set(sink.codes(0)) == [4000, 6000])
    // Four questions to a conversion: most of what it told is no measurement of its own.
    let repeats = sink.events.first { $0.kind == .repeats }
    #expect((repeats?.count ?? 0) > Int64(sink.codes(0).count) / 2, "\(sink.events)")
    #expect(meter.channels[0].averagingTime == 0.1)
    // It was asked, and not switched.
    #expect(plug.outputs == [true])
  }

  /// Its own counter tells the energy: of voltage and current at the mains none comes.
  @Test func countersOfEnergyAreReadWhenAskedFor() async throws {
    let (_, server) = try Self.serve(.shelly2, update: 0.05)
    let kinds: [Value] = ["energy", "voltage", "current"]
    let meter = try await Self.open(server, .shelly2, ["read": .list(kinds)])
    #expect(meter.channels.map(\.site) == ["", "mains-voltage", "mains-current"])
    let sites = try MeterSite.all(of: meter.channels, meter: meter.identity)
    #expect(sites.map(\.source) == [.counter(0)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 40))
    _ = await meter.stop(until: soon)
    let (times, codes) = (sink.times(), sink.codes(0))
    let seconds = Double(times[times.count - 1] - times[0]) / 1e9
    let joules = Double(codes[codes.count - 1] - codes[0]) * meter.channels[0].scale
    // Steps of 3.6 J, and a conversion at both ends.
    #expect(abs(joules - 5 * seconds) < 8, "\(joules) J in \(seconds) s")
    #expect(meter.channels[0].accuracy?.resolution == 3.6)
    // A counter that stands still is no repeat.
    #expect(sink.events.allSatisfy { $0.channel != 0 })
    await meter.close()
    let alone = try await Self.open(server, .shelly2, ["read": .list(["voltage", "current"])])
    #expect(throws: (any Error).self) {
      try MeterSite.all(of: alone.channels, meter: alone.identity)
    }
    await alone.close()
  }

  @Test func severalOutputsOfOnePlug() async throws {
    let (_, server) = try Self.serve(.tasmota(password: nil), outputs: 2)
    let meter = try await Self.open(server, .tasmota(password: nil), ["output": 2])
    #expect(meter.identity.location.hasSuffix("output 2"))
    await meter.close()
    let failure = await meterFailure {
      _ = try await Self.open(server, .tasmota(password: nil), ["output": 3])
    }
    #expect(failure?.code == .unsupported || failure?.code == .malfunction, "\(failure as Any)")
  }

  @Test(arguments: [
    (DeviceFault.cut, MeterFailure.Code.gone), (.half, .timedOut), (.silent, .timedOut),
    (.garbage, .malfunction), (.otherDevice, .malfunction)
  ])
  func whatCameBeforeTheEndIsKept(fault: DeviceFault, code: MeterFailure.Code) async throws {
    let (plug, server) = try Self.serve(.shelly2)
    let meter = try await Self.open(server, .shelly2, ["patience": .number(0.5)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    plug.fault = fault
    _ = Deadline.after(seconds: 5).ended(with: meter).wait()
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    #expect(summary.failure?.message.contains("plug: 127.0.0.1:\(server.address)") == true)
    #expect(sink.codes(0).count >= 10 && Set(sink.codes(0)).isSubset(of: [4000, 6000]))
  }

  /// A packet that is lost now and then is a gap, and no more.
  @Test func oneAnswerThatIsMissingIsAGap() async throws {
    let (plug, server) = try Self.serve(.shelly1)
    let meter = try await Self.open(server, .shelly1)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 5))
    plug.fault = .cut
    // Two questions or three.
    usleep(60_000)
    plug.fault = .none
    #expect(sink.wait(for: 20))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost >= 1, "\(summary)")
    let gap = try #require(sink.events.first { $0.kind == .gap })
    #expect(gap.note.contains("no answer") && sink.times().contains(gap.from))
  }

  @Test func lateAnswersWidenTheTimes() async throws {
    let (plug, server) = try Self.serve(.shelly2)
    let meter = try await Self.open(server, .shelly2)
    plug.fault = .late(seconds: 0.15)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.clock.residual >= 0.07e9)
    #expect((summary.counts["overruns"]?.integer ?? 0) > 0)
  }

  @Test func passwordsAreSentAndNeverShown() async throws {
    let path = NSTemporaryDirectory() + "kelvin-plug-\(getpid())"
    try "right 1&2\n".write(toFile: path, atomically: true, encoding: .utf8)
    chmod(path, 0o600)
    defer { unlink(path) }
    let model = SimulatedPlug.Model.tasmota(password: "right 1&2")
    let (_, server) = try Self.serve(model)
    let meter = try await Self.open(server, model, ["password-from": .text("file:\(path)")])
    await meter.close()
    let none = await meterFailure { _ = try await Self.open(server, model) }
    #expect(none?.code == .permission)
    try "wrong-9\n".write(toFile: path, atomically: false, encoding: .utf8)
    let wrong = await meterFailure {
      _ = try await Self.open(server, model, ["password-from": .text("file:\(path)")])
    }
    #expect(wrong?.code == .permission)
    #expect("\(wrong?.message ?? "") \(wrong?.evidence ?? "")".contains("wrong-9") == false)
  }

  /// A device that wants a login by challenge gets it, and no other.
  @Test(arguments: [
    "Digest qop=\"auth\", realm=\"plug\", nonce=\"6ab\", algorithm=SHA-256", "Basic realm=\"x\""
  ])
  func challengesAreAnswered(challenge: String) async throws {
    setenv("KELVIN_TEST_PLUG", "secret", 1)
    defer { unsetenv("KELVIN_TEST_PLUG") }
    let device = ChallengingDevice(challenge)
    let server = try DeviceServer(tcp: device)
    let http = try MeterHTTP(
      [
        "host": "127.0.0.1", "port": .integer(Int64(server.address) ?? 0),
        "password-from": "env:KELVIN_TEST_PLUG"
      ], port: 80, of: "plug")
    let answer = try http.object("/rpc/Switch.GetStatus?id=0", until: soon)
    let header = try #require(answer["authorization"]?.text)
    #expect(header.hasPrefix(challenge.prefix(5)) && !header.contains("secret"))
    if challenge.hasPrefix("Digest") {
      #expect(header.contains("nonce=\"6ab\"") && header.contains("username=\"admin\""))
    }
  }

  @Test func whatHasNoMeterIsToldSo() async throws {
    for model in Self.models {
      let server = try DeviceServer(tcp: SimulatedPlug(model))
      let failure = await meterFailure {
        _ = try await Self.open(server, model, ["read": .list(["current"])])
      }
      #expect(failure?.code == .unsupported || failure?.code == .malfunction, "\(failure as Any)")
    }
    let (_, server) = try Self.serve(.shelly1)
    let other = await meterFailure {
      _ = try await Self.open(server, .shelly1, ["model": "tasmota"])
    }
    #expect(other?.code == .malfunction)
    server.stop()
    let nobody = await meterFailure { _ = try await Self.open(server, .shelly1) }
    #expect(nobody?.code == .connection)
  }
}

/// Wants a login, and then tells what it was given.
private final class ChallengingDevice: SimulatedDevice {
  let closesAfterAnswer = true
  let fault = DeviceFault.none
  private let challenge: String

  init(_ challenge: String) { self.challenge = challenge }

  func answer(_ received: inout [UInt8]) -> [UInt8]? {
    let text = String(decoding: received, as: UTF8.self)
    guard text.hasSuffix("\r\n\r\n") else { return nil }
    received = []
    let line = text.split(separator: "\r\n").first { $0.hasPrefix("Authorization: ") }
    guard let line else {
      return Array(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: \(challenge)\r\nContent-Length: 0\r\n\r\n"
          .utf8)
    }
    let body = Value.map(["authorization": .text(String(line.dropFirst(15)))]).json
    return Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
  }
}
