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
  private let root: RootAccess?
  private let listens: Bool
  private let shared: Shared
  /// Whether scripts run as root, who has not logged in.
  private let isRoots: Bool

  /// What a connection has together with that of root's scripts.
  private final class Shared: Sendable {
    let box = Mutex<Box?>(nil)
    let started = Mutex<[Started]>([])
  }

  /// A channel is used by one thread at a time: under the lock.
  private struct Box: @unchecked Sendable {
    let channel: ConsoleChannel
  }
  private struct Started { weak var process: ConsoleProcess? }

  package var name: String { line.name }
  package let capabilities: Capabilities

  /// A minute's worth of a common line.
  package let readLimit = 1 << 20
  /// Root's scripts are quoted twice.
  package var scriptLimit: Int { (ConsoleChannel.scriptLimit - 1000) / (isRoots ? 4 : 1) }
  /// Bytes of a stream that the board keeps of a command, in memory file systems mostly.
  static let boardLimit = 4 << 20

  /// Creates a connection; nothing is sent yet.
  ///
  /// - Parameters:
  ///   - bitsPerSecond: how fast the line is, where that is known.
  ///   - environment: added to that of every command.
  ///   - root: how the user who logs in becomes root; nil: not at all.
  ///   - listens: false where it is known that no boot loader runs.
  ///   - login: who logs in where the board asks for it; asked for each time.
  package init(
    _ line: any ConsoleLine, bitsPerSecond: Int? = nil, environment: [String: String] = [:],
    root: RootAccess? = nil, listens: Bool = true,
    login: @escaping @Sendable () throws(ConnectionFailure) -> ConsoleLogin? = {
      () throws(ConnectionFailure) in nil
    }
  ) {
    self.line = line
    self.environment = environment
    self.root = root
    self.listens = listens
    shared = Shared()
    isRoots = false
    self.login = login
    capabilities = Capabilities(
      separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: false,
      keepsOutput: true, bytesPerSecond: bitsPerSecond.map { Double($0) / 10 })
  }

  /// The same console, whose scripts are root's.
  private init(rootsOf other: ConsoleConnection) {
    line = other.line
    environment = other.environment
    root = other.root
    listens = other.listens
    shared = other.shared
    isRoots = true
    login = other.login
    capabilities = other.capabilities
  }

  package func rootRunner(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ScriptRunner)? {
    guard root != nil, !isRoots else { return nil }
    let isNeeded = try use(until: deadline) { channel throws(ConnectionFailure) in
      try ascent(on: channel, until: deadline) != nil
    }
    return isNeeded ? ConsoleConnection(rootsOf: self) : nil
  }

  // MARK: The channel

  /// Uses the channel, which is opened when there is none.
  func use<Result>(
    until deadline: Deadline, _ body: (ConsoleChannel) throws(ConnectionFailure) -> Result
  ) throws(ConnectionFailure) -> Result {
    try shared.box.withLock { box throws(ConnectionFailure) in
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
    try shared.box.withLock { box throws(ConnectionFailure) in
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
    try shared.box.withLockIfAvailable { box throws(ConnectionFailure) in
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
      try ConsoleConnection.run(
        script, on: channel, as: isRoots ? ascent(on: channel, until: deadline) : nil,
        until: deadline)
    }
  }

  static func run(
    _ script: String, on channel: ConsoleChannel, as ascent: ConsoleAscent? = nil,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    let script = ". \"$0\";" + script
    let reply =
      if let ascent { try ascent.run(script, on: channel, until: deadline) } else {
        try channel.run(script, until: deadline)
      }
    return ShellReply(output: reply.output, error: reply.error, status: reply.status)
  }

  /// The way to root for a command; nil where whoever logged in runs it.
  ///
  /// - Throws: `permissionDenied` where no way is known.
  func ascent(
    for command: Command, on channel: ConsoleChannel, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleAscent? {
    guard command.asRoot else { return nil }
    do throws(ConnectionFailure) { return try ascent(on: channel, until: deadline) } catch {
      throw ConnectionFailure(
        error.code, "\(command.argv[0]): \(error.message)", hint: error.hint)
    }
  }

  /// - Returns: nil where root has logged in.
  private func ascent(
    on channel: ConsoleChannel, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleAscent? {
    if channel.isRoot == nil {
      channel.isRoot = try channel.run("id -u", until: deadline).output == [48, 10]
    }
    guard channel.isRoot != true else { return nil }
    if let root { return ConsoleAscent(access: root, name: name) }
    throw ConnectionFailure(
      .permissionDenied, "who logged in is not root (\(name))",
      hint: "let root log in there, or say 'become: sudo' or 'become: su' in the bench file")
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
    shared.started.withLock { started in
      others = started.compactMap(\.process)
      started = (others + [process]).map { Started(process: $0) }
    }
    // Behind the lock: the last reference to one ends it.
    withExtendedLifetime(others) {}
  }

  package func close() async {
    let processes = shared.started.withLock { started in
      defer { started = [] }
      return started.compactMap(\.process)
    }
    for process in processes { process.abandon() }
    shared.box.withLock { box in
      box?.channel.close(until: .after(seconds: 5))
      box = nil
    }
  }
}
