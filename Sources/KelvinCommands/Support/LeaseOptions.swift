internal import ArgumentParser
internal import Glibc
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

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

  /// Takes what a run on a board needs.
  ///
  /// - Parameter isExclusive: whether an earlier life of the run had it for itself.
  /// - Throws: ``LeaseRefusal`` and what else ``BoardLease/take(_:until:)`` throws; after a signal
  ///   ``CommandExit`` with its code.
  func take(
    _ board: BoardChoice, run: String, name: String, directory: String,
    isExclusive: Bool = false, control: RunControl
  ) async throws -> HeldBoards {
    let machine = BenchResource.thisMachine(try HostIdentity.current())
    let hadIt = try look(at: machine, run: run, isExclusive: exclusive || isExclusive || takeOver)
    guard exclusive || isExclusive || hadIt else { return HeldBoards(lease: nil) }
    let wish = LeaseWish(
      [.init(machine)], run: run, directory: LeaseOptions.absolute(directory),
      purpose: "run \(name)", takesOver: takeOver,
      note: { Terminal.standardError.line("kelvin: \($0)") },
      // Kelvin has changed no setting that outlives its run.
      restore: { _, _ in })
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
  private func look(at machine: BenchResource, run: String, isExclusive: Bool) throws -> Bool {
    let status: ResourceStatus?
    do throws(StoreFailure) {
      status = try BenchListing.read().resources.first {
        $0.resource.name == machine.name && $0.resource.bench == machine.bench
      }
    } catch {
      if !isExclusive { Terminal.standardError.line("kelvin: warning: \(error)") }
      return false
    }
    guard let status else { return false }
    if status.lease?.run == run { return true }
    guard !isExclusive else { return false }
    if let health = status.health {
      throw LeaseRefusal([.init(machine, .unwell(health))])
    }
    if let lease = status.lease, status.standing == .alive {
      throw LeaseRefusal([.init(machine, .leased(lease, .alive))])
    }
    if let reservation = status.reservation, reservation.user != LeaseHolder.currentUser() {
      throw LeaseRefusal([.init(machine, .reserved(reservation))])
    }
    return false
  }

  private static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return String(cString: current) + "/" + path
  }
}

/// What a run holds while it goes on; nothing on a machine that is shared.
struct HeldBoards {
  let lease: BoardLease?

  /// Runs `body`, and gives everything back at its end, however it ends. A process that is killed,
  /// or ended at once by a second signal, gives nothing back: only its resume knows how it left the
  /// board.
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
