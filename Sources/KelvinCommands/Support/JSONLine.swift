internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// Events as one line of JSON each, for `--log-format json`.
enum JSONLine {
  /// An object with `time` (UTC), `event`, and what belongs to the event.
  static func text(of event: RunEvent) -> String {
    var values: [String: Value] = [
      "time": .text(WallTime.text(nanoseconds: MonotonicTime.wallNanoseconds))
    ]
    switch event {
    case .runStarted(let pending, let total, let board):
      values["event"] = "run started"
      values["pending"] = .integer(Int64(pending))
      values["total"] = .integer(Int64(total))
      values["board"] = .text(board)
    case .jobStarted(let position, let spec, let iteration, let attempt):
      values["event"] = "job started"
      describe(position, spec, iteration, attempt, in: &values)
    case .stage(let stage, let position):
      values["event"] = "stage"
      values["stage"] = .text(stage.rawValue)
      values["job"] = .integer(Int64(position + 1))
    case .attemptEnded(let report):
      values["event"] = "attempt ended"
      describe(report.position, report.spec, report.iteration, report.attempt, in: &values)
      values["verdict"] = .text(report.outcome.verdict.text)
      if !report.outcome.reason.isEmpty { values["reason"] = .text(report.outcome.reason) }
      values["final"] = .boolean(report.jobOutcome != nil)
      values["seconds"] = .number(Double(report.duration) / 1e9)
    case .recovered(let report):
      values["event"] = "recovery ended"
      if let position = report.position { values["job"] = .integer(Int64(position + 1)) }
      values["finding"] = .text(report.finding)
      values["back"] = .boolean(report.isBack)
      values["seconds"] = .number(Double(report.duration) / 1e9)
      values["steps"] = .list(
        report.steps.map { step in
          [
            "rung": .text(step.rung.rawValue), "seconds": .number(step.seconds),
            "problem": step.problem.map { .text($0) } ?? .null
          ]
        })
    case .checked(let report):
      values["event"] = "health check ended"
      values["workload"] = .text(report.workload)
      values["cause"] = .text(report.cause)
      values["passed"] = .boolean(report.problem == nil)
      if let problem = report.problem { values["problem"] = .text(problem) }
      values["seconds"] = .number(Double(report.duration) / 1e9)
    case .jobsSkipped(let positions, let reason):
      values["event"] = "jobs skipped"
      values["jobs"] = .list(positions.map { .integer(Int64($0 + 1)) })
      values["reason"] = .text(reason)
    case .logged(let record):
      values["event"] = "log"
      values["level"] = .text(record.level.rawValue)
      values["source"] = .text(record.source)
      values["message"] = .text(record.message)
    case .processOutputs:
      values["event"] = "processing outputs"
    case .runEnded(let outcome):
      values["event"] = "run ended"
      values["verdict"] = .text(outcome.verdict.text)
      if !outcome.reason.isEmpty { values["reason"] = .text(outcome.reason) }
    }
    return Value.map(values).json
  }

  private static func describe(
    _ position: Int, _ spec: JobSpec, _ iteration: Int, _ attempt: Int,
    in values: inout [String: Value]
  ) {
    values["job"] = .integer(Int64(position + 1))
    values["id"] = .text(spec.id)
    values["label"] = .text(spec.label)
    values["iteration"] = .integer(Int64(iteration))
    values["attempt"] = .integer(Int64(attempt))
  }
}
