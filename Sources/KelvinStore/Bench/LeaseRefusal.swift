public import KelvinModel
internal import KelvinSystem

/// Why boards and meters are not to be had: who has them, and what to do about it.
public struct LeaseRefusal: Failure, Hashable {
  public enum Cause: Sendable, Hashable {
    case leased(Lease, LeaseHolder.Standing)
    case reserved(Reservation)
    case unwell(BenchHealth)
  }

  /// One resource that is not to be had.
  public struct Problem: Sendable, Hashable {
    public var resource: BenchResource
    public var cause: Cause

    /// Creates a problem.
    public init(_ resource: BenchResource, _ cause: Cause) {
      self.resource = resource
      self.cause = cause
    }
  }

  /// In the order in which the resources would have been taken; at least one.
  public let problems: [Problem]

  /// Creates a refusal.
  public init(_ problems: [Problem]) { self.problems = problems }

  public var kind: FailureKind { .infrastructure }

  public var message: String { problems.map(\.message).joined(separator: "; ") }

  public var hint: String {
    var seen: Set<String> = []
    return problems.map(\.hint).filter { seen.insert($0).inserted }.joined(separator: "; ")
  }
}

extension LeaseRefusal.Problem {
  fileprivate var message: String {
    switch cause {
    case .leased(let lease, let standing):
      let what = lease.purpose.isEmpty ? "" : " for \(lease.purpose)"
      let time = WallTime.text(nanoseconds: lease.takenWallNanoseconds)
      switch standing {
      case .alive: return "\(resource.label): leased by \(lease.holder.label), since \(time)\(what)"
      case .dead:
        return "\(resource.label): its lease is orphaned: \(lease.holder.label), is gone; "
          + "it was taken at \(time)\(what)"
      case .elsewhere:
        return "\(resource.label): leased by \(lease.holder.label), which cannot be seen from "
          + "here, since \(time)\(what)"
      }
    case .reserved(let reservation):
      let reason = reservation.reason.isEmpty ? "" : ": \(reservation.reason)"
      return "\(resource.label): reserved by \(reservation.user) until "
        + "\(WallTime.text(nanoseconds: reservation.expires.wallNanoseconds))\(reason)"
    case .unwell(let health):
      let evidence = health.evidence.isEmpty ? "" : " (\(health.evidence))"
      return "\(resource.label): \(health.condition.rawValue) by \(health.user) since "
        + "\(WallTime.text(nanoseconds: health.sinceWallNanoseconds)): \(health.reason)\(evidence)"
    }
  }

  fileprivate var hint: String {
    switch cause {
    case .leased(let lease, .alive):
      let process = lease.holder.process.processID
      return "wait for its end, or stop it: kill -INT \(process)"
    case .leased(let lease, .dead):
      let takeOver = "use --take-over, which restores the settings first"
      return lease.directory.isEmpty
        ? takeOver : "continue that run with 'kelvin resume \(lease.directory)', or \(takeOver)"
    case .leased(let lease, .elsewhere):
      return "ask \(lease.holder.user), or look on \(lease.holder.host.name); only when it is gone "
        + "for good: --take-over"
    case .reserved(let reservation):
      return "ask \(reservation.user), or wait; 'kelvin bench release --force \(resource.name)' "
        + "ends the reservation"
    case .unwell:
      return "when it is well: kelvin bench enable \(resource.name)"
    }
  }
}
