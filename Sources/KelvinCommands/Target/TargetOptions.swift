internal import ArgumentParser
internal import Glibc
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// What commands take that work on a board which is up.
struct TargetOptions: ParsableArguments {
  @OptionGroup var bench: BenchOptions

  @OptionGroup var hold: BoardHoldOptions

  /// Leases a board for the moment, connects to it, and gives both back however `body` ends.
  ///
  /// - Parameters:
  ///   - verb: for others who want the board: `exec`.
  ///   - body: runs on the board's own thread.
  func withTarget<Result: Sendable>(
    _ name: String, for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (Target) async throws -> Result
  ) async throws -> Result {
    try await withBoard(name, for: verb, until: deadline) { target, _ in try await body(target) }
  }

  /// As ``withTarget(_:for:until:_:)``, with what is known of the board on its bench.
  func withBoard<Result: Sendable>(
    _ name: String, for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (Target, RunBoard) async throws -> Result
  ) async throws -> Result {
    let board = try RunBoard.find(name, bench: bench, .current)
    ProcessLauncher.becomeSubreaper()
    let work: @Sendable () async throws -> Result = {
      let target = Target(
        name: board.name, connection: try board.connection([:]), runID: "target-\(getpid())")
      do {
        let result = try await body(target, board)
        await target.disconnect(until: .after(seconds: 5))
        return result
      } catch {
        await target.disconnect(until: .after(seconds: 5))
        throw error
      }
    }
    // Boards of a bench are leased, this machine is shared.
    guard board.isExclusive, let resource = board.resources.first else {
      return try await BoardSeat(name).run(work)
    }
    return try await hold.holding(
      resource, for: "kelvin target \(verb)", switchOn: board.switchOn,
      restore: { try await board.restore($0, until: $1) }, until: deadline
    ) { _ in try await BoardSeat(name).run(work) }
  }
}
