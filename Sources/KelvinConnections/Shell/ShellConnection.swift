package import KelvinModel
internal import Synchronization

/// A target through POSIX shells, wherever they run: one persistent shell for short commands, files
/// and values, and a further shell for each command that is started.
///
/// Needs on the target: sh, cat, head, dd, mv, rm, mkdir, find, stat, chmod, readlink, wc, tr, grep;
/// sha256sum for ``checksum(_:until:)``; taskset, nice or chrt where a command asks for them. Uses where
/// they are: cksum, by which copies are compared; od, without which values that are no text are written
/// whatever their files hold; setsid, without which a command shares the session of
/// its shell; env, and tar, without which many values, and many files, cost a process each. Works with
/// dash, bash, busybox ash and mksh.
package final class ShellConnection: ScriptRunner {
  let transport: any ShellTransport
  /// Exported to every command.
  let environment: [String: String]
  private let ownsTransport: Bool
  /// The persistent shell; opened at first use, and again after it broke.
  private let channel = Mutex<ChannelBox?>(nil)
  /// What was started and may still run; whoever waits for it holds it.
  private let started = Mutex<[Started]>([])
  /// Whether the target's shell names the signals of commands that were killed; nil: not known yet.
  private let namesSignals = Mutex<Bool?>(nil)

  /// A channel is used by one thread at a time: under the lock.
  private struct ChannelBox: @unchecked Sendable { let channel: ShellChannel }
  private struct Started { weak var process: ShellProcess? }

  /// How this user becomes root; nil where no way is known.
  let rootAccess: RootAccess?
  let root = Mutex(RootState())
  /// Where the sampler is on the board; nil: not known yet.
  let samplerPath = Mutex<TargetPath?>(nil)

  struct RootState {
    /// The user is root already; nil: not asked yet.
    var isRoot: Bool?
    /// Root's own shells, beside this connection's.
    var connection: ShellConnection?
  }

  package var name: String { transport.name }
  package var capabilities: Capabilities { transport.capabilities }

  /// Creates a connection to shells of this machine.
  ///
  /// - Parameters:
  ///   - argv: starts a shell that reads its script from standard input.
  ///   - environment: added to that of every command.
  package convenience init(argv: [String] = ["sh"], environment: [String: String] = [:]) {
    self.init(LocalShellTransport(argv: argv), environment: environment)
  }

  /// Creates a connection over any transport.
  ///
  /// - Parameters:
  ///   - root: how its user becomes root, for commands that ask for it.
  ///   - ownsTransport: whether ``close()`` closes it.
  package init(
    _ transport: any ShellTransport, environment: [String: String] = [:],
    root: RootAccess? = nil, ownsTransport: Bool = true
  ) {
    rootAccess = root
    self.transport = transport
    self.environment = environment
    self.ownsTransport = ownsTransport
  }

  // MARK: The persistent shell

  /// Runs a script in the persistent shell.
  package func run(
    _ script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    try run(script, hasErrors: true, until: deadline)
  }

  /// What a script prints in the persistent shell on standard output. Standard error is not waited
  /// for: over some links it would be another packet.
  package func output(
    of script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    try run(script, hasErrors: false, until: deadline).output
  }

  private func run(
    _ script: String, hasErrors: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    let nonce = ShellChannel.nonce()
    // One byte more than what is kept shows that there was more.
    let all = Command.Output.capture(limit: ShellChannel.replyLimit)
    let pump = try exchange(
      ShellScript.framed(script, nonce: nonce, hasErrors: hasErrors), nonce: nonce, output: all,
      error: hasErrors ? all : nil, grace: 0, what: "", until: deadline)
    guard let trailer = pump.output.trailer, !pump.output.output.isTruncated,
      !pump.error.output.isTruncated
    else {
      throw ConnectionFailure(
        .unsupported, "\(name): a reply of more than \(ShellChannel.replyLimit >> 20) MiB")
    }
    return ShellReply(
      output: pump.output.output.bytes, error: pump.error.output.bytes, status: trailer.status)
  }

  /// Sends a framed script to the persistent shell, and waits for all of the reply.
  ///
  /// - Parameters:
  ///   - error: nil: nothing ends standard error, and nothing on it is wanted.
  ///   - grace: seconds between SIGTERM and SIGKILL for what runs when the deadline passes.
  ///   - what: the command, for messages; empty for the connection's own scripts.
  func exchange(
    _ text: String, nonce: String, output: Command.Output, error: Command.Output?,
    grace: Double, what: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellPump {
    try channel.withLock { box throws(ConnectionFailure) in
      let channel = try ready(&box, until: deadline)
      let begin = MonotonicTime.now
      var (pump, stop) = channel.exchange(
        text, nonce: nonce, output: output, error: error, until: deadline)
      guard let stop else { return pump }
      box = nil
      var left = ""
      if case .lost = stop {
      } else {
        // The shell is busy: a further one ends what it runs, and then takes its place.
        do throws(ConnectionFailure) {
          try end(channel, grace: grace, &pump, &box)
        } catch {
          left = "; what runs on the target could not be ended: \(error.message)"
        }
      }
      channel.link.abandon()
      pump.finish()
      throw failure(stop, pump, begin: begin, what: what, left: left)
    }
  }

  private func ready(
    _ box: inout ChannelBox?, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellChannel {
    if let channel = box?.channel {
      if channel.isUsable() { return channel }
      box = nil
    }
    let channel = try openChannel(until: deadline)
    box = ChannelBox(channel: channel)
    return channel
  }

  /// Opens a shell; anew when its link breaks before it has answered: nothing was run by then, and a
  /// link that is just breaking cannot be told from a good one.
  private func openChannel(until deadline: Deadline) throws(ConnectionFailure) -> ShellChannel {
    do {
      return try ShellChannel(transport, environment: environment, until: deadline)
    } catch  where error.code == .connectionLost {
      return try ShellChannel(transport, environment: environment, until: deadline)
    }
  }

  private func end(
    _ channel: ShellChannel, grace: Double, _ pump: inout ShellPump, _ box: inout ChannelBox?
  ) throws(ConnectionFailure) {
    guard channel.processID > 0 else { return }
    let other = try openChannel(until: .after(seconds: 5))
    box = ChannelBox(channel: other)
    let tree = ShellTree(
      root: channel.processID, startTicks: channel.startTicks, marker: channel.marker,
      bootID: channel.bootID)
    let run: ShellTree.Run = { (script, deadline) throws(ConnectionFailure) in
      let nonce = ShellChannel.nonce()
      let all = Command.Output.capture(limit: ShellChannel.replyLimit)
      let (answer, stop) = other.exchange(
        ShellScript.framed(script, nonce: nonce), nonce: nonce, output: all, error: all,
        until: deadline)
      if let stop {
        throw self.failure(stop, answer, begin: .now, what: "", left: "")
      }
      return ShellReply(
        output: answer.output.output.bytes, error: answer.error.output.bytes,
        status: answer.output.trailer?.status ?? -1)
    }
    _ = try tree.end(grace: grace, by: run) { pump.wait(milliseconds: $0) }
  }

  private func failure(
    _ stop: ShellPump.Stop, _ pump: ShellPump, begin: MonotonicTime, what: String, left: String
  ) -> ConnectionFailure {
    let subject = what.isEmpty ? name : what
    let partial = CommandResult(
      termination: .signaled(15), standardOutput: pump.output.output,
      standardError: pump.error.output, startTime: begin, endTime: .now)
    return switch stop {
    case .timedOut:
      ConnectionFailure(
        .timedOut, "\(subject): timed out, and was ended\(left)",
        partial: what.isEmpty ? nil : partial)
    case .interrupted:
      ConnectionFailure(
        .interrupted, "\(subject): stopped\(left)", partial: what.isEmpty ? nil : partial)
    case .lost(let failure):
      ConnectionFailure(
        failure.code,
        what.isEmpty
          ? "\(name): \(failure.message)"
          : "\(what): the connection was lost while it ran; whether it ended is not known "
            + "(\(name): \(failure.message))", hint: failure.hint,
        partial: what.isEmpty ? nil : partial)
    case .fileFailed: ConnectionFailure(.connectionLost, "\(subject): its output was lost")
    }
  }

  // MARK: Ends of commands

  /// How a command ended, by what its shell said of it.
  func termination(
    _ trailer: TrailerFilter.Trailer, until deadline: Deadline
  ) throws(ConnectionFailure) -> CommandResult.Termination {
    let status = trailer.status
    guard (129...192).contains(status) else { return .exited(status) }
    switch trailer.word {
    case "s": return .signaled(status - 128)
    // Of SIGINT and SIGPIPE shells say nothing: they end far more programs than exit so.
    case "e" where status != 130 && status != 141:
      return try shellNamesSignals(until: deadline) ? .exited(status) : .signaled(status - 128)
    default: return .signaled(status - 128)
    }
  }

  /// Whether this shell says that a command was killed, tried once.
  private func shellNamesSignals(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    if let known = namesSignals.withLock({ $0 }) { return known }
    let nonce = ShellChannel.nonce()
    let probe = Command(["sh", "-c", "kill -9 $$"])
    let pump = try exchange(
      ShellScript.short(probe, nonce: nonce), nonce: nonce, output: .discard, error: .discard,
      grace: 0, what: "", until: deadline)
    let isNamed = pump.output.trailer?.word == "s"
    namesSignals.withLock { $0 = isNamed }
    return isNamed
  }

  // MARK: What was started

  /// Remembers what ``close()`` has to end.
  func remember(_ process: ShellProcess) {
    started.withLock { started in
      started.removeAll { $0.process == nil }
      started.append(Started(process: process))
    }
  }

  package func terminalWords(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    try transport.terminalWords(for: command, until: deadline)
  }

  package func close() async {
    let processes = started.withLock { started in
      defer { started = [] }
      return started.compactMap(\.process)
    }
    for process in processes { process.abandon() }
    let roots = root.withLock { root in
      defer { root = RootState() }
      return root.connection
    }
    await roots?.close()
    channel.withLock { box in
      box?.channel.link.abandon()
      box = nil
    }
    if ownsTransport { transport.close() }
  }
}
