internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem

/// What is known of a board or meter, for people and for programs.
enum StatusText {
  /// One line without its name: `leased by anna, process 4711 on labhost, since ... for run x`.
  static func details(of status: ResourceStatus) -> String {
    var parts: [String] = []
    if let health = status.health {
      parts.append(
        "\(health.condition.rawValue) by \(health.user) since \(time(health.sinceWallNanoseconds))"
          + ": \(health.reason)" + (health.evidence.isEmpty ? "" : " (\(health.evidence))"))
    }
    if let lease = status.lease {
      let word =
        switch status.standing {
        case .dead: status.isAbandoned ? "left by" : "orphaned by"
        case .elsewhere: "leased (not to be judged from here) by"
        default: "leased by"
        }
      parts.append(
        "\(word) \(lease.holder.label), since \(time(lease.takenWallNanoseconds))"
          + (lease.purpose.isEmpty ? "" : " for \(lease.purpose)")
          + (lease.directory.isEmpty ? "" : " in \(lease.directory)")
          + (status.state == .recovering ? ", recovering" : "")
          + (status.isAbandoned ? ", which is gone: whoever comes next gets it" : ""))
    }
    if let outage = status.outage {
      let isLeft = status.isLeftOff
      parts.append(
        outage.label
          + (isLeft ? ", and not on again: 'kelvin power on \(status.resource.name)'" : ""))
    }
    if let reservation = status.reservation {
      parts.append(
        "reserved by \(reservation.user) until \(time(reservation.expires.wallNanoseconds))"
          + (reservation.reason.isEmpty ? "" : ": \(reservation.reason)"))
    }
    return parts.isEmpty ? status.state.rawValue : parts.joined(separator: "; ")
  }

  /// The same as an object.
  static func value(of status: ResourceStatus) -> Value {
    var values: [String: Value] = [
      "kind": .text(status.resource.kind.rawValue), "name": .text(status.resource.name),
      "bench": .text(status.resource.bench), "state": .text(status.state.rawValue)
    ]
    if let identity = status.resource.identity { values["identity"] = .text(identity) }
    if let lease = status.lease {
      values["lease"] = .map([
        "user": .text(lease.holder.user), "host": .text(lease.holder.host.name),
        "process": .integer(Int64(lease.holder.process.processID)),
        "holder": .text((status.standing ?? .elsewhere).rawValue), "run": .text(lease.run),
        "directory": .text(lease.directory), "purpose": .text(lease.purpose),
        "since": .text(time(lease.takenWallNanoseconds)),
        "abandoned": .boolean(status.isAbandoned)
      ])
    }
    if let outage = status.outage {
      values["outage"] = .map([
        "user": .text(outage.user), "host": .text(outage.host),
        "process": .integer(Int64(outage.processID)), "reason": .text(outage.reason),
        "since": .text(time(outage.sinceWallNanoseconds)), "left-off": .boolean(status.isLeftOff)
      ])
    }
    if let reservation = status.reservation {
      values["reservation"] = .map([
        "user": .text(reservation.user), "host": .text(reservation.host),
        "reason": .text(reservation.reason),
        "since": .text(time(reservation.madeWallNanoseconds)),
        "until": .text(time(reservation.expires.wallNanoseconds))
      ])
    }
    if let health = status.health {
      values["health"] = .map([
        "condition": .text(health.condition.rawValue), "reason": .text(health.reason),
        "evidence": .text(health.evidence), "user": .text(health.user),
        "host": .text(health.host), "since": .text(time(health.sinceWallNanoseconds))
      ])
    }
    return .map(values)
  }

  private static func time(_ nanoseconds: Int64) -> String {
    WallTime.text(nanoseconds: nanoseconds)
  }
}
