package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Commands as root.
extension ShellConnection {
  /// The connection that runs commands as root: this one, where its user is root already.
  ///
  /// - Throws: `permissionDenied` where no way is known by which the user becomes root.
  func rootConnection(until deadline: Deadline) throws(ConnectionFailure) -> ShellConnection {
    if try isRoot(until: deadline) { return self }
    guard let rootAccess else {
      throw ConnectionFailure(
        .permissionDenied, "\(name): its user is not root, and no way to become root is known",
        hint: "say 'become: sudo' or 'become: su' for the connection in the bench file")
    }
    return root.withLock { root in
      if let connection = root.connection { return connection }
      let made = ShellConnection(
        RootTransport(transport, rootAccess), environment: environment, ownsTransport: false)
      // Its shells begin by saying so.
      made.root.withLock { $0.isRoot = true }
      root.connection = made
      return made
    }
  }

  /// Whether the user of its own shells is root; asked once.
  func isRoot(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    if let known = root.withLock({ $0.isRoot }) { return known }
    let answer = try run("id -u", until: deadline).output
    let isRoot = String(decoding: answer, as: UTF8.self).trimmingASCIIWhitespace == "0"
    root.withLock { $0.isRoot = isRoot }
    return isRoot
  }

  /// The user may be another one from now on.
  func forgetUser() { root.withLock { $0.isRoot = nil } }

  package func rootRunner(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ScriptRunner)? {
    guard rootAccess != nil else { return nil }
    let roots = try rootConnection(until: deadline)
    return roots === self ? nil : roots
  }
}
