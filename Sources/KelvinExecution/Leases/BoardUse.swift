public import KelvinModel
public import KelvinStore

/// What a command outside of runs, such as `kelvin power`, may do to a board that others use, too.
///
/// A board that nobody has is leased for the moment, also one that was taken out: whoever repairs it
/// must be able to switch it. One that somebody has, or keeps, is refused; with `force`, what its own
/// user's run has, or a dead one left, is used beside it, and nothing else. A run's own processes,
/// told by KELVIN_RUN, may use what the run has.
public struct BoardUse: Sendable {
  /// On whose behalf.
  public var user: String
  /// The run that the calling process belongs to; empty when to none.
  public var run: String
  /// See ``BoardUse``; also goes on when the bench database cannot be used.
  public var force: Bool
  /// Hears beside whom a board is used.
  public var note: @Sendable (String) -> Void

  /// Creates a use.
  public init(
    user: String = LeaseHolder.currentUser(), run: String, force: Bool,
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.user = user
    self.run = run
    self.force = force
    self.note = note
  }

  /// Leases what is wished for.
  ///
  /// - Returns: nil when it is used without a lease of its own.
  /// - Throws: what ``BoardLease/take(_:until:)`` throws, with a hint when `force` would help.
  public func take(_ wish: LeaseWish, until deadline: Deadline) async throws -> BoardLease? {
    do {
      return try await BoardLease.take(wish, until: deadline)
    } catch let refusal as LeaseRefusal {
      try settle(refusal)
    } catch let failure as StoreFailure {
      try settle(failure)
    }
    return nil
  }

  /// Says whether a board may be used without a lease, which leaves it to whoever wants it next.
  ///
  /// - Parameter stateDirectory: where the bench database is; nil: where ``StateDirectory`` says.
  /// - Throws: ``take(_:until:)``'s failures, but for those of a lease itself.
  public func check(_ resource: BenchResource, stateDirectory: String? = nil) throws {
    let status: ResourceStatus
    do throws(StoreFailure) {
      status = try BenchListing.status(of: resource, directory: stateDirectory)
    } catch {
      return try settle(error)
    }
    var problems: [LeaseRefusal.Problem] = []
    if let lease = status.lease, !status.isAbandoned {
      problems.append(.init(resource, .leased(lease, status.standing ?? .elsewhere)))
    } else if let reservation = status.reservation, reservation.user != user {
      problems.append(.init(resource, .reserved(reservation)))
    }
    if !problems.isEmpty { try settle(LeaseRefusal(problems)) }
  }

  // MARK: Parts

  private func settle(_ refusal: LeaseRefusal) throws {
    var needsForce = false
    for problem in refusal.problems {
      guard case .leased(let lease, let standing) = problem.cause else { throw refusal }
      if !run.isEmpty, lease.run == run { continue }
      guard lease.holder.user == user || standing == .dead else { throw refusal }
      needsForce = true
    }
    guard needsForce else { return }
    guard force else {
      throw PlainFailure(
        refusal.kind, refusal.message, evidence: refusal.evidence,
        hint: refusal.hint + "; or use --force, which leaves it where it is and uses the board "
          + "beside it")
    }
    note("\(refusal.message); used beside it (--force)")
  }

  private func settle(_ failure: StoreFailure) throws {
    guard force else {
      throw PlainFailure(
        failure.kind, failure.message, evidence: failure.evidence,
        hint: failure.hint + "; --force does without, and asks nobody")
    }
    note("warning: \(failure.message); nobody was asked whether the board is in use (--force)")
  }
}
