import KelvinConnections
import KelvinExecution
import KelvinModel

/// A connection whose target has some defects that files of a recorded tree cannot have; everything
/// else goes to another connection.
struct FaultyConnection: ForwardingConnection {
  let base: any Connection
  /// What reading these files gives.
  var faults: [TargetPath: Errno] = [:]
  /// Executables that are not there.
  var missing: Set<String> = []
  /// Whether it says that output stays on the target.
  var keepsOutput = false
  /// While true, the link is gone: reads throw.
  let isLost = BoardConfined(false)

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
}
