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
      let transport = ADBTransport(reached.device)
      let link = try transport.openShell(
        "printf 'a\\000b\\377'; printf 'x\\000y' >&2; exit 300", until: adbSoon())
      let result = try adbCollect(link)
      #expect(result.output == [97, 0, 98, 255])
      #expect(result.error == [120, 0, 121])
      #expect(result.status == 44)
    }
  }

  @Test(arguments: routes) func echoesMoreThanAllBuffersHold(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let bytes = (0..<8_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let link = try ADBTransport(reached.device).openShell("exec cat", until: adbSoon())
      try link.send(bytes[...], until: adbSoon())
      try link.closeInput(until: adbSoon())
      let result = try adbCollect(link)
      #expect(result.output == bytes)
      #expect(result.status == 0)
    }
  }

  @Test(arguments: routes) func readsItsScriptFromItsInput(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let link = try ADBTransport(reached.device).openShell(nil, until: adbSoon())
      try link.send(Array("echo one; echo two >&2; exit 5\n".utf8)[...], until: adbSoon())
      let result = try adbCollect(link)
      #expect(result.output == Array("one\n".utf8))
      #expect(result.error == Array("two\n".utf8))
      #expect(result.status == 5)
    }
  }

  @Test(arguments: routes) func takesScriptsThatNoPacketHolds(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let word = String(repeating: "'\"$x\\é ", count: 3000)
      let script = "read rest; printf %s \(ShellWords.quote(word)); echo \"$rest\" >&2; exit 3"
      let link = try ADBTransport(reached.device).openShell(script, until: adbSoon())
      try link.send(Array("its own input\n".utf8)[...], until: adbSoon())
      let result = try adbCollect(link)
      #expect(String(decoding: result.output, as: UTF8.self) == word)
      #expect(result.error == Array("its own input\n".utf8))
      #expect(result.status == 3)
    }
  }

  @Test(arguments: routes) func oldDevicesTellTrueStatus(route: ADBRoute) async throws {
    try await ReachedADB.with(route, .old) { reached in
      let transport = ADBTransport(reached.device)
      #expect(try !transport.hasShell2(until: adbSoon()))
      for size in [0, 1, 5000, 300_000] {
        let link = try transport.openPlain(
          "head -c \(size) /dev/zero; exit \(size % 256)", until: adbSoon())
        var (output, error): ([UInt8], [UInt8]) = ([], [])
        var event = ADBShellLink.Event.bytes
        while case .bytes = event {
          event = try link.receive(into: &output, error: &error, until: adbSoon())
        }
        #expect(output == [UInt8](repeating: 0, count: size))
        #expect(event == .ended(Int32(size % 256)))
      }
      let long = try transport.openPlain(
        "# \(String(repeating: "x", count: 9000))\nfalse", until: adbSoon())
      var (output, error): ([UInt8], [UInt8]) = ([], [])
      #expect(
        try long.receive(into: &output, error: &error, until: adbSoon()) == .ended(1))
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
        let link = try ADBTransport(reached.device).openShell(
          "echo 0; echo 1 >&2; exit 0", until: adbSoon(2))
        return try adbCollect(link, until: adbSoon(2))
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
        let link = try ADBTransport(reached.device).openShell("echo 0", until: adbSoon(3))
        return try adbCollect(link, until: adbSoon(3))
      }
      #expect(failure?.code == .connectionLost || failure?.code == .timedOut)
    }
  }

  /// Without checksums damage goes through; devices that have them get it noticed.
  @Test func aDamagedPayloadIsNoticedByItsChecksum() async throws {
    try await ReachedADB.with(.direct, .old) { reached in
      reached.daemon.fault = ADBDFault(.corruptData, service: "exec")
      let failure = adbFailure {
        try ADBTransport(reached.device).openPlain("echo 0", until: adbSoon())
          .receiveAll(until: adbSoon())
      }
      #expect(failure?.code == .connectionLost)
      #expect(failure?.message.contains("checksum") == true)
    }
  }

  @Test(arguments: routes) func comesBackAfterAReboot(route: ADBRoute) async throws {
    var settings = SimulatedADBD.Settings()
    settings.downSeconds = 0.5
    try await ReachedADB.with(route, settings) { reached in
      let transport = ADBTransport(reached.device)
      let cut = try transport.openShell("echo up; exec sleep 60", until: adbSoon())
      var (output, error): ([UInt8], [UInt8]) = ([], [])
      #expect(try cut.receive(into: &output, error: &error, until: adbSoon()) == .bytes)
      let begin = MonotonicTime.now
      try reached.device.reboot(until: adbSoon())
      let lost = adbFailure {
        try cut.receive(into: &output, error: &error, until: adbSoon())
      }
      #expect(lost?.code == .connectionLost)
      try reached.device.reconnect(until: adbSoon(30))
      // adb's own server needs 10 s.
      #expect(MonotonicTime.now - begin < 6_000_000_000)
      let link = try transport.openShell("echo again", until: adbSoon())
      #expect(try adbCollect(link).output == Array("again\n".utf8))
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

extension ADBPlainLink {
  func receiveAll(until deadline: Deadline) throws -> [UInt8] {
    var (output, error): ([UInt8], [UInt8]) = ([], [])
    while try receive(into: &output, error: &error, until: deadline) == .bytes {}
    return output
  }
}
