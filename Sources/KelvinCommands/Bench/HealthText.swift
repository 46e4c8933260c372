internal import KelvinModel
internal import KelvinStore

/// All that is known of one board or meter.
struct HealthReport {
  var status: ResourceStatus
  /// Nil: no job ever ran on it.
  var history: BoardHistory?
  /// Newest first.
  var events: [BenchEvent]
}

/// The health of boards and meters, for people and for programs.
enum HealthText {
  /// One line for each.
  static func table(_ reports: [HealthReport]) -> TextTable {
    TextTable(
      header: [
        "NAME", "STATE", "JOBS", "ATTEMPTS", "OK", "TARGET", "INFRA", "RECOVERED", "MEAN", "FLAKY",
        "LAST TROUBLE"
      ], right: [2, 3, 4, 5, 6, 7, 8],
      rows: reports.map { report in
        let start = [
          TextTable.printable(report.status.resource.name), report.status.state.rawValue
        ]
        guard let history = report.history else {
          return start + [String](repeating: "-", count: 9)
        }
        let recoveries = history.recoveries.values.reduce(0) { $0 + $1.count }
        return start + [
          "\(history.jobs)", "\(history.attempts.values.reduce(0, +))",
          "\(history.attempts[.ok] ?? 0)", "\(history.failures(.target))",
          "\(history.failures(.infrastructure))",
          recoveries == 0 ? "0" : "\(recoveries - history.lost)/\(recoveries)",
          history.timeToRecover.map { seconds($0.mean) } ?? "-", flakiness(history.flakiness),
          history.lastTrouble.map {
            TextTable.printable("\(WallTime.text(nanoseconds: $0.wallNanoseconds)) \($0.text)")
          } ?? "-"
        ]
      })
  }

  /// ```
  /// board rock: quarantined
  ///   reason    stopped answering
  ///   ...
  /// ```
  static func text(_ report: HealthReport) -> String {
    let (status, events) = (report.status, report.events)
    var lines = [
      "\(status.resource.kind.rawValue) \(status.resource.name): \(status.state.rawValue)"
    ]
    func add(_ label: String, _ text: String) {
      guard !text.isEmpty else { return }
      lines.append("  \(label.padded(to: 9)) \(LocatedValue.printable(text))")
    }
    if let health = status.health {
      add("reason", health.reason)
      add("evidence", health.evidence)
      add(
        "since",
        "\(WallTime.text(nanoseconds: health.sinceWallNanoseconds)), by \(health.user) on "
          + health.host)
    }
    if status.lease != nil || status.reservation != nil || status.outage != nil {
      var rest = status
      rest.health = nil
      add("use", StatusText.details(of: rest))
    }
    add("bench", status.resource.bench)
    add("identity", status.resource.identity ?? "")
    if let history = report.history { details(history).forEach { add($0.label, $0.text) } }
    for event in events {
      let name = event.resource == status.resource.name ? "" : " as \(event.resource)"
      let run = event.run.isEmpty ? "" : ", run \(event.run)"
      let detail = event.detail.isEmpty ? "" : ": \(event.detail)"
      lines.append(
        "  \(WallTime.text(nanoseconds: event.wallNanoseconds))  "
          + LocatedValue.printable(
            "\(event.action)\(name) by \(event.user)@\(event.host)\(run)\(detail)"))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// What `kelvin bench who` says, the history, and the events, newest first.
  static func value(_ report: HealthReport) -> Value {
    guard case .map(var values) = StatusText.value(of: report.status) else { return nil }
    if let history = report.history { values["history"] = value(history) }
    values["events"] = .list(
      report.events.map { event in
        [
          "time": .text(WallTime.text(nanoseconds: event.wallNanoseconds)),
          "action": .text(event.action), "name": .text(event.resource),
          "user": .text(event.user), "host": .text(event.host),
          "process": .integer(Int64(event.processID)), "run": .text(event.run),
          "detail": .text(event.detail)
        ]
      })
    return .map(values)
  }
}

extension String {
  /// With spaces at its end up to a width.
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
