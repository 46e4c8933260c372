import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinConnections

/// Commands that run while nobody is connected, over every kind of connection; nothing takes a link
/// away here: it is closed, and opened again.
@Suite struct DetachedTests {
  private func plan(_ command: Command, limit: Double = 30, settle: Double = 0) -> DetachedPlan {
    let name = "test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    return DetachedPlan(
      command, directory: TargetPath("/tmp/kelvin-\(name)"), name: name, settleSeconds: settle,
      limitSeconds: limit)
  }

  /// Leaves it on the board, goes away, and comes back until it is over.
  private func run(
    _ plan: DetachedPlan, over connection: any Connection
  ) async throws -> CommandResult {
    let run = try await DetachedRun.start(plan, through: connection, until: soon())
    await connection.close()
    return try await collect(run, over: connection)
  }

  private func collect(
    _ run: DetachedRun, over connection: any Connection
  ) async throws -> CommandResult {
    let deadline = soon()
    while true {
      if case .over(let outcome) = try await run.state(through: connection, until: deadline) {
        return try await run.collect(outcome, through: connection, until: deadline)
      }
      _ = Deadline.after(seconds: 0.05).wait()
      try #require(!deadline.hasPassed)
    }
  }

  private func expectNothingLeft(
    of plan: DetachedPlan, over connection: any Connection
  ) async throws {
    #expect(access(plan.directory.string, F_OK) != 0)
    let left = try await connection.endProcesses(
      withEnvironment: "KELVIN_DETACHED=\(plan.name)", grace: 0, until: soon())
    #expect(left == 0)
  }

  @Test(.timeLimit(.minutes(2)), arguments: ConformanceKind.allCases)
  func aCommandOutlivesItsConnection(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let script = """
      pwd; echo "$KELVIN_WORD"; cat; printf 'a\\0b\\377' >&2; sleep 1
      i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 7
      """
    let plan = plan(
      Command(
        ["sh", "-c", script], environment: ["KELVIN_WORD": "it's"], workingDirectory: "/usr",
        standardInput: .bytes([120, 0, 121, 10])))
    let before = MonotonicTime.now
    let result = try await run(plan, over: connection)
    #expect(result.termination == .exited(7))
    #expect(result.standardOutput.bytes == Array("/usr\nit's\nx\0y\n".utf8))
    #expect(result.standardError.bytes == [97, 0, 98, 255])
    let length = Double(result.endTime - result.startTime) / 1e9
    #expect(length > 0.99 && length < 15, "\(length)")
    // The board's clock is this one's, so the dates must agree.
    #expect(result.startTime.nanoseconds >= before.nanoseconds - 60_000_000)
    #expect(result.endTime <= .now)
    #expect(result.cpuNanoseconds.map { (0...14_000_000_000).contains($0) } ?? false)
    try await expectNothingLeft(of: plan, over: connection)
    await connection.close()
  }

  /// The shell that started it is killed with its whole group as soon as it has answered.
  @Test(.timeLimit(.minutes(1)), arguments: [ConformanceKind.adbDirect, .dash, .consoleDash])
  func isOutOfItsShellsReachBeforeTheAnswer(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let scratch = try Scratch()
    mkdir(scratch.path + "/bin", 0o755)
    try scratch.write(
      "bin/setsid", Array("#!/bin/sh\nsleep 0.5; exec /usr/bin/setsid \"$@\"\n".utf8))
    chmod(scratch.path + "/bin/setsid", 0o755)
    let plan = plan(
      Command(["echo", "alive"], environment: ["PATH": "\(scratch.path)/bin:/usr/bin:/bin"]))
    #expect(try await run(plan, over: connection).standardOutput.text == "alive\n")
    try await expectNothingLeft(of: plan, over: connection)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: [ConformanceKind.local, .dash, .bash, .busybox])
  func tellsSignalsFromExitCodes(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    let ends: [(String, CommandResult.Termination)] = [
      ("exit 0", .exited(0)), ("exit 137", .exited(137)), ("kill -9 $$", .signaled(SIGKILL)),
      ("kill -15 $$", .signaled(SIGTERM)), ("kill -2 $$", .signaled(SIGINT))
    ]
    for (script, termination) in ends {
      // Only env(1) of GNU gives this signal back, and busybox has its own.
      if kind == .busybox, termination == .signaled(SIGINT) { continue }
      let result = try await run(plan(Command(["sh", "-c", script])), over: connection)
      #expect(result.termination == termination, "\(script)")
      #expect(result.standardError.bytes.isEmpty, "\(script)")
    }
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)), arguments: [ConformanceKind.local, .dash, .bash, .busybox])
  func whatTakesTooLongIsEndedByTheBoardItself(kind: ConformanceKind) async throws {
    let connection = try kind.connection()
    var command = Command(["sh", "-c", "echo begun; trap '' TERM; (sleep 61 & wait); sleep 62"])
    command.grace = 1
    let plan = plan(command, limit: 1)
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await run(plan, over: connection)
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.partial?.standardOutput.text == "begun\n")
    #expect(failure?.partial?.termination == .signaled(SIGKILL))
    try await expectNothingLeft(of: plan, over: connection)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func whatHeedsTheSignalTellsItsEnd() async throws {
    let connection = LocalConnection()
    let plan = plan(Command(["sh", "-c", "trap 'exit 3' TERM; sleep 63 & wait"]), limit: 1)
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await run(plan, over: connection)
    }
    #expect(failure?.code == .timedOut)
    #expect(failure?.partial?.termination == .exited(3))
    try await expectNothingLeft(of: plan, over: connection)
  }

  @Test(.timeLimit(.minutes(1)))
  func whatItLeavesRunningIsEnded() async throws {
    let connection = ShellConnection(argv: ["dash"])
    let plan = plan(Command(["sh", "-c", "setsid sleep 64 & setsid sleep 65 & exit 0"]))
    let result = try await run(plan, over: connection)
    #expect(result.termination == .exited(0))
    #expect(result.endedDescendants == 2)
    try await expectNothingLeft(of: plan, over: connection)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func itCanBeEndedBeforeItsTime() async throws {
    let connection = ShellConnection(argv: ["busybox", "ash"])
    let plan = plan(Command(["sleep", "66"]))
    let run = try await DetachedRun.start(plan, through: connection, until: soon())
    guard case .running = try await run.state(through: connection, until: soon()) else {
      Issue.record("it is over already")
      return
    }
    #expect(try await run.end(through: connection, until: soon()) > 1)
    await connection.close()
  }

  @Test(.timeLimit(.minutes(1)))
  func aRunnerThatIsGoneIsNoEnd() async throws {
    let connection = LocalConnection()
    let plan = plan(Command(["sleep", "67"]))
    let run = try await DetachedRun.start(plan, through: connection, until: soon())
    // As the kernel does when memory is short.
    #expect(
      try await connection.endProcesses(
        withEnvironment: "KELVIN_DETACHED=\(plan.name)", grace: 0, until: soon()) > 0)
    try await connection.remove(plan.directory.appending("over"), until: soon())
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await run.state(through: connection, until: soon())
    }
    #expect(failure?.code == .notFound)
    try await connection.remove(plan.directory, until: soon())
  }

  @Test(.timeLimit(.minutes(1)))
  func whatCannotBeginIsToldBeforeAnythingIsLeft() async throws {
    let connection = LocalConnection()
    let cases: [(DetachedPlan, ConnectionFailure.Code)] = [
      (plan(Command(["/no/such"])), .notFound), (plan(Command(["no-such-program"])), .notFound),
      (plan(Command(["/etc/passwd"])), .permissionDenied)
    ]
    for (plan, code) in cases {
      let failure = await #expect(throws: ConnectionFailure.self) {
        try await DetachedRun.start(plan, through: connection, until: soon())
      }
      #expect(failure?.code == code)
      try await expectNothingLeft(of: plan, over: connection)
    }
    var interface = plan(Command(["true"]))
    interface.interface = .named("kelvin-none0")
    let failure = await #expect(throws: ConnectionFailure.self) {
      try await DetachedRun.start(interface, through: connection, until: soon())
    }
    #expect(failure?.message.contains("kelvin-none0") == true)
    #expect(failure?.hint.isEmpty == false)
    try await expectNothingLeft(of: interface, over: connection)
  }

  /// A command may begin and end while its board is asked: what is over has begun.
  @Test(.timeLimit(.minutes(1)))
  func whatEndsWhileItIsLookedAtIsNotHalfSeen() async throws {
    let script = """
      k_d=$(mktemp -d) && mkfifo "$k_d/begun"
      (sleep 0.3; printf 'status 3 e\nend 5.00\nlink kept\n' >"$k_d/over"; : >"$k_d/begun") &
      sh -c "$1" sh "$k_d" 1 2>/dev/null; wait; rm -r "$k_d"
      """
    let result = try await LocalConnection().execute(
      Command(["sh", "-c", script, "sh", DetachedScript.inquiry]), until: soon())
    let report = DetachedReport(result.standardOutput.bytes)
    #expect(!report.bootID.isEmpty)
    #expect(!report.isOver || report.begin != nil, "\(result.standardOutput.text)")
  }

  @Test func reportsOfBoardsAreReadWithCare() {
    let whole = DetachedReport(
      Array(
        """
        begin 100.05 1700000000050000000
        status 137 s
        end 101.06 1700000001052345678
        0m0.00s 0m0.00s
        0m1.25s 1m0.05s
        link up
        boot 8b0a5c3e
        runner 17 (sh (x) ) S 1 17 17 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4711 0

        """.utf8))
    #expect(whole.isOver)
    #expect(whole.status == 137 && whole.word == "s")
    #expect(whole.cpuNanoseconds == 61_300_000_000)
    #expect(whole.runnerTicks == 4711)
    #expect(whole.bootID == "8b0a5c3e")
    if let begin = whole.begin { #expect(whole.end?.since(begin) == 1_002_345_678) }
    // busybox knows no nanoseconds, and a calendar may be set meanwhile.
    let early = BoardTime(uptime: 5, wallNanoseconds: 1_700_000_000_000_000_000)
    #expect(BoardTime(words: ["7.5", "1700000000%N"])?.since(early) == 2_500_000_000)
    #expect(
      BoardTime(uptime: 7.5, wallNanoseconds: 1_800_000_000_000_000_000).since(early)
        == 2_500_000_000)
    for words in [[], ["x"], ["nan"], ["-1"], ["1e99"]] as [[Substring]] {
      #expect(BoardTime(words: words) == nil)
    }
  }

  @Test func damagedReportsAreNeverOver() {
    var generator = SeededGenerator(seed: 26)
    let text = Array(
      "begin 1.0 17\nstatus 0 e\nend 2.0 18\n0m0.1s 0m0.1s\n0m0.1s 0m0.1s\nlink up".utf8)
    for length in 0..<(text.count - 2) {
      #expect(!DetachedReport(Array(text[..<length])).isOver)
    }
    for _ in 0..<2000 {
      var damaged = text
      for _ in 0..<4 {
        damaged[Int.random(in: damaged.indices, using: &generator)] = .random(
          in: 0...255, using: &generator)
      }
      let report = DetachedReport(damaged)
      #expect(report.cpuNanoseconds.map { $0 >= 0 } ?? true)
    }
  }
}
