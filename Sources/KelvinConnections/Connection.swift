public import KelvinModel

/// How commands and files reach a target.
///
/// All calls may block the calling thread until their deadline: they run on the board's own thread,
/// never on Swift's cooperative pool. A connection is used by one board thread at a time; several
/// started processes and samplers may be alive at once. A lost link is never reported as success.
public protocol Connection: Sendable {
  /// What messages call it: `local`, `ssh root@10.0.0.7`.
  var name: String { get }
  /// What this connection can do.
  var capabilities: Capabilities { get }

  /// Starts a command and returns at once.
  ///
  /// - Parameter deadline: of the start alone, not of the process.
  func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess

  /// Runs a command to its end.
  ///
  /// - Throws: `timedOut` or `interrupted` with the partial output; the process tree is ended by
  ///   then.
  func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult

  /// Reads whole files, in one round trip; a file's failure does not fail the others.
  ///
  /// Files over 16 MiB, over a console 1 MiB, give EFBIG. Results are in the order of `paths`.
  func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>]

  /// Writes values to existing files (sysfs style: one write(2), no truncation to other lengths, no
  /// creation), in the order given, in one round trip.
  func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>]

  /// Brings files to wanted values, in the order given, in one round trip: each is read, written where
  /// it does not hold the value (``ValueStep/isMet(by:)``), and read once more after all of them.
  ///
  /// A step that fails does not keep those behind it. A file that cannot be read is written. The same
  /// path may come several times. Values are written as ``write(_:until:)`` does, and what is too
  /// long to be read gives EFBIG as ``read(_:until:)`` does. Both are the user's own; here root does all
  /// of it where the user is not root, and the bench file says how root is become.
  ///
  /// - Returns: what became of each step, in their order.
  /// - Throws: when the link fails; how far it came is not known then. `permissionDenied` when the
  ///   user does not become root as is said; nothing was written.
  func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome]

  /// Lists everything below a directory in one round trip: depth first, sorted by name, symbolic
  /// links not followed, other mounts not entered. Unreadable directories are left out.
  func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry]

  /// Copies a host file to the target: to a temporary name beside it, then renamed. Parent
  /// directories are made.
  func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure)

  /// Copies a target file to the host: to a temporary name beside it, then renamed.
  func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure)

  /// Copies a host file to the target as ``push(_:to:mode:until:)`` does, and says how far it is.
  func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure)

  /// Copies a target file to the host as ``pull(_:to:until:)`` does, and says how far it is.
  func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure)

  /// Copies host files to the target, each as ``push(_:to:mode:until:)`` does; small ones together,
  /// in a few round trips. Callers that show progress give one of ``FileCopy/groups(_:)`` at a time.
  ///
  /// - Throws: the first failure; others may be in place by then.
  func push(_ files: [FileCopy], until deadline: Deadline) async throws(ConnectionFailure)

  /// Copies target files to the host, each as ``pull(_:to:until:)`` does; small ones together.
  ///
  /// - Throws: the first failure; others may be in place by then.
  func pull(_ files: [FileCopy], until deadline: Deadline) async throws(ConnectionFailure)

  /// Removes a file or a whole tree; what is not there counts as removed.
  func remove(_ path: TargetPath, until deadline: Deadline) async throws(ConnectionFailure)

  /// SHA-256 of files as lower-case hex, in one round trip.
  func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>]

  /// Finds executables on the target's search path: the absolute path, nil when there is none.
  func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?]

  /// Prepares sampling of files at a fixed period, with what this connection does best. Opens the
  /// files; sampling begins at ``SampleSource/start()``.
  func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource

  /// A command of this machine that gives the terminal which it inherits to the target's login shell.
  ///
  /// - Parameter command: run by that shell instead of what is typed; empty for an interactive one.
  /// - Throws: `unsupported` where there is no such way; what keeps the target from being reached.
  func terminalWords(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String]

  /// How this process's terminal is given to the target's login shell.
  ///
  /// - Parameter command: run by that shell instead of what is typed; empty for an interactive one.
  /// - Throws: `unsupported` where there is no such way; what keeps the target from being reached.
  func terminal(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetTerminal

  /// Ends every process of the target whose environment holds `assignment`, and all below it: SIGTERM,
  /// after `grace` seconds SIGKILL. For what a Kelvin that died left running; this connection's own
  /// processes must not carry the assignment.
  ///
  /// - Parameter assignment: `NAME=VALUE`, of letters, digits, `_`, `-`, `.`.
  /// - Returns: what was ended.
  /// - Throws: `permissionDenied` when something could not be ended.
  func endProcesses(
    withEnvironment assignment: String, grace: Double, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int

  /// Opens a way of its own to ask whether the target lives, for a thread of its own.
  ///
  /// - Returns: nil where there is none, or nothing to ask: the target is this machine.
  func pulse(until deadline: Deadline) async throws(ConnectionFailure) -> (any Pulse)?

  /// Ends everything this connection started; idempotent.
  func close() async
}

/// Told how many bytes of a file have been handed over, and how many there are where that is known;
/// at most some ten times a second, by the thread that copies.
public typealias TransferProgress = @Sendable (_ done: Int64, _ total: Int64?) -> Void

extension Connection {
  public func terminalWords(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    throw ConnectionFailure(
      .unsupported, "\(name): gives no terminal",
      hint: "'kelvin target exec' runs commands, 'kelvin bench console' shows the console")
  }

  public func terminal(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetTerminal {
    .program(try await terminalWords(for: command, until: deadline))
  }

  public func pulse(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> (any Pulse)? { nil }

  public func endProcesses(
    withEnvironment assignment: String, grace: Double, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    throw ConnectionFailure(.unsupported, "\(name): cannot look for processes")
  }

  public func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try await push(hostPath, to: path, mode: mode, until: deadline)
  }

  public func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    try await pull(path, to: hostPath, until: deadline)
  }

  public func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    let process = try await start(command, until: deadline)
    return try await process.wait(until: deadline)
  }

  /// Reads one file.
  public func read(
    _ path: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8] {
    switch try await read([path], until: deadline)[0] {
    case .success(let bytes): return bytes
    case .failure(let error): throw ConnectionFailure(error, path: path, connection: name)
    }
  }
}

/// What a connection can do.
public struct Capabilities: Sendable, Hashable {
  /// Standard output and standard error arrive apart.
  public var separateStreams: Bool
  /// Sampling happens on the target itself, or on this machine at system call cost.
  public var fastSampling: Bool
  /// Affinity, niceness and real-time priority of commands are applied without a helper.
  public var scheduling: Bool
  /// Commands run on the machine that Kelvin runs on.
  public var isThisMachine: Bool
  /// What a started command prints stays on the target until it is waited for: nobody need take it
  /// meanwhile. Where it does not, a command that prints more than a pipe holds waits for its reader.
  public var keepsOutput: Bool
  /// What the link carries at most, bytes a second each way; nil where no figure is known.
  public var bytesPerSecond: Double?
  /// What the link goes over at the target's end.
  public var carrier: Carrier

  /// What a link goes over at the target's end.
  public enum Carrier: Sendable, Hashable {
    /// A line, USB, pipes: no network of the target.
    case cable
    case network
    /// The one or the other.
    case unknown
  }

  /// Creates a description.
  public init(
    separateStreams: Bool, fastSampling: Bool, scheduling: Bool, isThisMachine: Bool,
    keepsOutput: Bool = false, bytesPerSecond: Double? = nil, carrier: Carrier = .cable
  ) {
    self.separateStreams = separateStreams
    self.fastSampling = fastSampling
    self.scheduling = scheduling
    self.isThisMachine = isThisMachine
    self.keepsOutput = keepsOutput
    self.bytesPerSecond = bytesPerSecond
    self.carrier = carrier
  }
}

/// A path on a target.
public struct TargetPath: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
  public var string: String

  /// Creates a path from text.
  public init(_ string: String) { self.string = string }
  public init(stringLiteral value: String) { string = value }
  public var description: String { string }

  /// This directory's entry `name`.
  public func appending(_ name: String) -> TargetPath {
    TargetPath(string.hasSuffix("/") ? string + name : string + "/" + name)
  }
}

/// One entry of a listing.
public struct FileEntry: Hashable, Sendable {
  public enum Kind: Sendable, Hashable { case file, directory, other, link(to: String) }

  public let path: TargetPath
  public let kind: Kind
  /// Permission bits.
  public let mode: UInt16
  /// Bytes of a file, where that is known: files of /proc and /sys say anything.
  public let size: Int64?

  /// Creates an entry.
  public init(path: TargetPath, kind: Kind, mode: UInt16, size: Int64? = nil) {
    self.path = path
    self.kind = kind
    self.mode = mode
    self.size = size
  }
}
