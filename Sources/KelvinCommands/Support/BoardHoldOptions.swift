internal import ArgumentParser
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// How a command outside of runs takes a board for the moment.
struct BoardHoldOptions: ParsableArguments {
  @Flag(
    help: """
      Take over the board from a run that is gone, or on a host that is gone for good; its settings \
      are restored first.
      """)
  var takeOver = false

  @OptionGroup var use: BoardUseOptions

  /// Leases a board, and gives it back however `body` ends.
  ///
  /// - Parameters:
  ///   - purpose: for others who want the board: `kelvin target exec`.
  ///   - switchOn: see ``LeaseWish/switchOn``.
  ///   - restore: see ``LeaseWish/restore``; without it the next run puts back what is left.
  ///   - body: gets nil when the board is used without a lease of its own.
  func holding<Result: Sendable>(
    _ resource: LeaseWish.Resource, for purpose: String,
    switchOn: (@Sendable (BenchResource, Deadline) async throws -> Void)? = nil,
    restore: @escaping @Sendable (LeaseGrant.Inheritance, Deadline) async throws -> Void =
      { _, _ in }, until deadline: Deadline, _ body: (BoardLease?) async throws -> Result
  ) async throws -> Result {
    let lease = try await use.use.take(
      LeaseWish(
        [resource], purpose: purpose, takesOver: takeOver, attends: true,
        note: { Terminal.standardError.line("kelvin: \($0)") },
        restore: restore, switchOn: switchOn), until: deadline)
    let result: Result
    do {
      result = try await body(lease)
    } catch {
      await Self.giveBack(lease)
      throw error
    }
    await Self.giveBack(lease)
    return result
  }

  private static func giveBack(_ lease: BoardLease?) async {
    for problem in await lease?.giveBack() ?? [] {
      Terminal.standardError.line("kelvin: warning: \(problem)")
    }
  }
}

/// Where a command works on a board: a thread of the board's own, since devices block.
actor BoardSeat {
  private let thread: BoardThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Starts the thread.
  init(_ board: String) { thread = BoardThread(name: board) }

  /// Runs `body` there.
  func run<Result: Sendable>(
    _ body: @Sendable () async throws -> Result
  ) async throws -> Result { try await body() }
}
