import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinConnections

/// What every connection promises of commands: direct, through three shells, by ssh and by adb.
@Suite struct ConformanceTests {
  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func keepsStreamsAndStatusApart(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    for endsDescendants in [true, false] {
      var command = Command(["sh", "-c", "printf 'a\\0b\\377'; printf 'x\\0y' >&2; exit 7"])
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: soon())
      #expect(result.termination == .exited(7))
      #expect(result.standardOutput.bytes == [97, 0, 98, 255])
      #expect(result.standardError.bytes == [120, 0, 121])
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func tellsSignalsFromExitCodes(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
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
        let result = try await connection.execute(command, until: soon())
        #expect(result.termination == end.termination, "\(end.script)")
        #expect(result.standardError.bytes.isEmpty, "\(end.script)")
      }
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func endsWhatACommandLeavesBehind(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let value = "leftover-\(getpid())-\(kind)"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "sleep 300 & setsid sleep 300 & (setsid sleep 300 &); echo started"],
        environment: ["KELVIN_TEST": value], grace: 0.5), until: soon())
    #expect(result.standardOutput.text == "started\n")
    #expect(result.endedDescendants == 3)
    #expect(HostileCommandTests.carriers(of: "KELVIN_TEST=\(value)").isEmpty)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func aShortCommandBeyondItsDeadlineIsEndedWithAllThatItStarted(kind: ConformanceKind) async throws
  {
    let connection = try kind.connection()
    let value = "short-\(getpid())-\(kind)"
    _ = try await connection.execute(Command(["true"]), until: soon())
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
      try await connection.execute(Command(["true"]), until: soon()).isSuccess)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func namesWhyACommandCannotBegin(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    try scratch.write("plain", Array("#!/bin/sh\n".utf8))
    let (missing, plain) = (scratch.path + "/missing", scratch.path + "/plain")
    let reasons: [(argv: [String], directory: TargetPath?, code: ConnectionFailure.Code)] = [
      ([missing], nil, .notFound), (["cd", "/"], nil, .notFound), ([plain], nil, .permissionDenied),
      (["true"], "/no/such", .notFound), (["true", "a\0b"], nil, .unsupported),
      ([], nil, .unsupported)
    ]
    for (reason, endsDescendants) in reasons.flatMap({ [($0, true), ($0, false)] }) {
      var command = Command(reason.argv, workingDirectory: reason.directory)
      command.endsDescendants = endsDescendants
      await #expect {
        let result = try await connection.execute(command, until: soon())
        Issue.record("\(reason.argv): \(result)")
      } throws: {
        let failure = $0 as? ConnectionFailure
        if failure?.code != reason.code { Issue.record("\(reason.argv): \($0)") }
        return failure?.code == reason.code
      }
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func handsWordsOverAsTheyAre(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let words = [
      "", " ", "a b", "'", "\"", "\\", "$HOME", "`id`", "*", "a\nb", "é🧊", "-n", "--", "!", "\t",
      "$(exit 3)", "&& false", ";", "~"
    ]
    for endsDescendants in [true, false] {
      var command = Command(["printf", "%s\\0"] + words)
      command.endsDescendants = endsDescendants
      let result = try await connection.execute(command, until: soon())
      let got = result.standardOutput.bytes.split(separator: 0, omittingEmptySubsequences: false)
        .dropLast().map { String(decoding: $0, as: UTF8.self) }
      #expect(got == words)
      // The program, not what some shells have under its name.
      command = Command(["echo", "a\\tb"])
      command.endsDescendants = endsDescendants
      let echo = try await connection.execute(command, until: soon())
      #expect(echo.standardOutput.text == "a\\tb\n")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func setsEnvironmentDirectoryAndInput(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "pwd; printf '%s\\n' \"$WORDS\"; cat"], environment: ["WORDS": "two 'words'"],
        workingDirectory: TargetPath(scratch.path), standardInput: .bytes(Array("in\n".utf8))),
      until: soon())
    #expect(result.standardOutput.text == "\(scratch.path)\ntwo 'words'\nin\n")
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func feedsAndTakesMoreThanAPipeHolds(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let bytes = (0..<kind.bytes(3_000_000)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let result = try await connection.execute(
      Command(["cat"], standardInput: .bytes(bytes)), until: soon())
    #expect(result.standardOutput.bytes == bytes)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func aMissingProgramIsNotFound(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    await #expect {
      _ = try await connection.execute(Command(["no-such-program"]), until: soon())
    } throws: { ($0 as? ConnectionFailure)?.code == .notFound }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func endsACommandAtItsDeadlineWithWhatItHadPrinted(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    // A login takes its time.
    _ = try await connection.execute(Command(["true"]), until: soon())
    let command = Command(["sh", "-c", "echo begun; exec sleep 60"], grace: 10)
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

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func anInterruptEndsTheWait(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let interrupt = Interrupt()
    let process = try await connection.start(Command(["sleep", "60"]), until: soon())
    interrupt.raise()
    await #expect {
      _ = try await process.wait(until: Deadline(time: nil, interrupt: interrupt))
    } throws: { ($0 as? ConnectionFailure)?.code == .interrupted }
    #expect(ProcessIdentity(processID: process.processID)?.startTicks != process.startTicks)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func nothingIsStartedAfterTheDeadline(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    await #expect(throws: ConnectionFailure.self) {
      _ = try await connection.execute(
        Command(["touch", scratch.path + "/touched"]),
        until: Deadline(time: MonotonicTime(nanoseconds: 1)))
    }
    #expect(access(scratch.path + "/touched", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func keepsOutputUpToItsLimitAndCountsTheRest(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    let file = scratch.path + "/deep/er/out"
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "head -c 300000 /dev/zero; head -c 50 /dev/zero >&2"],
        standardOutput: .file(file, limit: 1000), standardError: .capture(limit: 10)),
      until: soon())
    // busybox's head reads ahead.
    let uncounted: ClosedRange<Int64> = kind == .consoleBusybox ? 0...4095 : 0...0
    #expect(uncounted.contains(300_000 - result.standardOutput.totalBytes))
    #expect(result.standardOutput.keptBytes == 1000)
    #expect(result.standardOutput.isTruncated)
    #expect(result.standardError.bytes.count == 10)
    #expect(result.standardError.totalBytes == 50)
    var status = stat()
    #expect(stat(file, &status) == 0)
    #expect(status.st_size == 1000)
    let silent = try await connection.execute(
      Command(["true"], standardOutput: .file(scratch.path + "/none", limit: 10)),
      until: soon())
    #expect(silent.isSuccess)
    #expect(access(scratch.path + "/none", F_OK) != 0)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func appliesAffinityAndNiceness(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    guard kind != .sshdBusybox else {
      // Debian's busybox has no nice and no chrt.
      await #expect {
        _ = try await connection.execute(Command(["true"], niceness: 7), until: soon())
      } throws: { ($0 as? ConnectionFailure)?.code == .unsupported }
      await connection.close()
      return
    }
    let result = try await connection.execute(
      Command(
        ["sh", "-c", "grep Cpus_allowed_list /proc/self/status; nice"], affinity: [0],
        niceness: 7), until: soon())
    #expect(result.standardOutput.text == "Cpus_allowed_list:\t0\n7\n")
    await connection.close()
  }

  @Test(
    .timeLimit(.minutes(1)), .enabled(if: geteuid() == 0, "needs root"),
    arguments: ConformanceKind.allCases.filter { $0 != .sshdBusybox })
  func appliesARealTimePriority(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let result = try await connection.execute(
      Command(["sh", "-c", "cut -d' ' -f40,41 /proc/self/stat"], realtimePriority: 12),
      until: soon())
    #expect(result.standardOutput.text == "12 1\n")
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: ConformanceKind.allCases)
  func findsExecutablesOnThePath(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let found = try await connection.findExecutables(
      ["sh", "no-such-program", "/bin/sh", "/etc/passwd", "cd"], until: soon())
    #expect(found[0]?.string.hasSuffix("/sh") == true)
    #expect(found[1] == nil)
    #expect(found[2] == "/bin/sh")
    #expect(found[3] == nil)
    await connection.close()
  }
}
