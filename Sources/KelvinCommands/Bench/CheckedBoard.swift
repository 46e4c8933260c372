internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// One board while it is checked: leased, so that no run gets it meanwhile, and its health written
/// down afterwards. On a thread of its own, since devices block.
actor CheckedBoard {
  private let board: BoardEntry
  private let resource: BenchResource
  private let takesOver: Bool
  private let switchOn: (@Sendable (BenchResource, Deadline) async throws -> Void)?
  private let interrupt: Interrupt
  private let thread: BoardThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Prepares the check of a board.
  ///
  /// - Parameter bench: that the board belongs to.
  init(
    _ board: BoardEntry, of bench: Bench, as resource: BenchResource, takesOver: Bool,
    interrupt: Interrupt
  ) {
    self.board = board
    self.resource = resource
    self.takesOver = takesOver
    switchOn = PowerRequest.switchingOn(board, of: bench)
    self.interrupt = interrupt
    thread = BoardThread(name: board.name)
  }

  /// Leases the board, has it checked, and gives it back.
  func check(by check: BenchCheck) async throws -> [CheckStep] {
    let subject = "board '\(board.name)'"
    let lease: BoardLease
    let health: BenchHealth?
    do {
      lease = try await BoardLease.take(
        LeaseWish(
          [.init(resource, external: board.lease)], purpose: "bench check", takesOver: takesOver,
          attends: true, note: { Terminal.standardError.line("kelvin: \($0)") },
          // Kelvin has changed no setting that outlives its run.
          // The next run puts back what is left.
          restore: { _, _ in }, switchOn: switchOn),
        until: Deadline(time: nil, interrupt: interrupt))
      health = try BenchListing.status(of: resource).health
    } catch let refusal as LeaseRefusal {
      return [CheckStep(subject, "lease", .skipped, refusal.message, hint: refusal.hint)]
    } catch let failure as StoreFailure {
      // Nobody can say whether somebody uses it.
      return [CheckStep(subject, "lease", .failed, failure.message, hint: failure.hint)]
    } catch  where !interrupt.isRaised {
      // Another system refuses it, or it was left off and cannot be switched on.
      let failure = PlainFailure(error)
      let evidence = failure.evidence.isEmpty ? "" : " (\(failure.evidence))"
      return [
        CheckStep(subject, "lease", .failed, failure.message + evidence, hint: failure.hint)
      ]
    }
    let resource = resource
    let journal = OutageJournal(
      begin: { try await lease.switchingOff(resource, reason: $0) },
      end: { try await lease.switched(resource) })
    var steps = await check.check(board, journal: journal)
    if let health, !interrupt.isRaised {
      do throws(StoreFailure) {
        steps.append(try conclude(from: steps, health))
      } catch {
        steps.append(CheckStep(subject, "health", .failed, error.message, hint: error.hint))
      }
    }
    for problem in await lease.giveBack() {
      steps.append(CheckStep(subject, "lease", .failed, "\(problem)"))
    }
    return steps
  }

  /// Brings a board back that was sick and has passed; what a person took out stays out.
  private func conclude(
    from steps: [CheckStep], _ health: BenchHealth
  ) throws(StoreFailure) -> CheckStep {
    let subject = "board '\(board.name)'"
    // A board of which nothing could be looked at has passed nothing.
    let isWell =
      steps.allSatisfy { $0.result != .failed } && steps.contains { $0.result == .ok }
    guard isWell, health.condition == .quarantined else {
      return CheckStep(
        subject, "health", .skipped, "stays \(health.condition.rawValue): \(health.reason)",
        hint: "'kelvin bench enable \(board.name)' puts it back")
    }
    let store = try BenchStore.open()
    defer { store.close() }
    // Whoever disabled it meanwhile has the last word.
    guard try store.enable(resource, reason: "passed bench check", from: .quarantined) else {
      return CheckStep(
        subject, "health", .skipped, "was disabled, or put back, while it was checked",
        hint: "'kelvin bench health \(board.name)' tells")
    }
    return CheckStep(subject, "health", .ok, "was in quarantine (\(health.reason)); is back")
  }
}
