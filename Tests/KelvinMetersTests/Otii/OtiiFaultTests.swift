import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// What goes wrong with an Otii or its server: a typed failure, and the samples so far.
@Suite(.timeLimit(.minutes(2)))
struct OtiiFaultTests {
  /// Measures until a fault at an answer has had its time.
  static func measure(
    _ event: OtiiFaults.Event, isEnd: Bool = false, at number: Int = 4, samples: Int = 2400
  ) async throws -> (summary: CaptureSummary, sink: CollectingSink, otii: SimulatedOtii) {
    var faults = OtiiFaults()
    faults.events[number] = event
    let (otii, server) = try OtiiMeterTests.serve(.arc, faults)
    // Short where it is waited for; long where a busy machine must not be taken for a fault.
    let isWaiting = event == .silent || event == .half || event == .stall
    let only: [String: Value] = [
      "channels": .list(["main-current"]), "patience": .number(isWaiting ? 0.5 : 2)
    ]
    let meter = try await OtiiMeterTests.open(
      server, only.merging(OtiiMeterTests.supply) { $1 })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let limit = Deadline.after(seconds: 5)
    while otii.now.said < number, !limit.hasPassed { usleep(5000) }
    if isEnd {
      _ = Deadline.after(seconds: 5).ended(with: meter).wait()
    } else {
      #expect(sink.wait(for: samples))
    }
    let summary = await meter.stop(until: soon)
    await meter.close()
    let port = server.address
    if let failure = summary.failure {
      #expect(failure.message.contains("otii: 127.0.0.1:\(port)"), "\(failure)")
    }
    return (summary, sink, otii)
  }

  @Test(arguments: [
    (OtiiFaults.Event.silent, MeterFailure.Code.timedOut), (.half, .timedOut), (.cut, .gone),
    (.garbage, .malfunction), (.otherAnswer, .malfunction), (.unplug, .gone), (.stall, .timedOut),
    (.back, .malfunction)
  ])
  func whatCameBeforeTheEndIsKept(
    event: OtiiFaults.Event, code: MeterFailure.Code
  ) async throws {
    let (summary, sink, otii) = try await Self.measure(event, isEnd: true)
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    let codes = sink.codes(0)
    let channel = OtiiChannel.mainCurrent.channel(nil)
    #expect(codes.count >= 400 && codes == OtiiMeterTests.truth(channel, "mc", count: codes.count))
    #expect(summary.samples == [Int64(codes.count)])
    // Whatever the connection went through, the output is off and the license is given back.
    let now = otii.now
    if event != .unplug { #expect(!now.isOn && now.recordings.allSatisfy { $0.end != nil }) }
    #expect(now.holders == [""])
  }

  @Test func lateAnswersAreWaitedFor() async throws {
    let (summary, sink, _) = try await Self.measure(.late(0.2))
    #expect(summary.failure == nil && summary.lost == 0 && sink.events.isEmpty)
  }

  @Test func gapsByTheTimeStampsAreTold() async throws {
    let (summary, sink, _) = try await Self.measure(.gap(20))
    #expect(summary.failure == nil && summary.lost == 20)
    let gap = try #require(sink.events.first)
    #expect(gap.kind == .gap && gap.count == 20 && sink.events.count == 1)
    #expect(gap.to - gap.from == 21 * 250_000)
    let times = sink.times()
    #expect(times.contains(gap.from) && times.contains(gap.to))
  }

  /// Some tenths of a second that no time stamp tells of: what is missing is found by this machine's clock.
  @Test func lossesWithoutTimeStampsAreToldByTheClock() async throws {
    var faults = OtiiFaults()
    faults.events[5] = .loss(0.6)
    let (_, server) = try OtiiMeterTests.serve(.arc, faults)
    let meter = try await OtiiMeterTests.open(
      server, ["channels": .list(["main-current"]), "patience": .number(2)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    let limit = Deadline.after(seconds: 12)
    while sink.events.isEmpty, !limit.hasPassed { usleep(20_000) }
    let summary = await meter.stop(until: soon)
    await meter.close()
    let gap = try #require(sink.events.first, "\(summary)")
    #expect(gap.kind == .gap && summary.failure == nil)
    #expect(abs(gap.to - gap.from - 600_000_000) < 200_000_000, "\(gap)")
    #expect(summary.lost == gap.count)
  }

  @Test func valuesThatAreNoneAreTold() async throws {
    let (summary, sink, _) = try await Self.measure(.null)
    #expect(summary.failure == nil && summary.lost == 1)
    #expect(sink.events.map(\.kind) == [.error])
    #expect(sink.codes(0).allSatisfy { (40_000_000...160_000_000).contains($0) })
  }

  @Test func theServerMustBeOneAndFree() async throws {
    var denying = OtiiFaults()
    denying.isDenying = true
    var foreign = OtiiFaults()
    foreign.greeting = "SSH-2.0-OpenSSH_9.2"
    var old = OtiiFaults()
    old.version = "2.8.4"
    var taken = OtiiFaults()
    taken.licensesAreTaken = true
    var none = OtiiFaults()
    none.licenses = 0
    var locked = OtiiFaults()
    locked.password = "secret"
    for (faults, code) in [
      (denying, MeterFailure.Code.busy), (foreign, .malfunction), (old, .unsupported),
      (taken, .busy),
      (none, .permission), (locked, .permission)
    ] {
      let (otii, server) = try OtiiMeterTests.serve(.arc, faults)
      let failure = await meterFailure { _ = try await OtiiMeterTests.open(server) }
      #expect(failure?.code == code, "\(String(describing: failure))")
      #expect(failure?.message.contains("otii: 127.0.0.1:\(server.address)") == true)
      #expect(otii.now.settings.isEmpty)
    }
    var busy = OtiiFaults()
    busy.isRecording = true
    let (otii, server) = try OtiiMeterTests.serve(.arc, busy)
    let meter = try await OtiiMeterTests.open(server)
    let failure = await meterFailure {
      try await meter.start(into: CollectingSink(), until: soon)
    }
    #expect(failure?.code == .busy)
    await meter.close()
    // Somebody else's recording goes on.
    #expect(otii.now.recordings.first?.end == nil && otii.now.recordings.count == 1)
  }

  @Test func logsInAndOut() async throws {
    setenv("KELVIN_TEST_OTII", "secret", 1)
    defer { unsetenv("KELVIN_TEST_OTII") }
    var faults = OtiiFaults()
    faults.password = "secret"
    let (otii, server) = try OtiiMeterTests.serve(.arc, faults)
    let login: [String: Value] = ["user": "kelvin", "password-from": "env:KELVIN_TEST_OTII"]
    let meter = try await OtiiMeterTests.open(server, login)
    #expect(otii.now.isLoggedIn)
    await meter.close()
    #expect(
      otii.now.settings == [
        "otii_login", "otii_reserve_license", "otii_return_license", "otii_logout"
      ])
    // A wrong password is not repeated to anybody.
    setenv("KELVIN_TEST_OTII", "wrong-7", 1)
    let failure = await meterFailure { _ = try await OtiiMeterTests.open(server, login) }
    #expect(failure?.code == .permission)
    #expect("\(failure?.message ?? "") \(failure?.evidence ?? "")".contains("wrong-7") == false)
  }

  @Test func olderServersAreSpokenToAsWell() async throws {
    var faults = OtiiFaults()
    faults.isOld = true
    faults.hasNoProject = true
    let (otii, server) = try OtiiMeterTests.serve(.arc, faults)
    let meter = try await OtiiMeterTests.open(server)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(await meter.stop(until: soon).failure == nil)
    await meter.close()
    // The project was made for it.
    #expect(!otii.now.hasProject && otii.now.unknown.isEmpty)
  }

  @Test func theDeviceMustBeThereAndMeant() async throws {
    let (_, server) = try OtiiMeterTests.serve()
    let failure = await meterFailure {
      _ = try await OtiiMeterTests.open(server, ["device": "Other"])
    }
    #expect(failure?.code == .notFound && failure?.hint.contains(SimulatedOtii.name) == true)
    let meter = try await OtiiMeterTests.open(server, ["device": .text(SimulatedOtii.name)])
    await meter.close()
    server.stop()
    let nobody = await meterFailure { _ = try await OtiiMeterTests.open(server) }
    #expect(nobody?.code == .connection)
  }
}
