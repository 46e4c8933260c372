package import KelvinModel
internal import KelvinSystem

/// A command that runs on a board on its own: the link may go away, the board may sleep, and whoever
/// comes back finds what it did.
///
/// Used by one thread at a time, as connections are.
package struct DetachedRun: Sendable {
  let plan: DetachedPlan
  /// Of the shell that waits for the command, on the board.
  package let processID: Int32
  package let startTicks: UInt64?
  /// Empty where the board does not say.
  package let bootID: String
  /// What the board takes down; nil: nothing.
  package let interface: String?
  /// The board's clocks, and this host's at the same moment.
  private let clock: (host: MonotonicTime, board: BoardTime)
  /// How far the two may be apart, in nanoseconds.
  package let clockError: Int64

  /// How a run stands.
  package enum State: Sendable {
    case running
    /// All is written down; collect it.
    case over(DetachedOutcome)
  }

  // MARK: The start

  /// Leaves the command on the board; it begins when ``DetachedPlan/settleSeconds`` are over.
  ///
  /// - Throws: why it cannot begin; by then nothing is left there.
  package static func start(
    _ plan: DetachedPlan, through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> DetachedRun {
    let clock = try await readClocks(through: connection, until: deadline)
    let command = plan.command
    // The answer must have gone before the interface does.
    let settle = plan.interface == .none ? plan.settleSeconds : max(1, plan.settleSeconds)
    var launch = command
    launch.argv =
      ["sh", "-c", DetachedScript.launcher, "sh", DetachedScript.runner, plan.directory.string]
      + [plan.interface.word, seconds(settle), seconds(plan.limitSeconds)]
      + [seconds(command.grace)] + command.argv
    launch.environment["KELVIN_DETACHED"] = plan.name
    launch.standardOutput = .capture(limit: 1 << 20)
    launch.standardError = .capture(limit: 1 << 20)
    launch.endsDescendants = false
    let result = try await connection.execute(launch, until: deadline)
    var interface: String?
    var bootID = ""
    var ready: (processID: Int32, startTicks: UInt64?)?
    for line in result.standardOutput.text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 2)
      switch words.first {
      case "error":
        try? await connection.remove(plan.directory, until: deadline)
        throw refusal(line.dropFirst(6), plan, result, connection.name)
      case "interface": interface = words.dropFirst().first.map(String.init)
      case "boot": bootID = words.dropFirst().first.map(String.init) ?? ""
      case "ready":
        guard let processID = words.dropFirst().first.flatMap({ Int32($0) }) else { break }
        ready = (processID, words.count == 3 ? DetachedReport.entry(words[2])?.startTicks : nil)
      default: break
      }
    }
    guard let ready else {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): could not be left on the board (\(connection.name))",
        evidence: result.standardError.text)
    }
    return DetachedRun(
      plan: plan, processID: ready.processID, startTicks: ready.startTicks, bootID: bootID,
      interface: interface, clock: (clock.host, clock.board), clockError: clock.error)
  }

  private static func refusal(
    _ text: Substring, _ plan: DetachedPlan, _ result: CommandResult, _ name: String
  ) -> ConnectionFailure {
    let refusal = CommandRefusal(plan.command, connection: name)
    let program = plan.command.argv[0]
    let hint = "name one in the board's 'link', or write 'link: quiet' there"
    switch text.split(separator: " ").first {
    case "missing": return refusal.missing
    case "forbidden": return refusal.forbidden
    case "interface":
      return ConnectionFailure(
        .notFound,
        "\(program): the board has no network interface '\(text.dropFirst(10))' (\(name))",
        hint: hint)
    case "route":
      return ConnectionFailure(
        .unsupported,
        "\(program): which network interface carries the link cannot be told (\(name))", hint: hint)
    case "root":
      return ConnectionFailure(
        .permissionDenied,
        "\(program): taking a network interface down needs root on the board (\(name))",
        hint: "connect as root, or write 'link: quiet' in the board's entry")
    case "tool":
      return ConnectionFailure(
        .unsupported, "\(program): the board has neither 'ip' nor 'ifconfig' (\(name))",
        hint: "write 'link: quiet' in the board's entry")
    default:
      return ConnectionFailure(
        .permissionDenied, "\(plan.directory): cannot be made on the board (\(name))",
        evidence: result.standardError.text)
    }
  }

  /// Whole seconds, rounded up: not every sleep(1) knows fractions.
  private static func seconds(_ value: Double) -> String {
    String(Int64(min(max(0, value.rounded(.up)), 4e9)))
  }

  /// Reads the board's clocks between two readings of this host's; the closest of three.
  private static func readClocks(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> (host: MonotonicTime, board: BoardTime, error: Int64) {
    var best: (host: MonotonicTime, board: BoardTime, error: Int64)?
    for _ in 0..<3 {
      let begin = MonotonicTime.now
      let result = try await connection.execute(
        Command(["sh", "-c", DetachedScript.clock]), until: deadline)
      let half = (MonotonicTime.now - begin) / 2
      let words = result.standardOutput.text.split { $0 == " " || $0 == "\n" }
      guard words.first == "clock", let board = BoardTime(words: words.dropFirst()) else {
        continue
      }
      let error = half + (board.wallNanoseconds == nil ? 10_000_000 : 0)
      if best.map({ error < $0.error }) ?? true {
        best = (MonotonicTime(nanoseconds: begin.nanoseconds + half), board, error)
      }
    }
    guard let best else {
      throw ConnectionFailure(
        .unsupported, "\(connection.name): the board does not say how long it is up",
        hint: "detached jobs are dated by its /proc/uptime")
    }
    return best
  }

  // MARK: The way back

  /// Asks how it stands.
  ///
  /// - Throws: `notFound` when it never will be over: the board has booted since, or nothing of it is
  ///   left; why the board does not answer, which may pass.
  package func state(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> State {
    var report = try await report(through: connection, until: deadline)
    // Between its two looks it may have come to its end.
    if !report.isOver, report.runnerTicks == nil {
      report = try await self.report(through: connection, until: deadline)
    }
    let program = plan.command.argv[0]
    guard bootID.isEmpty || report.bootID == bootID else {
      throw ConnectionFailure(
        .notFound,
        "\(program): the board has booted while it ran detached (\(connection.name))",
        hint: "its console may say why: 'kelvin bench console'")
    }
    if report.isOver { return .over(outcome(report)) }
    guard report.runnerTicks == nil || report.runnerTicks != startTicks else { return .running }
    throw ConnectionFailure(
      .notFound,
      "\(program): the board's shell that ran it is gone; how it ended is not known "
        + "(\(connection.name))",
      hint: "has the board run out of memory, or \(plan.directory) of room?")
  }

  private func report(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> DetachedReport {
    let inquiry = Command(
      ["sh", "-c", DetachedScript.inquiry, "sh", plan.directory.string, "\(processID)"])
    return DetachedReport(
      try await connection.execute(inquiry, until: deadline).standardOutput.bytes)
  }

  private func outcome(_ report: DetachedReport) -> DetachedOutcome {
    let begin = report.begin ?? clock.board
    let start = MonotonicTime(
      nanoseconds: clock.host.nanoseconds + max(0, begin.since(clock.board)))
    let length = report.end.map { max(0, $0.since(begin)) } ?? 0
    return DetachedOutcome(
      termination: CommandResult.Termination(status: report.status ?? 127, word: report.word),
      startTime: start, endTime: MonotonicTime(nanoseconds: start.nanoseconds + length),
      cpuNanoseconds: report.cpuNanoseconds, isLate: report.isLate,
      hasBegun: report.begin != nil && report.status != nil)
  }

  /// Fetches what the command printed to where its ``Command`` wants it, ends what it left running, and
  /// removes its directory.
  ///
  /// - Throws: `timedOut` with the result when its time was not enough; why it could not begin.
  package func collect(
    _ outcome: DetachedOutcome, through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    let program = plan.command.argv[0]
    let ended = try await end(through: connection, until: deadline)
    guard outcome.hasBegun else {
      try? await connection.remove(plan.directory, until: deadline)
      throw ConnectionFailure(
        .unsupported,
        "\(program): the board could not take \(interface ?? "its interface") down, so it was not run",
        hint: "try 'ip link set \(interface ?? "eth0") down' on its console")
    }
    var result = CommandResult(
      termination: outcome.termination, standardOutput: CapturedOutput(),
      standardError: CapturedOutput(), startTime: outcome.startTime, endTime: outcome.endTime,
      cpuNanoseconds: outcome.cpuNanoseconds, endedDescendants: ended)
    result.standardOutput = try await fetch(
      "stdout", to: plan.command.standardOutput, connection, deadline)
    result.standardError = try await fetch(
      "stderr", to: plan.command.standardError, connection, deadline)
    try? await connection.remove(plan.directory, until: deadline)
    if outcome.isLate {
      throw ConnectionFailure(
        .timedOut, "\(program): timed out, and was ended", partial: result)
    }
    return result
  }

  private func fetch(
    _ name: String, to output: Command.Output, _ connection: any Connection, _ deadline: Deadline
  ) async throws(ConnectionFailure) -> CapturedOutput {
    if output == .discard { return CapturedOutput() }
    let path = plan.directory.appending(name)
    let result = try await connection.execute(
      Command(["cat", path.string], standardOutput: output), until: deadline)
    guard result.isSuccess else {
      throw ConnectionFailure(
        .notFound, "\(path): what '\(plan.command.argv[0])' printed cannot be read",
        evidence: result.standardError.text)
    }
    return result.standardOutput
  }

  /// Ends everything of it that still runs.
  ///
  /// - Returns: how many processes.
  package func end(
    through connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    // Orphans of a shell of this machine are adopted by this process, where it is a subreaper.
    defer { if connection.capabilities.isThisMachine { ProcessLauncher.reapOrphans() } }
    return try await connection.endProcesses(
      withEnvironment: "KELVIN_DETACHED=\(plan.name)", grace: plan.command.grace, until: deadline)
  }
}

/// How a detached command ended.
package struct DetachedOutcome: Sendable {
  package let termination: CommandResult.Termination
  /// On this host's clock, computed from the board's; see ``DetachedRun/clockError``.
  package let startTime: MonotonicTime
  package let endTime: MonotonicTime
  package let cpuNanoseconds: Int64?
  /// Whether its time was not enough.
  package let isLate: Bool
  /// False when the link could not be taken away, and so nothing was run.
  package let hasBegun: Bool
}
