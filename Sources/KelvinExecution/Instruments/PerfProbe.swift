internal import KelvinConnections
internal import KelvinModel

/// Finds out which events a target can count, by counting them for a trivial program: perf itself.
struct PerfProbe: Sendable {
  let perf: TargetPath
  let connection: any Connection

  struct Findings: Hashable {
    var supported: [String] = []
    /// With perf's words where it gave some.
    var unsupported: [String] = []
  }

  /// Checks all events at once, and one by one when perf refuses them as a whole.
  func check(
    _ events: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> Findings {
    let (report, complaint) = try await count(events, until: deadline)
    if let report { return PerfProbe.judge(events, report) }
    guard events.count > 1 else {
      return Findings(unsupported: events.map { "\($0) (\(complaint))" })
    }
    var findings = Findings()
    for event in events {
      let found = try await check([event], until: deadline)
      findings.supported += found.supported
      findings.unsupported += found.unsupported
    }
    return findings
  }

  /// Options with which perf gives the workload's own exit status.
  ///
  /// Without them perf 6.1 gives 0 for one in twenty workloads of a millisecond, however they
  /// ended: its SIGCHLD handler can come before it waits, and then it does not wait
  /// (builtin-stat.c, skip_signal). A control channel, which nobody writes to, makes it poll and
  /// wait instead.
  /// - Parameter path: where the named pipe of that channel is made on the target.
  /// - Returns: empty when this perf (before 5.12) or this target cannot do it.
  func control(
    at path: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    do {
      guard
        try await connection.execute(Command(["mkfifo", path.string]), until: deadline).isSuccess
      else { return [] }
    } catch {
      // mkfifo is not there.
      guard error.code == .notFound else { throw error }
      return []
    }
    let options = ["--control", "fifo:\(path)"]
    let trial = try await connection.execute(
      Command([perf.string, "stat", "-n"] + options + ["--", perf.string, "--version"]),
      until: deadline)
    return trial.isSuccess ? options : []
  }

  /// An element is supported when each of its events was counted.
  static func judge(_ events: [String], _ report: PerfStatReport) -> Findings {
    var findings = Findings()
    let refused = report.counts.filter { $0.outcome == .notSupported }.map(\.event)
    let counted = report.counts.filter { $0.outcome != .notSupported }.map(\.event)
    func isAmong(_ name: String, _ events: [String]) -> Bool {
      events.contains { PerfStatReport.names($0).contains(name) || $0 == name }
    }
    for event in events {
      let names = PerfStatReport.names(event)
      let isRefused = names.contains { isAmong($0, refused) && !isAmong($0, counted) }
      // A wildcard of events has other names in the report; what is not refused is kept.
      if isRefused { findings.unsupported.append(event) } else { findings.supported.append(event) }
    }
    return findings
  }

  /// - Returns: the counts, or nil and perf's complaint.
  private func count(
    _ events: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> (PerfStatReport?, String) {
    let command = Command(
      [perf.string, "stat", "-x", PerfStatReport.separator] + events.flatMap { ["-e", $0] }
        + ["--", perf.string, "--version"],
      environment: ["LC_ALL": "C"], standardOutput: .discard,
      standardError: .capture(limit: 65_536))
    let result = try await connection.execute(command, until: deadline)
    let text = KernelText(result.standardError.bytes)
    guard result.isSuccess else {
      let lines = text.map { KernelText.string($0) }.filter { !$0.isEmpty && $0 != "Error:" }
      let complaint = lines.prefix(2).joined(separator: " ")
      return (nil, complaint.isEmpty ? "perf stat failed" : complaint)
    }
    return (PerfStatReport(text, events: events), "")
  }
}
