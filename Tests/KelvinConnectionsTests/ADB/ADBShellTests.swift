import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Programs on devices, through Debian's adb server and without one.
@Suite(.timeLimit(.minutes(2)))
struct ADBShellTests {
  static let routes: [ADBRoute] = hasADB ? ADBRoute.allCases : [.direct]

  @Test(arguments: routes) func keepsStreamsAndStatusApart(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let result = try adbShell(
        reached.device, "printf 'a\\000b\\377'; printf 'x\\000y' >&2; exit 300")
      #expect(result.output == [97, 0, 98, 255])
      #expect(result.error == [120, 0, 121])
      #expect(result.status == 44)
    }
  }

  @Test(arguments: routes) func oldDevicesKeepStreamsApartToo(route: ADBRoute) async throws {
    try await ReachedADB.with(route, .old) { reached in
      let result = try adbShell(
        reached.device, "printf 'a\\000b\\377'; printf 'x\\000y' >&2; exit 300")
      #expect(result.output == [97, 0, 98, 255])
      #expect(result.error == [120, 0, 121])
      #expect(result.status == nil)
      // The pipes on the device have no names any more.
      #expect(!LocalFile.names(in: "/tmp").contains { $0.hasPrefix(".kelvin-") })
    }
  }

  struct Fault: Sendable, CustomTestStringConvertible {
    let kind: ADBDFault.Kind
    let code: ConnectionFailure.Code
    var testDescription: String { "\(kind)" }
  }
  static let faults = [
    Fault(kind: .drop(after: 5), code: .connectionLost),
    Fault(kind: .truncate(after: 5), code: .connectionLost),
    Fault(kind: .stall(after: 5), code: .timedOut), Fault(kind: .noExit, code: .connectionLost),
    Fault(kind: .mute, code: .timedOut), Fault(kind: .refuse, code: .unsupported)
  ]

  /// adb's own tool reports success for the first two.
  @Test(arguments: routes, faults)
  func aBrokenLinkIsNeverAResult(route: ADBRoute, fault: Fault) async throws {
    try await ReachedADB.with(route) { reached in
      _ = try reached.device.features(until: adbSoon())
      reached.daemon.fault = ADBDFault(fault.kind, service: "shell")
      let failure = adbFailure {
        try adbShell(reached.device, "echo 0; echo 1 >&2; exit 0", until: adbSoon(2))
      }
      #expect(failure?.code == fault.code)
      #expect(failure?.message.contains("127.0.0.1:\(reached.daemon.port)") == true)
    }
  }

  @Test(arguments: routes) func aDamagedHeadEndsTheLink(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      _ = try reached.device.features(until: adbSoon())
      reached.daemon.fault = ADBDFault(.corruptMagic(after: 0), service: "shell")
      let failure = adbFailure {
        try adbShell(reached.device, "echo 0", until: adbSoon(3))
      }
      #expect(failure?.code == .connectionLost || failure?.code == .timedOut)
    }
  }

  /// Without checksums damage goes through; devices that have them get it noticed.
  @Test func aDamagedPayloadIsNoticedByItsChecksum() async throws {
    try await ReachedADB.with(.direct, .old) { reached in
      reached.daemon.fault = ADBDFault(.corruptData, service: "exec")
      let failure = adbFailure {
        try adbShell(reached.device, "echo 0")
      }
      #expect(failure?.code == .connectionLost)
      #expect(failure?.message.contains("checksum") == true)
    }
  }

  @Test(arguments: routes) func comesBackAfterAReboot(route: ADBRoute) async throws {
    var settings = SimulatedADBD.Settings()
    settings.downSeconds = 0.5
    try await ReachedADB.with(route, settings) { reached in
      let cut = try ADBTransport(reached.device).open(until: adbSoon())
      try cut.send(all: Array("exec sleep 60\n".utf8), until: adbSoon())
      let begin = MonotonicTime.now
      try reached.device.reboot(until: adbSoon())
      let lost = adbFailure { try adbCollect(cut) }
      #expect(lost?.code == .connectionLost)
      try reached.device.reconnect(until: adbSoon(30))
      // adb's own server needs 10 s.
      #expect(MonotonicTime.now - begin < 6_000_000_000)
      #expect(try adbShell(reached.device, "echo again").output == Array("again\n".utf8))
    }
  }

  @Test(arguments: routes) func becomesRootAndBack(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let device = reached.device
      var users = [try device.userID(until: adbSoon())]
      var results = [try device.unroot(until: adbSoon())]
      results.append(try device.root(until: adbSoon(30)))
      users.append(try device.userID(until: adbSoon()))
      results.append(try device.root(until: adbSoon()))
      results.append(try device.unroot(until: adbSoon(30)))
      users.append(try device.userID(until: adbSoon()))
      #expect(users == [2000, 0, 2000])
      #expect(results == [.unchanged, .restarted, .unchanged, .restarted])
    }
  }

  @Test(arguments: routes) func aProductionBuildRefusesRoot(route: ADBRoute) async throws {
    var settings = SimulatedADBD.Settings()
    settings.isProduction = true
    try await ReachedADB.with(route, settings) { reached in
      let failure = adbFailure { try reached.device.root(until: adbSoon()) }
      #expect(failure?.code == .permissionDenied)
      #expect(failure?.message.contains("production builds") == true)
    }
  }
}
