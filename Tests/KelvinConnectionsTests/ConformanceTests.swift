import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// What every connection promises, on this machine: direct, through three shells, and by ssh.
@Suite struct ConformanceTests {
  enum Kind: String, Sendable, CaseIterable {
    case local, dash, bash, busybox
    case sshd = "sshd with bash"
    case sshdBusybox = "sshd with busybox"
    case dropbear = "dropbear with dash"
    case adb = "adb's server"
    case adbDirect = "adb without a server"
    case adbOld = "adb to an old device"

    static let allCases: [Kind] =
      [.local, .dash, .bash, .busybox, .adbDirect, .adbOld] + (hasADB ? [.adb] : [])
      + (SSHServer.obstacle == nil ? [.sshd, .sshdBusybox, .dropbear] : [])
  }

  /// Started at the first use; they end with this process.
  static let sshd = Result { try SSHServer(.sshd, login: .bash) }
  static let sshdBusybox = Result { try SSHServer(.sshd, login: .busybox) }
  static let dropbear = Result { try SSHServer(.dropbear, login: .dash) }

  static func connection(_ kind: Kind) throws -> any Connection {
    switch kind {
    case .local: LocalConnection()
    case .dash: ShellConnection(argv: ["dash"])
    case .bash: ShellConnection(argv: ["bash"])
    case .busybox: ShellConnection(argv: ["busybox", "ash"])
    case .sshd: try sshd.get().connection()
    case .sshdBusybox: try sshdBusybox.get().connection()
    case .dropbear: try dropbear.get().connection()
    case .adb, .adbDirect, .adbOld: try ADBBoards.connection(kind)
    }
  }

  static func soon() -> Deadline { .after(seconds: 20) }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func keepsStreamsAndStatusApart(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    for endsDescendants in [true, false] {
      var command = Command(["sh", "-c", "printf 'a\\0b\\377'; printf 'x\\0y' >&2; exit 7"])
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: Self.soon())
      #expect(result.termination == .exited(7))
      #expect(result.standardOutput.bytes == [97, 0, 98, 255])
      #expect(result.standardError.bytes == [120, 0, 121])
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func tellsSignalsFromExitCodes(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let ends: [(script: String, termination: CommandResult.Termination)] = [
      ("exit 0", .exited(0)), ("exit 1", .exited(1)), ("exit 126", .exited(126)),
      ("exit 127", .exited(127)), ("exit 128", .exited(128)), ("exit 137", .exited(137)),
      ("exit 143", .exited(143)), ("exit 255", .exited(255)), ("kill -9 $$", .signaled(SIGKILL)),
      ("kill -15 $$", .signaled(SIGTERM)), ("kill -11 $$", .signaled(SIGSEGV)),
      ("kill -2 $$", .signaled(SIGINT)), ("kill -13 $$", .signaled(SIGPIPE))
    ]
    for endsDescendants in [true, false] {
      for end in ends {
        var command = Command(["sh", "-c", end.script])
        command.endsDescendants = endsDescendants
        let result = try await connection.execute(command, until: Self.soon())
        #expect(result.termination == end.termination, "\(end.script)")
        #expect(result.standardError.bytes.isEmpty, "\(end.script)")
      }
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func endsWhatACommandLeavesBehind(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let value = "leftover-\(getpid())-\(kind)"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "sleep 300 & setsid sleep 300 & (setsid sleep 300 &); echo started"],
        environment: ["KELVIN_TEST": value], grace: 0.5), until: Self.soon())
    #expect(result.standardOutput.text == "started\n")
    #expect(result.endedDescendants == 3)
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(value)").isEmpty)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func aShortCommandBeyondItsDeadlineIsEndedWithAllThatItStarted(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let value = "short-\(getpid())-\(kind)"
    _ = try await connection.execute(Command(["true"]), until: Self.soon())
    let command = Command(
      ["sh", "-c", "echo begun; sleep 300 & setsid sleep 300; :"],
      environment: ["KELVIN_TEST": value], endsDescendants: false, grace: 0.5)
    await #expect {
      _ = try await connection.execute(command, until: .after(seconds: 0.5))
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == .timedOut && failure?.partial?.standardOutput.text == "begun\n"
    }
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(value)").isEmpty)
    #expect(
      try await connection.execute(Command(["true"]), until: Self.soon()).isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func namesWhyACommandCannotBegin(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    try scratch.write("plain", Array("#!/bin/sh\n".utf8))
    for endsDescendants in [true, false] {
      func code(
        _ argv: [String], directory: TargetPath? = nil
      ) async -> ConnectionFailure.Code? {
        var command = Command(argv, workingDirectory: directory)
        command.endsDescendants = endsDescendants
        do {
          _ = try await connection.execute(command, until: Self.soon())
          return nil
        } catch { return error.code }
      }
      #expect(await code([scratch.path + "/missing"]) == .notFound)
      #expect(await code(["cd", "/"]) == .notFound)
      #expect(await code([scratch.path + "/plain"]) == .permissionDenied)
      #expect(await code(["true"], directory: "/no/such") == .notFound)
      #expect(await code(["true", "a\0b"]) == .unsupported)
      #expect(await code([]) == .unsupported)
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func handsWordsOverAsTheyAre(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let words = [
      "", " ", "a b", "'", "\"", "\\", "$HOME", "`id`", "*", "a\nb", "é🧊", "-n", "--", "!", "\t",
      "$(exit 3)", "&& false", ";", "~"
    ]
    for endsDescendants in [true, false] {
      var command = Command(["printf", "%s\\0"] + words)
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: Self.soon())
      let got = result.standardOutput.bytes.split(separator: 0, omittingEmptySubsequences: false)
        .dropLast().map { String(decoding: $0, as: UTF8.self) }
      #expect(got == words)
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func setsEnvironmentDirectoryAndInput(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "pwd; printf '%s\\n' \"$WORDS\"; cat"], environment: ["WORDS": "two 'words'"],
        workingDirectory: TargetPath(scratch.path), standardInput: .bytes(Array("in\n".utf8))),
      until: Self.soon())
    #expect(result.standardOutput.text == "\(scratch.path)\ntwo 'words'\nin\n")
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func feedsAndTakesMoreThanAPipeHolds(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let result = try await connection.execute(
      Command(["cat"], standardInput: .bytes(bytes)), until: Self.soon())
    #expect(result.standardOutput.bytes == bytes)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func aMissingProgramIsNotFound(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    await #expect {
      _ = try await connection.execute(Command(["no-such-program"]), until: Self.soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .notFound }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func endsACommandAtItsDeadlineWithWhatItHadPrinted(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    // A login takes its time.
    _ = try await connection.execute(Command(["true"]), until: Self.soon())
    let command = Command(["sh", "-c", "echo begun; exec sleep 60"], grace: 1)
    do {
      _ = try await connection.execute(command, until: .after(seconds: 0.5))
      Issue.record("no failure")
    } catch {
      #expect(error.code == .timedOut)
      #expect(error.partial?.standardOutput.text == "begun\n")
      #expect(error.partial?.termination == .signaled(SIGTERM))
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func anInterruptEndsTheWait(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let interrupt = Interrupt()
    let process = try await connection.start(Command(["sleep", "60"]), until: Self.soon())
    interrupt.raise()
    await #expect {
      _ = try await process.wait(until: Deadline(time: nil, interrupt: interrupt))
    } throws: { ($0 as? ConnectionFailure)?.code == .interrupted }
    #expect(ProcessIdentity(processID: process.processID)?.startTicks != process.startTicks)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func nothingIsStartedAfterTheDeadline(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    await #expect(throws: ConnectionFailure.self) {
      _ = try await connection.execute(
        Command(["touch", scratch.path + "/touched"]),
        until: Deadline(time: MonotonicTime(nanoseconds: 1)))
    }
    #expect(access(scratch.path + "/touched", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func keepsOutputUpToItsLimitAndCountsTheRest(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    let file = scratch.path + "/deep/er/out"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "head -c 300000 /dev/zero; head -c 50 /dev/zero >&2"],
        standardOutput: .file(file, limit: 1000), standardError: .capture(limit: 10)),
      until: Self.soon())
    #expect(result.standardOutput.totalBytes == 300_000)
    #expect(result.standardOutput.keptBytes == 1000)
    #expect(result.standardOutput.isTruncated)
    #expect(result.standardError.bytes.count == 10)
    #expect(result.standardError.totalBytes == 50)
    var status = stat()
    #expect(stat(file, &status) == 0)
    #expect(status.st_size == 1000)
    let silent = try await connection.execute(
      Command(["true"], standardOutput: .file(scratch.path + "/none", limit: 10)),
      until: Self.soon())
    #expect(silent.isSuccess)
    #expect(access(scratch.path + "/none", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func appliesAffinityAndNiceness(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    guard kind != .sshdBusybox else {
      // Debian's busybox has no nice and no chrt.
      await #expect {
        _ = try await connection.execute(Command(["true"], niceness: 7), until: Self.soon())
      } throws: { ($0 as? ConnectionFailure)?.code == .unsupported }
      await connection.close()
      return
    }
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "grep Cpus_allowed_list /proc/self/status; nice"], affinity: [0],
        niceness: 7), until: Self.soon())
    #expect(result.standardOutput.text == "Cpus_allowed_list:\t0\n7\n")
    await connection.close()
  }

  @Test(
    .timeLimit(.minutes(1)), .enabled(if: geteuid() == 0, "needs root"),
    arguments: Kind.allCases.filter { $0 != .sshdBusybox })
  func appliesARealTimePriority(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let result = try await connection.execute(
      Command(["sh", "-c", "cut -d' ' -f40,41 /proc/self/stat"], realtimePriority: 12),
      until: Self.soon())
    #expect(result.standardOutput.text == "12 1\n")
    await connection.close()
  }

  // MARK: Files

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func readsFilesAndNamesEachFailure(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    try scratch.write("bin", [0, 10, 255, 10, 10])
    try scratch.write("empty", [])
    try scratch.write("a 'quoted' name", Array("q".utf8))
    let paths: [TargetPath] = [
      TargetPath(scratch.path + "/bin"), TargetPath(scratch.path + "/empty"),
      TargetPath(scratch.path + "/missing"), TargetPath(scratch.path),
      TargetPath(scratch.path + "/a 'quoted' name"), "/proc/self/mem", "/proc/sys/kernel/ostype"
    ]
    let results = try await connection.read(paths, until: Self.soon())
    #expect(results[0] == .success([0, 10, 255, 10, 10]))
    #expect(results[1] == .success([]))
    #expect(results[2] == .failure(.notFound))
    #expect(results[3] == .failure(Errno(EISDIR)))
    #expect(results[4] == .success(Array("q".utf8)))
    #expect(results[5] == .failure(.io))
    #expect(results[6] == .success(Array("Linux\n".utf8)))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func readsAHundredFilesAtOnce(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    for number in 0..<100 { try scratch.write("\(number)", Array("\(number * 7)\n".utf8)) }
    let results = try await connection.read(
      (0..<100).map { TargetPath(scratch.path + "/\($0)") }, until: Self.soon())
    for (number, result) in results.enumerated() {
      #expect(result == .success(Array("\(number * 7)\n".utf8)))
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func refusesFilesWithoutAnEnd(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let results = try await connection.read(["/dev/zero"], until: Self.soon())
    #expect(results[0] == .failure(Errno(EFBIG)))
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func writesValuesIntoExistingFilesOnly(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    try scratch.write("value", Array("0123456789".utf8))
    let results = try await connection.write(
      [
        (TargetPath(scratch.path + "/value"), [0, 255, 39]),
        (TargetPath(scratch.path + "/new"), [1])
      ], until: Self.soon())
    #expect((try? results[0].get()) != nil)
    guard case .failure(.notFound) = results[1] else {
      Issue.record("\(results[1])")
      return
    }
    // One write, no truncation, no creation.
    #expect(try scratch.read("value") == [0, 255, 39] + Array("3456789".utf8))
    #expect(access(scratch.path + "/new", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func listsATreeDepthFirst(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    mkdir(scratch.path + "/b", 0o755)
    try scratch.write("b/file one", [1])
    try scratch.write("a", [1])
    chmod(scratch.path + "/a", 0o640)
    symlink("b/file one", scratch.path + "/c")
    let root = TargetPath(scratch.path)
    let entries = try await connection.list(root, depth: 5, until: Self.soon())
    #expect(
      entries.map(\.path.string) == ["a", "b", "b/file one", "c"].map { scratch.path + "/" + $0 })
    #expect(entries.first?.kind == .file)
    #expect(entries.first?.mode == 0o640)
    #expect(entries.last?.kind == .link(to: "b/file one"))
    #expect(try await connection.list(root, depth: 1, until: Self.soon()).count == 3)
    await #expect {
      _ = try await connection.list(root.appending("none"), depth: 1, until: Self.soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .notFound }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func pushesPullsAndRemovesBinaryFiles(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    let bytes = (0..<1_500_000).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
    try scratch.write("host", bytes)
    let target = TargetPath(scratch.path + "/made/for it/target")
    try await connection.push(
      scratch.path + "/host", to: target, mode: 0o750, until: Self.soon())
    #expect(try scratch.read("made/for it/target") == bytes)
    var status = stat()
    #expect(stat(target.string, &status) == 0)
    #expect(status.st_mode & 0o7777 == 0o750)
    let sums = try await connection.checksum([target, "/no/such"], until: Self.soon())
    #expect(sums[0] == .success(Checksum.sha256(bytes)))
    #expect(sums[1] == .failure(.notFound))
    try await connection.pull(target, to: scratch.path + "/back", until: Self.soon())
    #expect(try scratch.read("back") == bytes)
    try await connection.remove(TargetPath(scratch.path + "/made"), until: Self.soon())
    try await connection.remove(TargetPath(scratch.path + "/made"), until: Self.soon())
    #expect(access(scratch.path + "/made", F_OK) != 0)
    await #expect {
      try await connection.push(
        scratch.path + "/host", to: "/proc/nothing/here", mode: 0o644, until: Self.soon())
    } throws: { $0 is ConnectionFailure }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func copiesThatFailLeaveNothingAndReplaceNothing(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let scratch = try Scratch()
    try scratch.write("empty", [])
    try scratch.write("old", Array("old".utf8))
    mkdir(scratch.path + "/directory", 0o755)
    let here = TargetPath(scratch.path)
    func code(_ body: () async throws(ConnectionFailure) -> Void) async -> ConnectionFailure.Code? {
      do {
        try await body()
        return nil
      } catch { return error.code }
    }
    let missing = await code { () throws(ConnectionFailure) in
      try await connection.pull(
        here.appending("missing"), to: scratch.path + "/old", until: Self.soon())
    }
    #expect(missing == .notFound)
    let absent = await code { () throws(ConnectionFailure) in
      try await connection.push(
        scratch.path + "/no-such-file", to: here.appending("old"), mode: 0o600, until: Self.soon())
    }
    #expect(absent != nil)
    let directory = await code { () throws(ConnectionFailure) in
      try await connection.push(
        scratch.path + "/old", to: here.appending("directory"), mode: 0o600, until: Self.soon())
    }
    #expect(directory != nil)
    #expect(try scratch.read("old") == Array("old".utf8))
    try await connection.push(
      scratch.path + "/empty", to: here.appending("new"), mode: 0o600, until: Self.soon())
    #expect(try scratch.read("new").isEmpty)
    try await connection.pull(
      here.appending("empty"), to: scratch.path + "/back", until: Self.soon())
    #expect(try scratch.read("back").isEmpty)
    #expect(
      LocalFile.names(in: scratch.path) == ["back", "directory", "empty", "new", "old"])
    #expect(LocalFile.names(in: scratch.path + "/directory").isEmpty)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: Kind.allCases)
  func findsExecutablesOnThePath(kind: Kind) async throws {
    let connection = try Self.connection(kind)
    let found = try await connection.findExecutables(
      ["sh", "no-such-program", "/bin/sh", "/etc/passwd", "cd"], until: Self.soon())
    #expect(found[0]?.string.hasSuffix("/sh") == true)
    #expect(found[1] == nil)
    #expect(found[2] == "/bin/sh")
    #expect(found[3] == nil)
    await connection.close()
  }
}
