import Glibc
import KelvinModel
import KelvinTargets
import Testing

@testable import KelvinConnections

/// Where a run's files are, on boards that have no /tmp.
@Suite(.timeLimit(.minutes(1))) struct WorkingDirectoryTests {
  private func target(
    _ connection: any Connection, _ directories: [String],
    id: String = "where-\(UInt64.random(in: 0...UInt64.max))"
  ) -> Target {
    Target(
      name: "board", connection: connection, runID: id,
      directories: directories.map { TargetPath($0) })
  }

  @Test(arguments: connectionNames)
  func isInTheFirstThatTakesFiles(through name: String) async throws {
    let directory = try Directory()
    let file = try directory.write("file", "no directory")
    let target = target(
      makeConnection(name),
      ["/no/such", file, "/proc", "relative", directory.path + "/it's $x", directory.path])
    #expect(mkdir(directory.path + "/it's $x", 0o755) == 0)
    let place = try await target.workingDirectory(until: soon)
    #expect(place.string.hasPrefix(directory.path + "/it's $x/kelvin-where-"))
    #expect(access(place.string, W_OK) == 0)
    #expect(try await target.workingPath("a", until: soon) == place.appending("a"))
    // A later life of the same run finds its own.
    await target.disconnect(until: soon)
    #expect(access(place.string, F_OK) != 0)
  }

  @Test(arguments: connectionNames)
  func isTheOneThatIsThereAlready(through name: String) async throws {
    let directory = try Directory()
    for parent in ["a", "b"] { #expect(mkdir(directory.path + "/" + parent, 0o755) == 0) }
    let places = [directory.path + "/a", directory.path + "/b/"]
    let first = target(makeConnection(name), places, id: "same")
    let place = try await first.workingDirectory(until: soon)
    try directory.write("a/kelvin-same/kept", "kept")
    let second = target(makeConnection(name), places, id: "same")
    #expect(try await second.workingDirectory(until: soon) == place)
    #expect(access(place.string + "/kept", F_OK) == 0)
    #expect(access(directory.path + "/b/kelvin-same", F_OK) != 0)
    await second.disconnect(until: soon)
    await first.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func isMadeAgainWhereARebootHasClearedIt(through name: String) async throws {
    let directory = try Directory()
    let target = target(makeConnection(name), [directory.path])
    let place = try await target.workingDirectory(until: soon)
    try await target.connection.remove(place, until: soon)
    target.forgetFacts()
    #expect(try await target.workingDirectory(until: soon) == place)
    #expect(access(place.string, W_OK) == 0)
    await target.disconnect(until: soon)
    #expect(access(place.string, F_OK) != 0)
  }

  @Test(arguments: connectionNames)
  func isAtHomeWhereNothingElseTakesFiles(through name: String) async throws {
    let home = try Directory()
    let target = target(
      makeConnection(name, environment: ["HOME": home.path]), ["/no/such", "/proc"])
    let place = try await target.workingDirectory(until: soon)
    #expect(place.string.hasPrefix(home.path + "/kelvin-where-"))
    await target.disconnect(until: soon)
  }

  @Test(arguments: connectionNames)
  func saysWhatWasTriedWhereNoneTakesFiles(through name: String) async throws {
    let target = target(makeConnection(name, environment: ["HOME": "/proc"]), ["/no/such", "/proc"])
    await #expect {
      try await target.workingDirectory(until: soon)
    } throws: { error in
      guard let failure = error as? ConnectionFailure else { return false }
      return failure.code == .permissionDenied
        && failure.message.contains("any of /no/such, /proc, $HOME")
    }
    await target.disconnect(until: soon)
  }

  /// /dev/shm is mounted noexec on many machines.
  @Test func prefersOneThatRunsPrograms() async throws {
    var information = statvfs()
    try #require(statvfs("/dev/shm", &information) == 0)
    // ST_NOEXEC (statvfs(3)), which glibc gives in a way that Swift does not import.
    let isNoExec = information.f_flag & 8 != 0
    let target = target(makeConnection("local"), ["/dev/shm", "/tmp"])
    let place = try await target.workingDirectory(until: soon)
    let name = try #require(place.string.split(separator: "/").last)
    #expect(place.string == (isNoExec ? "/tmp/\(name)" : "/dev/shm/\(name)"))
    // And nothing is left in the other one.
    #expect(access(isNoExec ? "/dev/shm/\(name)" : "/tmp/\(name)", F_OK) != 0)
    await target.disconnect(until: soon)
  }

  /// A board on which nobody can write to /tmp: its shell has a file system of its own there.
  @Test(.enabled(if: geteuid() == 0, "needs root to hide /tmp"))
  func bringsAndRunsProgramsWhereTmpIsReadOnly() async throws {
    let directory = try Directory()
    let hostPath = try directory.write("tool", "#!/bin/sh\necho ran\n", mode: 0o755)
    let connection = ShellConnection(argv: [
      "unshare", "--mount", "sh", "-c", "mount -t tmpfs -o ro none /tmp && exec sh"
    ])
    let target = Target(
      name: "board", connection: connection, runID: "hidden-\(UInt64.random(in: 0...UInt64.max))")
    let asset = Asset(hostPath: hostPath, name: "tool", isExecutable: true)
    let path = try await target.install(
      asset, checksum: try Checksum.sha256(ofFile: hostPath), until: soon)
    #expect(!path.string.hasPrefix("/tmp/"))
    let result = try await connection.execute(Command([path.string]), until: soon)
    #expect(result.standardOutput.text == "ran\n")
    let place = try await target.workingDirectory(until: soon)
    #expect(access(place.string, F_OK) == 0)
    await target.disconnect(until: soon)
    #expect(access(place.string, F_OK) != 0)
  }
}
