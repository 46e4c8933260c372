internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

// What has happened on a board.
extension HealthText {
  /// Labels and texts of the lines about a history.
  static func details(_ history: BoardHistory) -> [(label: String, text: String)] {
    var lines: [(label: String, text: String)] = []
    let attempts = history.attempts.sorted { $0.key.text < $1.key.text }
      .map { "\($0.value) \($0.key.text)" }.joined(separator: ", ")
    lines.append(
      (
        "jobs",
        "\(history.jobs) since \(WallTime.text(nanoseconds: history.sinceWallNanoseconds)); "
          + "attempts: \(attempts.isEmpty ? "none" : attempts)"
      ))
    if history.flakiness.total > 0 {
      lines.append(("flaky", flakiness(history.flakiness) + ", \(history.flakyJobs) job(s)"))
    }
    if let time = history.timeToRecover {
      lines.append(
        (
          "recovered",
          "in \(seconds(time.mean)) on average, \(seconds(time.range.lowerBound)) to "
            + seconds(time.range.upperBound)
        ))
    }
    for outcome in outcomes(history) {
      guard let total = history.recoveries[outcome] else { continue }
      let mean = seconds(total.seconds / Double(max(1, total.count)))
      lines.append(
        (
          "",
          outcome == RecoveryRecord.lost
            ? "\(total.count) lost, given up after \(mean) on average"
            : "\(total.count) by \(outcome), \(mean) on average"
        ))
    }
    if let check = history.lastCheck {
      lines.append(
        (
          "checks",
          "\(history.checks.passed) passed, \(history.checks.failed) failed; the last "
            + "\(WallTime.text(nanoseconds: check.endedWallNanoseconds)), run \(check.run), "
            + "\(check.cause) ('\(check.workload)', \(seconds(check.seconds))): "
            + (check.problem ?? "passed")
        ))
    }
    if let trouble = history.lastTrouble {
      lines.append(
        (
          "trouble",
          "\(WallTime.text(nanoseconds: trouble.wallNanoseconds)), run \(trouble.run): "
            + trouble.text
        ))
    }
    for recovery in history.lastRecoveries {
      lines.append(
        (
          "recovery",
          "\(WallTime.text(nanoseconds: recovery.endedWallNanoseconds)), run \(recovery.run): "
            + "\(recovery.finding): \(recovery.outcome) after \(seconds(recovery.seconds))"
        ))
      for step in recovery.steps {
        lines.append(
          ("", "\(step.rung), \(seconds(step.seconds)): \(step.problem ?? "the board is back")"))
      }
    }
    return lines
  }

  static func value(_ history: BoardHistory) -> Value {
    let interval = history.flakiness.interval
    let time = history.timeToRecover
    return [
      "since": .text(WallTime.text(nanoseconds: history.sinceWallNanoseconds)),
      "jobs": .integer(Int64(history.jobs)),
      "attempts": .map(
        Dictionary(
          uniqueKeysWithValues: history.attempts.map { ($0.key.text, .integer(Int64($0.value))) })),
      "flaky": [
        "jobs": .integer(Int64(history.flakyJobs)),
        "share": history.flakiness.share.map(Value.number) ?? .null,
        "low": .number(interval.lowerBound), "high": .number(interval.upperBound)
      ],
      "time_to_recover": time.map {
        [
          "mean": .number($0.mean), "shortest": .number($0.range.lowerBound),
          "longest": .number($0.range.upperBound)
        ]
      } ?? .null,
      "recoveries": .map(
        history.recoveries.mapValues { total in
          ["count": .integer(Int64(total.count)), "seconds": .number(total.seconds)]
        }),
      "last_recoveries": .list(history.lastRecoveries.map(value)),
      "health_checks": [
        "passed": .integer(Int64(history.checks.passed)),
        "failed": .integer(Int64(history.checks.failed))
      ],
      "last_health_check": history.lastCheck.map { check in
        [
          "time": .text(WallTime.text(nanoseconds: check.endedWallNanoseconds)),
          "run": .text(check.run), "workload": .text(check.workload), "cause": .text(check.cause),
          "problem": check.problem.map { .text($0) } ?? .null, "seconds": .number(check.seconds)
        ]
      } ?? .null,
      "last_trouble": history.lastTrouble.map { trouble in
        [
          "time": .text(WallTime.text(nanoseconds: trouble.wallNanoseconds)),
          "run": .text(trouble.run), "text": .text(trouble.text)
        ]
      } ?? .null
    ]
  }

  private static func value(_ recovery: RecoveryRecord) -> Value {
    [
      "time": .text(WallTime.text(nanoseconds: recovery.endedWallNanoseconds)),
      "run": .text(recovery.run), "finding": .text(recovery.finding),
      "outcome": .text(recovery.outcome), "seconds": .number(recovery.seconds),
      "steps": .list(
        recovery.steps.map { step in
          [
            "rung": .text(step.rung), "seconds": .number(step.seconds),
            "problem": step.problem.map { .text($0) } ?? .null
          ]
        })
    ]
  }

  /// `12.5 % (3.5 to 36 %)`
  static func flakiness(_ proportion: Proportion) -> String {
    guard let share = proportion.share else { return "-" }
    let interval = proportion.interval
    return "\(percent(share)) % (\(percent(interval.lowerBound)) to "
      + "\(percent(interval.upperBound)) %)"
  }

  static func seconds(_ seconds: Double) -> String { rounded(seconds) + " s" }

  private static func percent(_ share: Double) -> String { rounded(share * 100) }

  /// To one digit behind the point, which a whole number does without.
  private static func rounded(_ number: Double) -> String {
    let tenths = (number * 10).rounded() / 10
    let text = "\(tenths)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// From the mildest rung to the hardest, then what Kelvin does not know, then `lost`.
  private static func outcomes(_ history: BoardHistory) -> [String] {
    let rungs = Rung.allCases.map(\.rawValue)
    let known = rungs + [RecoveryRecord.lost]
    let others = history.recoveries.keys.filter { !known.contains($0) }.sorted()
    return rungs + others + [RecoveryRecord.lost]
  }
}
