import Glibc
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// Files of a target behind adb: whole or not at all.
@Suite(.timeLimit(.minutes(2)))
struct ADBConnectionTests {
  @Test(arguments: ADBSyncTests.ways)
  func mergesATreeIntoWhatIsThere(way: ADBSyncTests.Way) async throws {
    try await ReachedADB.with(way.route, way.generation.settings) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      for directory in ["a", "a/b c", "empty"] { mkdir("\(host.path)/\(directory)", 0o755) }
      for name in ["top", "a/x", "a/b c/'y'", "a/.hidden"] {
        try host.write(name, Array(name.utf8))
      }
      symlink("x", host.path + "/a/link")
      mkdir(target.path + "/t", 0o755)
      mkdir(target.path + "/t/a", 0o755)
      try target.write("t/a/x", Array("old".utf8))
      try target.write("t/a/kept", [1])
      let connection = ADBConnection(reached.device)
      try connection.pushTree(
        host.path, to: TargetPath(target.path + "/t"), until: adbSoon())
      for name in ["top", "a/x", "a/b c/'y'", "a/.hidden"] {
        #expect(try target.read("t/" + name) == Array(name.utf8))
      }
      #expect(try target.read("t/a/kept") == [1])
      #expect(LocalFile.link(target.path + "/t/a/link") == "x")
      #expect(LocalFile.names(in: target.path + "/t").contains("empty"))
      #expect(LocalFile.names(in: target.path) == ["t"])
      await connection.close()
    }
  }

  @Test(arguments: ADBShellTests.routes)
  func aCutPushLeavesTheOldFile(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      // Of larger ones a beginning is kept: see ResumedCopyTests.
      try host.write("new", [UInt8](repeating: 1, count: 7_000_000))
      try target.write("file", [9])
      let connection = ADBConnection(reached.device)
      _ = try await connection.execute(Command(["true"]), until: adbSoon())
      reached.daemon.fault = ADBDFault(.truncate(after: 0), service: "sync")
      await #expect {
        try await connection.push(
          host.path + "/new", to: TargetPath(target.path + "/file"), mode: 0o644,
          until: adbSoon())
      } throws: { ($0 as? ConnectionFailure)?.code == .connectionLost }
      #expect(try target.read("file") == [9])
      #expect(LocalFile.names(in: target.path) == ["file"])
      reached.daemon.fault = ADBDFault()
      try await connection.push(
        host.path + "/new", to: TargetPath(target.path + "/file"), mode: 0o600, until: adbSoon())
      #expect(try target.read("file").count == 7_000_000)
      await connection.close()
    }
  }

  @Test(arguments: ADBShellTests.routes)
  func aDirectoryDoesNotTakeAFileIn(route: ADBRoute) async throws {
    try await ReachedADB.with(route) { reached in
      let (host, target) = (try Scratch(), try Scratch())
      try host.write("file", [1])
      mkdir(target.path + "/d", 0o755)
      let connection = ADBConnection(reached.device)
      await #expect {
        try await connection.push(
          host.path + "/file", to: TargetPath(target.path + "/d"), mode: 0o644, until: adbSoon())
      } throws: { ($0 as? ConnectionFailure)?.code == .system(Errno(EISDIR)) }
      #expect(LocalFile.names(in: target.path + "/d").isEmpty)
      #expect(LocalFile.names(in: target.path) == ["d"])
      await connection.close()
    }
  }

  @Test(arguments: ADBShellTests.routes)
  func aCommandThatIsCutOffIsLostAndTheNextOneRuns(route: ADBRoute) async throws {
    var settings = SimulatedADBD.Settings()
    settings.downSeconds = 0.3
    try await ReachedADB.with(route, settings) { reached in
      let connection = ADBConnection(reached.device)
      let process = try await connection.start(
        Command(["sh", "-c", "echo 0; exec sleep 60"]), until: adbSoon())
      try connection.device.reboot(until: adbSoon())
      await #expect {
        _ = try await process.wait(until: adbSoon())
      } throws: { ($0 as? ConnectionFailure)?.code == .connectionLost }
      try connection.device.reconnect(until: adbSoon(30))
      let result = try await connection.execute(Command(["echo", "again"]), until: adbSoon())
      #expect(result.standardOutput.text == "again\n")
      await connection.close()
    }
  }

  @Test func benchFilesChooseTheWay() throws {
    func made(_ options: [String: Value]) throws -> any ADBDevice {
      let choice = DriverChoice(
        "adb", options: options, location: SourceLocation(file: "bench.yaml"))
      return try #require(try Connections.make(choice) as? ADBConnection).device
    }
    let direct = try #require(try made(["tcp": "board:5555"]) as? ADBDirectDevice)
    #expect(direct.name == "adb tcp board:5555")
    let served = try #require(
      try made(["serial": "0A1", "server": "lab:5038"]) as? ADBServerDevice)
    #expect(served.server == ADBServer(host: "lab", port: 5038))
    #expect(served.selector == .serial("0A1"))
    #expect((try made([:]) as? ADBServerDevice)?.selector == .any)
    #expect(throws: PlainFailure.self) { try made(["tcp": "board"]) }
    #expect(throws: PlainFailure.self) { try made(["server": ":x"]) }
  }
}
