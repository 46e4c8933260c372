import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinConnections

/// What could make a console's results false, or leave something on the board.
@Suite(.timeLimit(.minutes(5)), .serialized)
struct ConsoleConnectionTruthTests {
  private func here(_ connection: ConsoleConnection) throws -> String {
    let reply = try connection.run("echo ${0%/*}", until: soon())
    return String(String(decoding: reply.output, as: UTF8.self).dropLast())
  }

  /// Files of commands in the agent's directory.
  private func files(_ connection: ConsoleConnection) throws -> [String] {
    SmallFile.names(in: try here(connection)).filter { $0.hasPrefix("j") }
  }

  // MARK: True results

  /// What an earlier command left running still has its streams.
  @Test(arguments: LineShell.Kind.allCases)
  func whatWasLeftRunningDoesNotWriteIntoLaterResults(kind: LineShell.Kind) async throws {
    let shell = try LineShell(kind)
    let connection = ShellLine(shell).connection()
    let first = try await connection.execute(
      Command(
        ["sh", "-c", "(sleep 0.4; echo late; echo late >&2) & echo one"], endsDescendants: false),
      until: soon())
    #expect(first.standardOutput.text == "one\n")
    let second = try await connection.execute(
      Command(["sh", "-c", "sleep 1; echo two"], endsDescendants: false), until: soon())
    #expect(second.standardOutput.text == "two\n")
    #expect(second.standardError.bytes == [])
    await connection.close()
  }

  /// A board whose memory file system has less room than the streams, or than twice as much.
  @Test(arguments: LineShell.Kind.allCases, [300, 1200, 2500])
  func aFullBoardIsAnErrorNotATruncatedResult(kind: LineShell.Kind, kibibytes: Int) async throws {
    let shell = try LineShell(
      kind,
      script:
        "exec unshare -m /bin/sh -c 'mount -t tmpfs -o size=\(kibibytes)k t /run&&exec sh -i'",
      environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
    let connection = ShellLine(shell).connection()
    #expect(try here(connection).hasPrefix("/run/"))
    let count = 1 << 20
    for endsDescendants in [true, false] {
      for isError in [false, true] {
        let words = "head -c \(count) /dev/zero \(isError ? ">&2" : "") 2>/dev/null; exit 3"
        do {
          let result = try await connection.execute(
            Command(["sh", "-c", words], endsDescendants: endsDescendants), until: soon())
          #expect(result.termination == .exited(3))
          let output = isError ? result.standardError : result.standardOutput
          #expect(
            output.totalBytes == count || !endsDescendants, "\(isError) \(output.bytes.count)")
        } catch {
          #expect(error.code == .system(.noSpace), "\(error)")
        }
      }
    }
    #expect(try await connection.execute(Command(["true"]), until: soon()).isSuccess)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  /// Some programs read more of a pipe than they were asked to.
  @Test(arguments: LineShell.Kind.allCases, [1, 1000])
  func whatIsNotKeptIsCountedExactly(kind: LineShell.Kind, limit: Int) async throws {
    let shell = try LineShell(
      .busybox,
      tools: kind == .busybox
        ? [
          "base64", "cat", "chmod", "dd", "head", "md5sum", "mkdir", "mkfifo", "mv", "rm", "seq",
          "setsid", "sleep", "tr", "wc"
        ] : nil)
    let connection = ShellLine(shell).connection()
    let result = try await connection.execute(
      Command(
        ["seq", "20000"], standardOutput: .capture(limit: limit),
        standardError: .capture(limit: limit)), until: soon())
    #expect(result.standardOutput.totalBytes == 108_894)
    #expect(result.standardOutput.bytes.count == limit)
    await connection.close()
  }

  /// Without mkfifo the board has all of it in a file; the line carries what is wanted.
  @Test(arguments: [true, false])
  func aLimitHoldsWithoutPipesToo(endsDescendants: Bool) async throws {
    let shell = try LineShell(
      .busybox,
      tools: [
        "base64", "cat", "chmod", "dd", "head", "md5sum", "mkdir", "mv", "rm", "seq", "setsid",
        "sleep", "tr", "wc"
      ])
    let connection = ShellLine(shell).connection()
    _ = try await connection.execute(Command(["seq", "1"]), until: soon())
    let before = shell.line.traffic.withLock { $0.said.count }
    let process = try await connection.start(
      Command(
        ["seq", "20000"], standardOutput: .capture(limit: 1000), standardError: .discard,
        endsDescendants: endsDescendants), until: soon())
    let result = try await process.wait(until: soon())
    #expect(result.isSuccess)
    #expect(result.standardOutput.totalBytes == 108_894)
    #expect(result.standardOutput.bytes.count == 1000)
    #expect(shell.line.traffic.withLock { $0.said.count } - before < 10_000)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  /// Kernel threads are of session 0, and whoever took them for a command's would end everything.
  /// Lists only.
  @Test(arguments: LineShell.Kind.allCases)
  func noProcessIsTakenForACommandThatIsNotKnown(kind: LineShell.Kind) async throws {
    let connection = ShellLine(try LineShell(kind)).connection()
    for place in [
      "- -", "0 9223372036854775807", "0 4294967296000", "1 9223372036854775807", "0 0", "1 0"
    ] {
      let reply = try connection.run(
        ". \"$0\"; k_m KELVIN_COMMAND=none-000000 \(place); echo .$k_l", until: soon())
      #expect(reply.output == Array(".\n".utf8), "\(place)")
    }
    await connection.close()
  }

  /// A marker may be in the environment that the board's shell itself was started with. Lists only.
  @Test(arguments: LineShell.Kind.allCases)
  func theBoardsOwnShellIsNeverACommand(kind: LineShell.Kind) async throws {
    let value = "none-\(kind.rawValue)"
    let connection = ShellLine(
      try LineShell(
        kind,
        environment: [
          "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "KELVIN_COMMAND": value
        ])
    ).connection()
    let reply = try connection.run(
      ". \"$0\"; k_m KELVIN_COMMAND=\(value) - -; case \" $k_l \" in *\" $$ \"*|*\" $PPID \"*) echo taken;; esac",
      until: soon())
    #expect(!String(decoding: reply.output, as: UTF8.self).contains("taken"))
    let shells = try connection.run("echo $$ $PPID", until: soon()).output
    let ids = String(decoding: shells, as: UTF8.self).split { $0 == " " || $0 == "\n" }
    #expect(ids.count == 2)
    await connection.close()
  }

  /// A command that ends what waits for it.
  @Test(arguments: LineShell.Kind.allCases, [true, false])
  func aCommandThatKillsItsParentIsNoResult(
    kind: LineShell.Kind, endsDescendants: Bool
  ) async throws {
    let shell = try LineShell(kind)
    let connection = ShellLine(shell).connection()
    let begin = MonotonicTime.now
    await #expect {
      let result = try await connection.execute(
        Command(
          ["sh", "-c", "kill -9 $PPID; sleep 0.2; exit 3"], endsDescendants: endsDescendants),
        until: .after(seconds: 60))
      Issue.record("\(result.termination)")
    } throws: {
      ($0 as? ConnectionFailure)?.code == .connectionLost
    }
    #expect(MonotonicTime.now - begin < 20_000_000_000)
    #expect(try await connection.execute(Command(["true"]), until: soon()).isSuccess)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  /// The time of an end is what energy is measured by. A question is asked after 1.75 seconds: it may
  /// be lost, and be answered after the end.
  @Test(arguments: [1.6, 1.8])
  func anEndThatWasNotHeardHasItsTime(cutSeconds: Double) async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let process = try await connection.start(Command(["sleep", "2"]), until: soon())
    let line = shell.line
    let cutter = try NamedThread("cutter") {
      _ = Deadline.after(seconds: cutSeconds).wait()
      line.isCut.store(true, ordering: .releasing)
      _ = Deadline.after(seconds: 1.2).wait()
      line.isCut.store(false, ordering: .releasing)
    }
    let result = try await process.wait(until: .after(seconds: 60))
    cutter.join()
    let seconds = Double(result.endTime - result.startTime) / 1e9
    #expect(seconds > 1.95 && seconds < 2.5, "\(seconds)")
    await connection.close()
  }

  /// Each of two who wait hears of the end that is its own.
  @Test func oneWhoWaitsTakesNoCallFromAnother() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let long = try await connection.start(Command(["sleep", "6"]), until: soon())
    let short = try await connection.start(Command(["sleep", "2.5"]), until: soon())
    async let one = long.wait(until: .after(seconds: 60))
    async let other = short.wait(until: .after(seconds: 60))
    let results = try await [one, other]
    #expect(Double(results[1].endTime - results[1].startTime) / 1e9 < 3)
    #expect(Double(results[0].endTime - results[0].startTime) / 1e9 < 6.6)
    await connection.close()
  }

  // MARK: Nothing left

  /// Whenever the time for a start is over, nothing runs.
  @Test(arguments: LineShell.Kind.allCases)
  func aStartThatTookTooLongLeavesNothing(kind: LineShell.Kind) async throws {
    let shell = try LineShell(kind, LineFaults(bitsPerSecond: 230_400))
    let connection = ShellLine(shell).connection()
    _ = try connection.run(":", until: soon())
    let marker = "late-start-\(kind)-\(getpid())"
    var failures = 0
    for milliseconds in stride(from: 5, through: 150, by: 5) {
      do {
        let process = try await connection.start(
          Command(
            ["sh", "-c", "sleep 300 & sleep 300"], environment: ["KELVIN_TEST": marker], grace: 0.1),
          until: .after(seconds: Double(milliseconds) / 1000))
        await #expect(throws: ConnectionFailure.self) {
          _ = try await process.wait(until: .after(seconds: 0))
        }
      } catch { failures += 1 }
      try #require(
        HostileCommandTests.carriers(of: "KELVIN_TEST=\(marker)").isEmpty, "\(milliseconds) ms")
    }
    #expect(failures > 0)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  @Test(arguments: [
    Command(["no-such-program"], standardInput: .bytes([1, 2, 3])),
    Command(["cat"], workingDirectory: "/no/such", standardInput: .bytes([1, 2, 3])),
    Command(["/etc/passwd"], standardInput: .bytes([1])),
    Command(["chrt", "-f"], standardInput: .bytes([1]), realtimePriority: 400),
    Command(["cat"], standardInput: .bytes([1]), niceness: -1000)
  ])
  func whatCouldNotBeginLeavesNoFiles(command: Command) async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    await #expect(throws: ConnectionFailure.self) {
      _ = try await connection.execute(command, until: soon())
    }
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  /// A line so slow that its time is over at each point of loading.
  @Test(arguments: [0.2, 0.6, 1, 1.5, 2, 3])
  func aConnectionThatTookTooLongGivesTheShellBack(seconds: Double) async throws {
    let shell = try LineShell(.dash, LineFaults(bitsPerSecond: 20_000))
    let connection = ShellLine(shell).connection()
    #expect(throws: ConnectionFailure.self) {
      _ = try connection.run("echo in time", until: .after(seconds: seconds))
    }
    await connection.close()
    // The prompt is back: it runs what is typed, and its terminal echoes.
    let end = Deadline.after(seconds: 6)
    var text = ""
    repeat {
      let said = shell.line.traffic.withLock { $0.said.count }
      try shell.link.write(Array("expr 7 '*' 6\r".utf8), until: soon())
      _ = end.limited(toSeconds: 0.5).wait()
      text = shell.line.traffic.withLock { String(decoding: $0.said[said...], as: UTF8.self) }
    } while !text.contains("expr 7 '*' 6\r\n42\r\n") && !end.hasPassed
    // Between them may stand a prompt that came late.
    #expect(text.contains("expr 7 '*' 6\r\n") && text.contains("42\r\n"), "\(text)")
  }

  /// Bytes that the board has said once it says no more: what was on the way has come.
  private func quietCount(of shell: LineShell) -> Int {
    let end = Deadline.after(seconds: 20)
    var count = -1
    while case let now = shell.line.traffic.withLock({ $0.said.count }), now != count,
      !end.hasPassed
    {
      count = now
      _ = end.limited(toSeconds: 1).wait()
    }
    return count
  }

  // MARK: Waits that end

  /// An instrument reads while a command is waited for.
  @Test func valuesAreReadWhileACommandIsWaitedFor() async throws {
    let shell = try LineShell(.dash)
    let connection = ShellLine(shell).connection()
    let process = try await connection.start(Command(["sleep", "3"]), until: soon())
    async let result = process.wait(until: .after(seconds: 60))
    for _ in 0..<8 {
      let begin = MonotonicTime.now
      #expect(try await connection.read("/proc/uptime", until: soon()).count > 3)
      #expect(MonotonicTime.now - begin < 1_000_000_000)
    }
    let end = try await result
    #expect(end.isSuccess && Double(end.endTime - end.startTime) / 1e9 < 4)
    await connection.close()
  }

  /// A command that has printed much over a slow line, and is over its time or stopped.
  @Test(arguments: [true, false])
  func whatWasPrintedIsNotFetchedForEver(isInterrupted: Bool) async throws {
    let shell = try LineShell(.dash, LineFaults(bitsPerSecond: 115_200))
    let connection = ShellLine(shell).connection()
    let process = try await connection.start(
      Command(
        ["sh", "-c", "head -c 2000000 /dev/urandom; sleep 300"], grace: 0.5), until: soon())
    let interrupt = Interrupt()
    let begin = MonotonicTime.now
    let stopper = try NamedThread("stopper") {
      _ = Deadline.after(seconds: 1).wait()
      if isInterrupted { interrupt.raise() }
    }
    await #expect {
      _ = try await process.wait(
        until: .after(seconds: isInterrupted ? 200 : 2, interrupt: interrupt))
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == (isInterrupted ? .interrupted : .timedOut)
        && failure?.partial?.standardOutput.totalBytes == 2_000_000
    }
    stopper.join()
    #expect(MonotonicTime.now - begin < 25_000_000_000)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }

  /// A command that has ended in time, but whose output does not come in time.
  @Test func aResultThatIsFetchedTooLongIsATimeout() async throws {
    let shell = try LineShell(.dash, LineFaults(bitsPerSecond: 115_200))
    let connection = ShellLine(shell).connection()
    let begin = MonotonicTime.now
    await #expect {
      _ = try await connection.execute(
        Command(["head", "-c", "2000000", "/dev/urandom"]), until: .after(seconds: 4))
    } throws: {
      let failure = $0 as? ConnectionFailure
      return failure?.code == .timedOut && (failure?.partial?.standardOutput.bytes.count ?? 0) > 0
    }
    #expect(MonotonicTime.now - begin < 25_000_000_000)
    #expect(try files(connection).isEmpty)
    await connection.close()
  }
}
