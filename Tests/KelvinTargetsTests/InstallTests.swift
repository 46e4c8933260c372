import Glibc
import KelvinConnections
import KelvinModel
import KelvinTargets
import Synchronization
import Testing

/// Files and programs that are brought to the target.
@Suite(.timeLimit(.minutes(1))) struct InstallTests {
  private func makeTarget(_ connection: any Connection) -> Target {
    Target(
      name: "board", connection: connection,
      runID: "targets-test-\(UInt64.random(in: 0...UInt64.max))")
  }

  @Test(arguments: connectionNames)
  func bringsTheSameContentOnce(through name: String) async throws {
    let directory = try Directory()
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    let asset = Asset(
      hostPath: try directory.write("tool", "#!/bin/sh\necho ran\n", mode: 0o755), name: "tool",
      isExecutable: true)
    let checksum = try Checksum.sha256(ofFile: asset.hostPath)
    let path = try await target.install(asset, checksum: checksum, until: soon)
    let again = try await target.install(asset, checksum: checksum, until: soon)
    #expect(path == again)
    #expect(connection.pushes.load(ordering: .relaxed) == 1)
    let result = try await connection.execute(Command([path.string]), until: soon)
    #expect(result.standardOutput.text == "ran\n")

    // A later life of Kelvin with the same run finds it there.
    target.forgetFacts()
    _ = try await target.install(asset, checksum: checksum, until: soon)
    #expect(connection.pushes.load(ordering: .relaxed) == 1)
    let place = try await target.workingDirectory(until: soon)
    await target.disconnect(until: soon)
    #expect(access(place.string, F_OK) != 0)
  }

  @Test(arguments: connectionNames)
  func bringsItAgainWhenARebootHasClearedIt(through name: String) async throws {
    let directory = try Directory()
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    let asset = Asset(
      hostPath: try directory.write("data", "content"), name: "data", isExecutable: false)
    let checksum = try Checksum.sha256(ofFile: asset.hostPath)
    let path = try await target.install(asset, checksum: checksum, until: soon)
    try await connection.remove(target.workingDirectory(until: soon), until: soon)
    target.forgetFacts()
    #expect(try await target.install(asset, checksum: checksum, until: soon) == path)
    #expect(connection.pushes.load(ordering: .relaxed) == 2)
    #expect(try await connection.read(path, until: soon) == Array("content".utf8))
    await target.disconnect(until: soon)
  }

  /// What a removal whose answer was lost came to is looked at, not believed.
  @Test(arguments: connectionNames)
  func bringsItAgainWhenTheLinkWentWhileItWasRemoved(through name: String) async throws {
    let directory = try Directory()
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    let asset = Asset(
      hostPath: try directory.write("data", "content"), name: "data", isExecutable: false)
    let checksum = try Checksum.sha256(ofFile: asset.hostPath)
    let path = try await target.install(asset, checksum: checksum, until: soon)
    connection.losesRemovals.store(true, ordering: .relaxed)
    await #expect(throws: ConnectionFailure.self) {
      try await target.uninstall(asset, checksum: checksum, until: soon)
    }
    connection.losesRemovals.store(false, ordering: .relaxed)
    #expect(try await target.install(asset, checksum: checksum, until: soon) == path)
    #expect(connection.pushes.load(ordering: .relaxed) == 2)
    #expect(try await connection.read(path, until: soon) == Array("content".utf8))
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func filesOfOneDirectoryLieTogether(through name: String) async throws {
    let directory = try Directory()
    let connection = makeConnection(name)
    let target = makeTarget(connection)
    var paths: [TargetPath] = []
    for file in ["a", "b"] {
      let hostPath = try directory.write(file, "I am \(file)")
      paths.append(
        try await target.install(
          Asset(hostPath: hostPath, name: file, isExecutable: false),
          checksum: try Checksum.sha256(ofFile: hostPath), in: "together", until: soon))
    }
    let place = try await target.workingDirectory(until: soon)
    #expect(paths == ["a", "b"].map { place.appending("together/\($0)") })
    #expect(
      try await connection.read(paths, until: soon).map { try? $0.get() }
        == ["I am a", "I am b"].map { Array($0.utf8) })
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func aFileThatArrivesDamagedIsAnError(through name: String) async throws {
    let directory = try Directory()
    let hostPath = try directory.write("data", "content")
    let connection = CountingConnection(
      makeConnection(name), replacement: try directory.write("other", "contenT"))
    let target = makeTarget(connection)
    let asset = Asset(hostPath: hostPath, name: "data", isExecutable: false)
    let checksum = try Checksum.sha256(ofFile: hostPath)
    for _ in 0..<2 {  // and is not taken for installed the second time
      do {
        _ = try await target.install(asset, checksum: checksum, until: soon)
        Issue.record("a damaged file was accepted")
      } catch {
        #expect(error.code == .connectionLost)
        #expect(error.message.contains("arrived damaged"))
        #expect(error.hint.contains(checksum))
      }
    }
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func removesWhatItBroughtAndNothingElse(through name: String) async throws {
    let directory = try Directory()
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    let asset = Asset(
      hostPath: try directory.write("data", "content"), name: "data", isExecutable: false)
    let other = Asset(
      hostPath: try directory.write("other", "other"), name: "other", isExecutable: false)
    let checksum = try Checksum.sha256(ofFile: asset.hostPath)
    let otherChecksum = try Checksum.sha256(ofFile: other.hostPath)
    // Never installed: nothing happens.
    try await target.uninstall(asset, checksum: checksum, until: soon)
    let path = try await target.install(asset, checksum: checksum, until: soon)
    let kept = try await target.install(other, checksum: otherChecksum, until: soon)
    try await target.uninstall(asset, checksum: checksum, until: soon)
    #expect(access(path.string, F_OK) != 0)
    #expect(access(kept.string, F_OK) == 0)
    #expect(access(asset.hostPath, F_OK) == 0)
    _ = try await target.install(asset, checksum: checksum, until: soon)
    #expect(connection.pushes.load(ordering: .relaxed) == 3)
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func aHostFileThatIsGoneIsNamed(through name: String) async throws {
    let target = makeTarget(makeConnection(name))
    do {
      _ = try await target.install(
        Asset(hostPath: "/nonexistent/data", name: "data", isExecutable: false), checksum: "0",
        until: soon)
      Issue.record("a file that is not there was installed")
    } catch {
      #expect(error.message.contains("/nonexistent/data"))
    }
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func programsAreLookedUpOnceAndThePathWins(through name: String) async throws {
    let directory = try Directory()
    try directory.write("sh", "#!/bin/false\n", mode: 0o755)
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    for _ in 0..<3 {
      let program = try #require(
        try await target.program(
          named: "sh", assetDirectories: [directory.path], until: soon))
      #expect(program.path.string.hasSuffix("/sh"))
      #expect(program.path.string.hasPrefix(directory.path) == false)
      #expect(program.checksum == (try Checksum.sha256(ofFile: program.path.string)))
    }
    #expect(connection.lookUps.load(ordering: .relaxed) == 1)
    #expect(connection.pushes.load(ordering: .relaxed) == 0)
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func programsComeFromTheAssetsOfTheTargetsABI(through name: String) async throws {
    let directory = try Directory()
    let connection = CountingConnection(makeConnection(name))
    let target = makeTarget(connection)
    let abi = try await target.facts(until: soon).abi
    try directory.write("kelvin-no-such-tool", "#!/bin/sh\necho generic\n", mode: 0o644)
    try directory.write("\(abi)/kelvin-no-such-tool", "#!/bin/sh\necho $0 exact\n", mode: 0o644)
    try directory.write("kelvin-not-this/file", "a directory of that name is no program")
    let program = try #require(
      try await target.program(
        named: "kelvin-no-such-tool", assetDirectories: ["/nonexistent", directory.path],
        until: soon))
    let result = try await connection.execute(Command([program.path.string]), until: soon)
    #expect(result.standardOutput.text == "\(program.path) exact\n")
    _ = try await target.program(
      named: "kelvin-no-such-tool", assetDirectories: [directory.path], until: soon)
    #expect(connection.pushes.load(ordering: .relaxed) == 1)
    for missing in ["kelvin-not-this", "kelvin-nowhere", "/kelvin/nowhere"] {
      let none = try await target.program(
        named: missing, assetDirectories: [directory.path], until: soon)
      #expect(none == nil, "\(missing)")
    }
    await target.disconnect(until: soon)
  }
}
