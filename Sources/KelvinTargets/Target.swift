public import KelvinConnections
public import KelvinModel
internal import Synchronization

/// A board that is up, seen through its connection. Used on the board's own thread.
public final class Target: Sendable {
  /// What messages and the store call the board.
  public let name: String
  public let connection: any Connection
  /// Of ``workingDirectory(until:)``, and where it may be made, in this order.
  let directoryName: String
  let directories: [TargetPath]

  struct State {
    var facts: TargetFacts?
    /// SHA-256 of what was installed, by its path on the target.
    var installed: [TargetPath: String] = [:]
    /// Programs that were found.
    var programs: [ProgramKey: Program] = [:]
    /// Once it was made; it is removed in the end.
    var workingDirectory: TargetPath?
    /// Whether it is there since the last boot: /tmp may have been emptied.
    var hasWorkingDirectory = false
    /// Once it was asked for: nil inside where there is none.
    var packageTool: PackageTool??
  }
  let state = Mutex(State())

  /// Creates the view of a board.
  ///
  /// - Parameters:
  ///   - runID: names the working directory, so that two runs never share one.
  ///   - directories: where the working directory may be made; $HOME of the target's user comes last.
  public init(
    name: String, connection: any Connection, runID: String,
    directories: [TargetPath] = Target.usualDirectories
  ) {
    self.name = name
    self.connection = connection
    directoryName = "kelvin-\(runID)"
    self.directories = directories
  }

  /// What the board is; read once and kept until ``forgetFacts()``.
  public func facts(until deadline: Deadline) async throws(ConnectionFailure) -> TargetFacts {
    if let facts = state.withLock({ $0.facts }) { return facts }
    let facts = try await TargetFacts.read(through: connection, until: deadline)
    state.withLock { $0.facts = facts }
    return facts
  }

  /// Forgets what a reboot may have changed: facts, and what is below /tmp.
  public func forgetFacts() {
    state.withLock { state in
      state.facts = nil
      state.hasWorkingDirectory = false
      state.installed = [:]
      state.programs = [:]
    }
  }

  /// The id that the kernel drew at boot: another one means that the board has rebooted.
  public func bootID(until deadline: Deadline) async throws(ConnectionFailure) -> String {
    let bytes = try await connection.read("/proc/sys/kernel/random/boot_id", until: deadline)
    return String(decoding: bytes, as: UTF8.self).trimmingASCIIWhitespace.description
  }

  /// Whether the board still answers: one small read, 5 seconds at most.
  public func isResponsive(until deadline: Deadline = .never) async -> Bool {
    let bytes = try? await connection.read(
      ["/proc/sys/kernel/random/boot_id"], until: deadline.limited(toSeconds: 5))
    guard case .success(let id) = bytes?.first else { return false }
    return !id.isEmpty
  }

  /// Removes the working directory and closes the connection.
  public func disconnect(until deadline: Deadline) async {
    if let directory = state.withLock({ $0.workingDirectory }) {
      // What cannot be removed now is mostly in /tmp, which the next boot clears.
      try? await connection.remove(directory, until: deadline)
    }
    await connection.close()
  }
}
