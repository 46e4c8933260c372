public import KelvinConnections
public import KelvinModel
internal import Synchronization

/// A file that was brought to the target: the same content under the same name is brought once.
struct InstalledFile: Hashable {
  var checksum: String
  var name: String
}

/// A file on the host that a workload needs on the target.
public struct Asset: Sendable, Hashable {
  public var hostPath: String
  /// Its name on the target.
  public var name: String
  public var isExecutable: Bool

  /// Names a host file.
  public init(hostPath: String, name: String, isExecutable: Bool) {
    self.hostPath = hostPath
    self.name = name
    self.isExecutable = isExecutable
  }
}

extension Target {
  /// Brings a host file to the working directory, unless the same content is there already.
  ///
  /// - Parameter checksum: SHA-256 of the host file, lower-case hex.
  /// - Returns: its path on the target.
  public func install(
    _ asset: Asset, checksum: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetPath {
    let key = InstalledFile(checksum: checksum, name: asset.name)
    if let path = state.withLock({ $0.installed[key] }) { return path }
    let path = workingDirectory.appending(String(checksum.prefix(12))).appending(asset.name)
    state.withLock { $0.hasWorkingDirectory = true }
    if try await connection.checksum([path], until: deadline)[0] != .success(checksum) {
      try await connection.push(
        asset.hostPath, to: path, mode: asset.isExecutable ? 0o755 : 0o644, until: deadline)
      let arrived = try await connection.checksum([path], until: deadline)[0]
      guard arrived == .success(checksum) else {
        throw ConnectionFailure(
          .connectionLost, "\(path): arrived damaged (\(connection.name))",
          hint: "expected SHA-256 \(checksum)")
      }
    }
    state.withLock { $0.installed[key] = path }
    return path
  }

  /// Removes what ``install(_:checksum:until:)`` brought under this checksum and name.
  public func uninstall(
    _ asset: Asset, checksum: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let key = InstalledFile(checksum: checksum, name: asset.name)
    guard let path = state.withLock({ $0.installed[key] }) else { return }
    try await connection.remove(path, until: deadline)
    state.withLock { $0.installed[key] = nil }
  }

  /// A path for files of a workload on the target, in the working directory.
  public func workingPath(_ name: String) -> TargetPath {
    state.withLock { $0.hasWorkingDirectory = true }
    return workingDirectory.appending(name)
  }
}
