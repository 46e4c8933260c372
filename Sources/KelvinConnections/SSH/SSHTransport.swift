internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Shells of a target by OpenSSH's client: one login, a channel for each shell.
///
/// The client logs in at the first use, and anew after its link was lost. Where the target allows no
/// further channel in one login (MaxSessions), a further login carries them. Where its shell is slow
/// to start, one is kept ready.
package final class SSHTransport: ShellTransport {
  package let name: String
  package let capabilities = Capabilities(
    separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: false,
    carrier: .network)
  private let options: SSHOptions
  /// One thread at a time opens; others wait for it.
  private let state = Mutex(State())

  private struct State {
    var masters: [SSHMaster] = []
    var spare: SSHSession?
  }

  /// Beyond this many logins, a target that refuses channels refuses them for another reason.
  private static let mostMasters = 8

  /// Creates the transport; nothing is reached yet.
  package init(_ options: SSHOptions) {
    self.options = options
    name = "ssh \(options.address)"
  }

  package func open(until deadline: Deadline) throws(ConnectionFailure) -> any ShellLink {
    try state.withLock { state throws(ConnectionFailure) in
      if let session = try takeSpare(&state, deadline) { return session }
      return try open(&state, until: deadline) { master throws(SSHSession.Refusal) in
        try request(master, deadline)
      }
    }
  }

  /// The client reads the file itself: no byte of it passes through this process.
  package func open(
    _ words: [String], reading source: Int32, until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ShellLink)? {
    try state.withLock { state throws(ConnectionFailure) in
      try open(&state, until: deadline) { master throws(SSHSession.Refusal) in
        try SSHSession(
          master, name: name, command: "exec " + ShellWords.join(words), source: source,
          until: deadline, onSlowLogin: {})
      }
    }
  }

  private func open(
    _ state: inout State, until deadline: Deadline,
    _ request: (SSHMaster) throws(SSHSession.Refusal) -> SSHSession
  ) throws(ConnectionFailure) -> SSHSession {
    var refusal = ""
    for master in state.masters {
      guard master.isAlive else {
        remove(master, &state)
        continue
      }
      do throws(SSHSession.Refusal) {
        return try session(request(master), deadline)
      } catch {
        switch error {
        case .refused(let reason): refusal = reason
        case .lost: remove(master, &state)
        case .timedOut:
          // A link that was cut without a word looks so: the next call makes another.
          remove(master, &state)
          throw failure(error)
        case .interrupted: throw failure(error)
        }
      }
    }
    if state.masters.count < SSHTransport.mostMasters {
      let master = try SSHMaster(options, name: name, until: deadline)
      do throws(SSHSession.Refusal) {
        let session = try session(request(master), deadline)
        state.masters.append(master)
        return session
      } catch {
        master.close()
        throw failure(error)
      }
    }
    throw ConnectionFailure(
      .unsupported, "\(name): the target opens no further channel", evidence: refusal,
      hint: "raise MaxSessions in its sshd_config, or run fewer commands at once")
  }

  /// By a client that asks the one which is logged in for a channel: nothing is asked twice.
  package func terminalWords(
    for command: [String], until deadline: Deadline
  ) throws(ConnectionFailure) -> [String] {
    let client = try client(until: deadline)
    if isatty(0) == 1 { try checkTerminal(until: deadline) }
    return client + ["-t", "--", options.host]
      + (command.isEmpty ? [] : [ShellWords.join(command)])
  }

  /// The client that asks for a channel, but for what it asks.
  private func client(until deadline: Deadline) throws(ConnectionFailure) -> [String] {
    try open(until: deadline).abandon()
    guard let master = state.withLock({ $0.masters.first }) else {
      throw ConnectionFailure(.connectionLost, "\(name): the ssh client is gone")
    }
    return [
      "ssh", "-F", "none", "-S", master.directory + "/s", "-o", "ControlMaster=no", "-o",
      "LogLevel=ERROR"
    ]
  }

  /// Makes sure that the target gives a pseudo terminal. Without one OpenSSH's client goes on with a
  /// shell that has none and so prints no prompt, when it is not the client that is logged in.
  ///
  /// - Throws: `refused` when it gives none.
  package func checkTerminal(until deadline: Deadline) throws(ConnectionFailure) {
    let argv = try client(until: deadline) + ["-tt", "--", options.host, "exit 0"]
    let process = try ProcessLauncher(environment: ["LC_ALL": "C"]).start(
      Command(argv, standardOutput: .discard))
    defer { process.abandon() }
    guard deadline.wait(for: process.pidfd) == .ready else {
      throw ConnectionFailure(
        deadline.isInterrupted ? .interrupted : .timedOut,
        "\(name): the target has not said whether it gives a terminal")
    }
    var buffer = [UInt8](repeating: 0, count: 4096)
    _ = fcntl(process.streams.error, F_SETFL, O_NONBLOCK)
    let count = buffer.withUnsafeMutableBytes {
      read(process.streams.error, $0.baseAddress, $0.count)
    }
    let words = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
    guard words.contains("PTY allocation request failed") else { return }
    throw ConnectionFailure(
      .refused("PTY allocation request failed"),
      "\(name): the target gives no pseudo terminal",
      evidence: words.split(whereSeparator: \.isNewline).joined(separator: "; "),
      hint: "are all in use ('ls /dev/pts' there), or has its sshd 'PermitTTY no'? "
        + "'kelvin target exec' needs none")
  }

  package func close() {
    state.withLock { state in
      state.spare?.abandon()
      for master in state.masters { master.close() }
      state = State()
    }
  }

  private func session(
    _ session: SSHSession, _ deadline: Deadline
  ) throws(SSHSession.Refusal) -> SSHSession {
    do {
      try session.waitUntilOpened(until: deadline)
    } catch {
      session.abandon()
      throw error
    }
    return session
  }

  private func request(
    _ master: SSHMaster, _ deadline: Deadline
  ) throws(SSHSession.Refusal) -> SSHSession {
    try SSHSession(master, name: name, until: deadline) { [weak self, weak master] in
      guard let self, let master else { return }
      self.state.withLock { state in
        guard state.spare == nil, state.masters.contains(where: { $0 === master }) else { return }
        state.spare = try? self.request(master, .after(seconds: 1))
      }
    }
  }

  private func takeSpare(
    _ state: inout State, _ deadline: Deadline
  ) throws(ConnectionFailure) -> SSHSession? {
    guard let spare = state.spare else { return nil }
    state.spare = nil
    do throws(SSHSession.Refusal) {
      try spare.waitUntilOpened(until: deadline)
      if spare.isAlive { return spare }
    } catch {
      switch error {
      case .interrupted, .timedOut: throw failure(error)
      case .refused, .lost: break
      }
    }
    spare.abandon()
    return nil
  }

  private func remove(_ master: SSHMaster, _ state: inout State) {
    state.masters.removeAll { $0 === master }
    master.close()
  }

  private func failure(_ refusal: SSHSession.Refusal) -> ConnectionFailure {
    switch refusal {
    case .refused(let reason):
      ConnectionFailure(
        .unsupported, "\(name): the target lets the user in, but opens no shell",
        evidence: reason, hint: "is there a ForceCommand, or a shell such as nologin?")
    case .lost(let failure): failure
    case .timedOut: ConnectionFailure(.timedOut, "\(name): no channel was opened in time")
    case .interrupted: ConnectionFailure(.interrupted, "\(name): stopped")
    }
  }
}
