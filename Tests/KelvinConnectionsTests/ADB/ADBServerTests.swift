import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// The server's requests, against Debian's adb: what its own client prints is what Kelvin reads.
@Suite(.enabled(if: hasADB, "needs adb"), .timeLimit(.minutes(2)))
struct ADBServerTests {
  @Test func sayWhatAdbSays() async throws {
    try await ReachedADB.with(.server) { reached in
      let adb = try #require(reached.adb)
      let serial = "127.0.0.1:\(reached.daemon.port)"
      #expect(try adb.server.version(until: adbSoon()) == 41)
      let devices = try adb.server.devices(until: adbSoon())
      #expect(devices.map(\.serial) == [serial])
      #expect(devices.first?.state == .device)
      #expect(devices.first?.model == "Simulated_Board")
      let text = try await adb.run(["devices", "-l"]).standardOutput.text
      #expect(text.contains("transport_id:\(devices.first?.transportID ?? 0)"))
      let features = try adb.server.features(of: .serial(serial), until: adbSoon())
      let said = try await adb.run(["-s", serial, "features"]).standardOutput.text
      #expect(features.contains("shell_v2"))
      // adb leaves out what it does not know itself.
      #expect(features.isSuperset(of: said.split(separator: "\n").map(String.init)))
      #expect(try adb.server.state(of: .serial(serial), until: adbSoon()) == .device)
      let id = try adb.server.transportID(of: .serial(serial), until: adbSoon())
      #expect(id == devices.first?.transportID)
      #expect(try adb.server.state(of: .transportID(id), until: adbSoon()) == .device)
      #expect(try adb.server.state(of: .any, until: adbSoon()) == .device)
    }
  }

  @Test func followsDevicesThatComeAndGo() async throws {
    let adb = try RealADB()
    let daemon = try SimulatedADBD()
    let tracker = try adb.server.track(until: adbSoon())
    #expect(try tracker.next(until: adbSoon()).isEmpty)
    let serial = try adb.connect(daemon.port)
    var seen: [ADBState] = []
    while seen.last != .device {
      seen += try tracker.next(until: adbSoon()).filter { $0.serial == serial }.map(\.state)
    }
    try adb.server.disconnectDevice(serial, until: adbSoon())
    var list = try tracker.next(until: adbSoon())
    while !list.isEmpty { list = try tracker.next(until: adbSoon()) }
    tracker.close()
    daemon.stop()
    adb.stop()
  }

  @Test func failuresSayWhatToDo() async throws {
    let adb = try RealADB()
    let none = adbFailure { try adb.server.state(of: .any, until: adbSoon()) }
    #expect(none?.code == .unreachable(.noAnswer))
    #expect(none?.hint.contains("it knows no device") == true)
    let daemons = [try SimulatedADBD(), try SimulatedADBD()]
    for daemon in daemons { _ = try adb.connect(daemon.port) }
    let two = adbFailure { try adb.server.open("shell:true", on: .any, until: adbSoon()) }
    #expect(two?.message.contains("more than one") == true)
    #expect(two?.hint.contains("127.0.0.1:\(daemons[1].port)") == true)
    let absent = adbFailure {
      try adb.server.open("shell:true", on: .serial("nobody"), until: adbSoon())
    }
    #expect(absent?.code == .unreachable(.noAnswer))
    #expect(absent?.message.contains("nobody") == true)
    #expect(absent?.hint.contains("127.0.0.1:\(daemons[0].port) (device") == true)
    #expect(throws: ConnectionFailure.self) {
      try adb.server.connectDevice("127.0.0.1:1", until: adbSoon())
    }
    for daemon in daemons { daemon.stop() }
    adb.stop()
  }

  @Test func anUnauthorizedDeviceAsksForItsUser() async throws {
    var settings = SimulatedADBD.Settings()
    settings.isSecure = true
    settings.acceptsKeys = false
    let daemon = try SimulatedADBD(settings)
    let adb = try RealADB()
    let serial = "127.0.0.1:\(daemon.port)"
    let first = adbFailure { try adb.server.connectDevice(serial, until: adbSoon(30)) }
    #expect(first?.code == .unreachable(.notAdmitted))
    let second = adbFailure {
      try adb.server.open("shell:true", on: .serial(serial), until: adbSoon())
    }
    #expect(second?.code == .unreachable(.notAdmitted))
    #expect(second?.hint.contains("accept the key") == true)
    daemon.stop()
    adb.stop()
  }

  @Test func forwardsPorts() async throws {
    try await ReachedADB.with(.server) { reached in
      let adb = try #require(reached.adb)
      let selector = ADBSelector.serial("127.0.0.1:\(reached.daemon.port)")
      let other = try SimulatedADBD()
      defer { other.stop() }
      let local = try adb.server.forward(
        "tcp:0", to: "tcp:\(other.port)", of: selector, until: adbSoon())
      let port = try #require(UInt16(local.dropFirst(4)))
      #expect(
        try adb.server.forwards(until: adbSoon())
          == [ADBForward(serial: selector.description, local: local, remote: "tcp:\(other.port)")])
      let listed = try await adb.run(["forward", "--list"]).standardOutput.text
      #expect(listed == "\(selector) \(local) tcp:\(other.port)\n\n")
      // A device behind the forward of a device.
      let device = ADBDirectDevice(
        host: "127.0.0.1", port: port, keys: ADBKeyStore(directory: reached.keys.path))
      #expect(try device.features(until: adbSoon()).contains("shell_v2"))
      device.close()
      try adb.server.removeForward(local, of: selector, until: adbSoon())
      #expect(try adb.server.forwards(until: adbSoon()).isEmpty)
    }
  }

  @Test func startsAServerWhereNoneRunsAndUsesTheOneThatIsThere() async throws {
    let home = try Scratch()
    let before = getenv("HOME").map { String(cString: $0) } ?? "/"
    setenv("HOME", home.path, 1)
    defer { setenv("HOME", before, 1) }
    let server = ADBServer(port: try freeADBPort())
    #expect(try server.version(until: adbSoon()) == 41)
    // A second start finds the port taken and leaves the server alone.
    let tracker = try server.track(until: adbSoon())
    try ADBServerStart.run(port: server.port, until: adbSoon())
    #expect(try tracker.next(until: adbSoon()).isEmpty)
    #expect(try server.version(until: adbSoon()) == 41)
    tracker.close()
    // Only a test ends a server, and only one of its own.
    _ = try? server.open("host:kill", until: adbSoon())
    let absent = ADBServer(port: server.port, startsServer: false)
    let deadline = adbSoon()
    while (try? absent.version(until: deadline)) != nil, !deadline.hasPassed {
      _ = deadline.limited(toSeconds: 0.02).wait()
    }
    let gone = adbFailure { try absent.version(until: deadline) }
    #expect(gone?.code == .unreachable(.refused))
  }

  /// A server of another version is used as it is: nothing but the request goes to it.
  @Test func aServerOfAnotherVersionIsLeftAlone() async throws {
    let listener = try WireListener.tcp()
    let server = ADBServer(port: listener.port)
    let thread = try NamedThread("old-server") {
      guard let wire = try? listener.accept() else { return }
      let request = try? wire.read(count: 16)
      let isVersion = request == Array("000chost:version".utf8)
      _ = try? wire.write(Array((isVersion ? "OKAY00040020" : "FAIL0000").utf8))
    }
    #expect(try server.version(until: adbSoon()) == 32)
    thread.join()
  }

  @Test func whatIsNoAdbServerIsSaidToBeNone() throws {
    let listener = try WireListener.tcp()
    let server = ADBServer(port: listener.port)
    let thread = try NamedThread("no-server") {
      guard let wire = try? listener.accept() else { return }
      _ = try? wire.write(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
      _ = try? wire.read(count: 1000)
    }
    let failure = adbFailure { try server.version(until: adbSoon()) }
    #expect(failure?.message.contains("'HTTP'") == true)
    thread.join()
  }
}
