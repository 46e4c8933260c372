package import KelvinModel
internal import KelvinSystem

/// How adbd took a request to change its user.
package enum ADBRootResult: Hashable, Sendable {
  /// It runs as that user already.
  case unchanged
  /// It has restarted, and the shell's user is the wanted one.
  case restarted
}

extension ADBDevice {
  /// Restarts adbd as root, and returns when its shell is root.
  ///
  /// - Throws: `permissionDenied` with adbd's words when it may not (production builds); `timedOut`
  ///   when it said that it restarts and the shell is not root by the deadline.
  package func root(until deadline: Deadline) throws(ConnectionFailure) -> ADBRootResult {
    try changeUser("root:", toRoot: true, until: deadline)
  }

  /// Restarts adbd as the shell user, and returns when its shell is.
  package func unroot(until deadline: Deadline) throws(ConnectionFailure) -> ADBRootResult {
    try changeUser("unroot:", toRoot: false, until: deadline)
  }

  private func changeUser(
    _ service: String, toRoot: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBRootResult {
    let stream = try open(service, until: deadline)
    let answer: [UInt8]
    do {
      defer { stream.close() }
      answer = try stream.readToEnd(limit: 65_536, until: deadline)
    }
    let text = String(decoding: answer, as: UTF8.self).split(separator: "\n").first ?? ""
    // The words of AOSP's daemon/restart_service.cpp.
    if text.contains("already running as root") || text.contains("not running as root") {
      return .unchanged
    }
    guard text.contains("restarting") else {
      throw ConnectionFailure(
        .permissionDenied, "\(name): \(service.dropLast()) is refused: \(text)",
        hint: "only userdebug and eng builds have it; 'su' may be there")
    }
    // What it said is no proof: the old adbd may answer once more, and a restart may not happen.
    while true {
      try reconnect(until: deadline)
      if let user = try? userID(until: deadline.limited(toSeconds: 5)), (user == 0) == toRoot {
        return .restarted
      }
      let pause = deadline.limited(toSeconds: 0.1).wait()
      if pause == .interrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
      if deadline.hasPassed {
        throw ConnectionFailure(
          .timedOut,
          "\(name): adbd said '\(text)', but its shell is \(toRoot ? "not" : "still") root")
      }
    }
  }

  /// The user of adbd's shell.
  package func userID(until deadline: Deadline) throws(ConnectionFailure) -> Int {
    let stream = try open("exec:id -u 2>/dev/null || id", until: deadline)
    defer { stream.close() }
    let bytes = try stream.readToEnd(limit: 65_536, until: deadline)
    let text = String(decoding: bytes, as: UTF8.self)
    // Old toolbox has no -u: "uid=0(root) gid=0(root)".
    let digits = text.hasPrefix("uid=") ? text.dropFirst(4) : text[...]
    guard let user = Int(digits.prefix { $0.isASCII && $0.isNumber }) else {
      throw ConnectionFailure(.unsupported, "\(name): 'id' says '\(text)'")
    }
    return user
  }

  /// Asks the device to reboot, and returns when it took that; it is still up for a moment then.
  ///
  /// - Parameter mode: empty, `bootloader`, `recovery`, `sideload`.
  package func reboot(
    _ mode: String = "", until deadline: Deadline
  ) throws(ConnectionFailure) {
    let stream = try open("reboot:\(mode)", until: deadline)
    defer { stream.close() }
    // Ends in good order or with the link.
    do {
      _ = try stream.readToEnd(limit: 65_536, until: deadline)
    } catch {
      guard error.code == .connectionLost else { throw error }
    }
  }
}
