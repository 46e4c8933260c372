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

  @Flag(
    help: """
      Take over the board from a run that is gone, or on a host that is gone for good; its settings \
      are restored first.
      """)
  var takeOver = false

  @OptionGroup var use: BoardUseOptions

  /// Leases a board for the moment, connects to it, and gives both back however `body` ends.
  ///
  /// - Parameters:
  ///   - verb: for others who want the board: `exec`.
  ///   - body: runs on the board's own thread.
  func withTarget<Result: Sendable>(
    _ name: String, for verb: String, until deadline: Deadline,
    _ body: @escaping @Sendable (Target) async throws -> Result
  ) async throws -> Result {
    let board = try RunBoard.find(name, bench: bench, .current)
    let lease = try await lease(board, for: verb, until: deadline)
    ProcessLauncher.becomeSubreaper()
    do {
      let target = Target(
        name: board.name, connection: try board.connection([:]),
        runID: "target-\(getpid())")
      let result = try await TargetSession(board: name).use(target, body)
      await Self.giveBack(lease)
      return result
    } catch {
      await Self.giveBack(lease)
      throw error
    }
  }

  /// Boards of a bench are leased, this machine is shared.
  private func lease(
    _ board: RunBoard, for verb: String, until deadline: Deadline
  ) async throws -> BoardLease? {
    guard board.isExclusive, let resource = board.resources.first else { return nil }
    return try await use.use.take(
      LeaseWish(
        [resource], purpose: "kelvin target \(verb)", takesOver: takeOver, attends: true,
        note: { Terminal.standardError.line("kelvin: \($0)") },
        // Kelvin has changed no setting that outlives its run.
        restore: { _, _ in }), until: deadline)
  }

  private static func giveBack(_ lease: BoardLease?) async {
    for problem in await lease?.giveBack() ?? [] {
      Terminal.standardError.line("kelvin: warning: \(problem)")
    }
  }
}

/// A target, used on a thread of the board's own, since its connection blocks.
actor TargetSession {
  private let thread: BoardThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Starts the thread.
  init(board: String) { thread = BoardThread(name: board) }

  /// Closes a connection when `body` has ended.
  func use<Result: Sendable>(
    _ connection: any Connection, _ body: @Sendable (any Connection) async throws -> Result
  ) async throws -> Result {
    do {
      let result = try await body(connection)
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw error
    }
  }

  /// Disconnects when `body` has ended.
  func use<Result: Sendable>(
    _ target: Target, _ body: @Sendable (Target) async throws -> Result
  ) async throws -> Result {
    do {
      let result = try await body(target)
      await target.disconnect(until: .after(seconds: 5))
      return result
    } catch {
      await target.disconnect(until: .after(seconds: 5))
      throw error
    }
  }
}
