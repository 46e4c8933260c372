internal import KelvinModel
internal import KelvinStore

/// The health of one board or meter, for people and for programs.
enum HealthText {
  /// ```
  /// board rock: quarantined
  ///   reason    stopped answering
  ///   ...
  /// ```
  static func text(_ status: ResourceStatus, _ events: [BenchEvent]) -> String {
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

  /// What `kelvin bench who` says, and the events, newest first.
  static func value(_ status: ResourceStatus, _ events: [BenchEvent]) -> Value {
    guard case .map(var values) = StatusText.value(of: status) else { return nil }
    values["events"] = .list(
      events.map { event in
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
