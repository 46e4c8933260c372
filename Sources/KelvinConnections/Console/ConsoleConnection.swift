package import KelvinModel
internal import Synchronization

/// A way to a board's console: opened when it is needed, and again after it was lost.
package protocol ConsoleLine: Sendable {
  /// What messages call it: `console rock`.
  var name: String { get }
  /// Opens the line; what it is given goes at its last reference.
  func open(until deadline: Deadline) throws(ConnectionFailure) -> any ByteLink
}

/// A target through its console: a serial line, near or far, that carries kernel messages and a
/// login as well.
///
/// Commands run one after the other, checked and once at most (``ConsoleChannel``); one that was
/// started runs beside them, its streams in files of the board's. The line is opened at the first use,
/// and the shell that was there is back after ``close()``.
package final class ConsoleConnection: ScriptRunner {
  let line: any ConsoleLine
  private let login: @Sendable () throws(ConnectionFailure) -> ConsoleLogin?
  private let environment: [String: String]
  private let listens: Bool
  private let box = Mutex<Box?>(nil)
  private let started = Mutex<[Started]>([])

  /// A channel is used by one thread at a time: under the lock.
  private struct Box: @unchecked Sendable {
    let channel: ConsoleChannel
  }
  private struct Started { weak var process: ConsoleProcess? }

  package var name: String { line.name }
  package let capabilities: Capabilities

  /// A minute's worth of a common line.
  package let readLimit = 1 << 20
  package let scriptLimit = ConsoleChannel.scriptLimit - 10
  /// Bytes of a stream that the board keeps of a command, in memory file systems mostly.
  static let boardLimit = 4 << 20

  /// Creates a connection; nothing is sent yet.
  ///
  /// - Parameters:
  ///   - bitsPerSecond: how fast the line is, where that is known.
  ///   - environment: added to that of every command.
  ///   - listens: false where it is known that no boot loader runs.
  ///   - login: who logs in where the board asks for it; asked for each time.
  package init(
    _ line: any ConsoleLine, bitsPerSecond: Int? = nil, environment: [String: String] = [:],
    listens: Bool = true,
    login: @escaping @Sendable () throws(ConnectionFailure) -> ConsoleLogin? = {
      () throws(ConnectionFailure) in nil
    }
  ) {
    self.line = line
    self.environment = environment
    self.listens = listens
    self.login = login
    capabilities = Capabilities(
      separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: false,
      keepsOutput: true, bytesPerSecond: bitsPerSecond.map { Double($0) / 10 })
  }

  // MARK: The channel

  /// Uses the channel, which is opened when there is none.
  func use<Result>(
    until deadline: Deadline, _ body: (ConsoleChannel) throws(ConnectionFailure) -> Result
  ) throws(ConnectionFailure) -> Result {
    try box.withLock { box throws(ConnectionFailure) in
      if box?.channel.isOpen != true {
        box = nil
        box = Box(channel: try open(until: deadline))
      }
      guard let channel = box?.channel else {
        throw ConnectionFailure(.connectionLost, "\(name): no channel")
      }
      return try body(channel)
    }
  }

  /// Uses the channel of a session; one that has ended will not come back.
  func use<Result>(
    session: String, _ body: (ConsoleChannel) throws(ConnectionFailure) -> Result
  ) throws(ConnectionFailure) -> Result {
    try box.withLock { box throws(ConnectionFailure) in
      guard let channel = box?.channel, channel.isOpen, channel.session == session else {
        throw ConnectionFailure(
          .connectionLost, "\(name): the session has ended in which it was started",
          hint: "'kelvin bench console' shows what the board says")
      }
      return try body(channel)
    }
  }

  /// Uses the channel of a session, when no other thread does.
  ///
  /// - Returns: nil when one does.
  func useIfFree<Result>(
    session: String, _ body: (ConsoleChannel) throws(ConnectionFailure) -> Result
  ) throws(ConnectionFailure) -> Result? {
    try box.withLockIfAvailable { box throws(ConnectionFailure) in
      guard let channel = box?.channel, channel.isOpen, channel.session == session else {
        throw ConnectionFailure(
          .connectionLost, "\(name): the session has ended",
          hint: "'kelvin bench console' shows what the board says")
      }
      return try body(channel)
    }
  }

  private func open(until deadline: Deadline) throws(ConnectionFailure) -> ConsoleChannel {
    let link = try line.open(until: deadline)
    let channel = try ConsoleSession(link, login: try login()).reach(
      listens: listens, until: deadline)
    do throws(ConnectionFailure) {
      let library = ConsoleLibrary.text(session: channel.session, environment: environment)
      let reply = try channel.run(
        ConsoleLibrary.storing, input: Array(library.utf8), until: deadline)
      guard reply.status == 0 else {
        throw ConnectionFailure(
          ShellReply.errno(inMessage: reply.error) ?? .io, path: TargetPath(channel.directory),
          connection: name)
      }
      return channel
    } catch {
      channel.close(until: .after(seconds: 5))
      throw error
    }
  }

  package func run(
    _ script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    try use(until: deadline) { channel throws(ConnectionFailure) in
      try ConsoleConnection.run(script, on: channel, until: deadline)
    }
  }

  static func run(
    _ script: String, on channel: ConsoleChannel, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    let reply = try channel.run(". \"$0\";" + script, until: deadline)
    return ShellReply(output: reply.output, error: reply.error, status: reply.status)
  }

  // MARK: The rest

  package func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    let reason = "\(name): a console carries one thing at a time, so no sampler of the board's own"
    guard plan.onBoard != .always else { throw ConnectionFailure(.unsupported, reason) }
    return ShellSampler(plan, connection: self, ownsConnection: false, reason: reason)
  }

  /// Remembers what ``close()`` has to end.
  ///
  /// Not while the channel is used: what was remembered and is let go meanwhile ends itself through
  /// it.
  func remember(_ process: ConsoleProcess) {
    var others: [ConsoleProcess] = []
    started.withLock { started in
      others = started.compactMap(\.process)
      started = (others + [process]).map { Started(process: $0) }
    }
    // Behind the lock: the last reference to one ends it.
    withExtendedLifetime(others) {}
  }

  package func close() async {
    let processes = started.withLock { started in
      defer { started = [] }
      return started.compactMap(\.process)
    }
    for process in processes { process.abandon() }
    box.withLock { box in
      box?.channel.close(until: .after(seconds: 5))
      box = nil
    }
  }
}
