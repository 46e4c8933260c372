import KelvinConnections
import KelvinExecution
import KelvinModel

/// A connection whose target has some defects that files of a recorded tree cannot have; everything
/// else goes to another connection.
struct FaultyConnection: Connection {
  let base: any Connection
  /// What reading these files gives.
  var faults: [TargetPath: Errno] = [:]
  /// Executables that are not there.
  var missing: Set<String> = []
  /// Whether it says that output stays on the target.
  var keepsOutput = false
  /// While true, the link is gone: reads throw.
  let isLost = BoardConfined(false)

  var name: String { base.name }
  var capabilities: Capabilities {
    var capabilities = base.capabilities
    if keepsOutput { capabilities.keepsOutput = true }
    return capabilities
  }

  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    if isLost.value { throw ConnectionFailure(.connectionLost, "\(name): the link is gone") }
    let contents = try await base.read(paths, until: deadline)
    return zip(paths, contents).map { path, content in
      faults[path].map { .failure($0) } ?? content
    }
  }

  func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    let found = try await base.findExecutables(names, until: deadline)
    return zip(names, found).map { missing.contains($0) ? nil : $1 }
  }

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
