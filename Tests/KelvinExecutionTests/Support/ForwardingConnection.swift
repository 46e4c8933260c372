import KelvinConnections
import KelvinModel

/// A connection for a test that changes some of what another one does, and hands the rest on.
protocol ForwardingConnection: Connection {
  var base: any Connection { get }
}

extension ForwardingConnection {
  var name: String { base.name }
  var capabilities: Capabilities { base.capabilities }

  func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try await base.start(command, until: deadline)
  }
  func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    try await base.execute(command, until: deadline)
  }
  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    try await base.read(paths, until: deadline)
  }
  func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    try await base.write(values, until: deadline)
  }
  func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    try await base.list(directory, depth: depth, until: deadline)
  }
  func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await base.push(hostPath, to: path, mode: mode, until: deadline)
  }
  func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await base.pull(path, to: hostPath, until: deadline)
  }
  func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure) {
    try await base.remove(path, until: deadline)
  }
  func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    try await base.checksum(paths, until: deadline)
  }
  func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    try await base.sampler(plan)
  }
  func close() async { await base.close() }
}
