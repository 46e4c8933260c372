internal import ArgumentParser
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem

/// The options by which `run` and `resume` take the board for themselves.
struct LeaseOptions: ParsableArguments {
  @Flag(
    help: """
      Take this machine's lease: no other run gets it meanwhile. Boards of a bench file are always \
      taken.
      """)
  var exclusive = false

  @Flag(
    help: """
      Take over the board from a run that is gone, or on a host that is gone for good; its settings \
      are restored first.
      """)
  var takeOver = false

  /// Takes what a run on a board needs: always what belongs to a bench, this machine when the run,
  /// now or in an earlier life, wants it for itself.
  ///
  /// - Throws: ``LeaseRefusal`` and what else ``BoardLease/take(_:until:)`` throws; after a signal
  ///   ``CommandExit`` with its code.
  func take(
    _ board: RunBoard, run: String, name: String, directory: String,
    wasExclusive: Bool = false, changesSettings: Bool, control: RunControl
  ) async throws -> HeldBoards {
    // Whose settings change is nobody else's meanwhile.
    var isExclusive = exclusive || wasExclusive || board.isExclusive || changesSettings
    if !isExclusive, let machine = board.resources.first?.resource {
      isExclusive = try look(at: machine, run: run)
    }
    guard isExclusive else { return HeldBoards(lease: nil) }
    let wish = LeaseWish(
      board.resources, run: run, directory: SmallFile.absolute(directory),
      purpose: "run \(name)", takesOver: takeOver,
      note: { Terminal.standardError.line("kelvin: \($0)") },
      restore: { try await board.restore($0, until: $1) }, switchOn: board.switchOn)
    do {
      return HeldBoards(
        lease: try await BoardLease.take(
          wish, until: Deadline(time: nil, interrupt: control.stop)))
    } catch {
      guard let code = control.exitCode else { throw error }
      Terminal.standardError.line("kelvin: \(PlainFailure(error))")
      throw CommandExit(code: code)
    }
  }

  /// Looks whether somebody wants this machine for themselves; a bench database that cannot be read
  /// is worth a warning only, since nothing is asked of it.
  ///
  /// - Returns: whether a dead life of this very run has it.
  private func look(at machine: BenchResource, run: String) throws -> Bool {
    let status: ResourceStatus
    do throws(StoreFailure) {
      status = try BenchListing.status(of: machine)
    } catch {
      Terminal.standardError.line("kelvin: warning: \(error)")
      return false
    }
    if status.lease?.run == run { return true }
    if let health = status.health { throw LeaseRefusal([.init(machine, .unwell(health))]) }
    if let lease = status.lease, status.standing == .alive {
      throw LeaseRefusal([.init(machine, .leased(lease, .alive))])
    }
    if let reservation = status.reservation, reservation.user != LeaseHolder.currentUser() {
      throw LeaseRefusal([.init(machine, .reserved(reservation))])
    }
    return false
  }
}

/// What a run holds while it goes on; nothing on a machine that is shared.
struct HeldBoards {
  let lease: BoardLease?

  /// Runs `body`, and gives everything back at its end, however it ends. A process that is killed,
  /// or ended at once by a second signal, gives nothing back: only its resume knows how it left the
  /// board.
  // Never inlined: Swift 6.3.1's optimizer crashes on ResumeCommand.run() otherwise.
  @inline(never)
  func during(_ body: () async throws -> Void) async throws {
    do {
      try await body()
    } catch {
      await giveBack()
      throw error
    }
    await giveBack()
  }

  private func giveBack() async {
    for problem in await lease?.giveBack() ?? [] {
      Terminal.standardError.line("kelvin: warning: \(problem)")
    }
  }
}
