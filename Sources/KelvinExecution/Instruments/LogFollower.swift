internal import KelvinConnections
internal import KelvinModel
internal import Synchronization

/// A program of the target that runs beside the workload, with what it prints written to a file on
/// the host as it comes.
///
/// The board's thread waits for the workload meanwhile, and a program whose output nobody takes is
/// held up by its pipe: so a thread of its own waits for this one. Everything else of the connection
/// is used by the board's thread alone. Where output stays on the target, as over a console, the line
/// is left to the workload, and the output is fetched at the end.
actor LogFollower {
  /// How the program ended.
  enum Ending: Sendable {
    /// By ``stop()``; what it had printed is in the file.
    case stopped(CommandResult?)
    /// By itself.
    case early(CommandResult)
    case failed(ConnectionFailure)

    /// What is known of its output.
    var result: CommandResult? {
      switch self {
      case .stopped(let result): result
      case .early(let result): result
      case .failed(let failure): failure.partial
      }
    }
  }

  private let process: any RemoteProcess
  private let finish: Interrupt
  private let thread = BoardThread(name: "kelvin-follow")
  private let task = Mutex<Task<Ending, Never>?>(nil)

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Starts the program; its standard output must not be captured without a limit.
  init(
    _ command: Command, _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    process = try await connection.start(command, until: deadline)
    finish = Interrupt()
    if !connection.capabilities.keepsOutput { _ = following() }
  }

  /// The one wait for the program, begun when it is first asked for.
  private nonisolated func following() -> Task<Ending, Never> {
    task.withLock { task in
      if let task { return task }
      // Begins on this actor's thread, not on the pool, which others may hold up.
      let following = Task { await follow() }
      task = following
      return following
    }
  }

  private func follow() async -> Ending {
    do {
      return .early(try await process.wait(until: Deadline(time: nil, interrupt: finish)))
    } catch {
      return error.code == .interrupted ? .stopped(error.partial) : .failed(error)
    }
  }

  /// Ends the program with all that it started, and waits for that. Idempotent.
  nonisolated func stop() async -> Ending {
    finish.raise()
    return await following().value
  }
}
