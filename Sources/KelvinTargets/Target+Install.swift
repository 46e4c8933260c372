public import KelvinConnections
public import KelvinModel
internal import Synchronization

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
  /// - Parameters:
  ///   - checksum: SHA-256 of the host file, lower-case hex.
  ///   - directory: below the working directory, for files that must lie together; default: one of
  ///     the file's own content.
  /// - Returns: its path on the target.
  public func install(
    _ asset: Asset, checksum: String, in directory: String? = nil, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetPath {
    let path = try await installedPath(asset, checksum, directory, until: deadline)
    if state.withLock({ $0.installed[path] }) == checksum { return path }
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
    state.withLock { $0.installed[path] = checksum }
    return path
  }

  /// Removes what ``install(_:checksum:in:until:)`` brought with the same arguments.
  public func uninstall(
    _ asset: Asset, checksum: String, in directory: String? = nil, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    let path = try await installedPath(asset, checksum, directory, until: deadline)
    guard state.withLock({ $0.installed[path] }) != nil else { return }
    // First of all: when the link goes before the answer comes, the file may be gone all the same.
    state.withLock { $0.installed[path] = nil }
    try await connection.remove(path, until: deadline)
  }

  private func installedPath(
    _ asset: Asset, _ checksum: String, _ directory: String?, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetPath {
    try await workingPath(directory ?? String(checksum.prefix(12)), until: deadline)
      .appending(asset.name)
  }
}
