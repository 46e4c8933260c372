internal import CLinux
internal import Glibc
public import KelvinModel
internal import Synchronization

/// This machine, by direct system calls: no shell, no helper programs.
public final class LocalConnection: Connection {
  public let name = "local"
  public let capabilities = Capabilities(
    separateStreams: true, fastSampling: true, scheduling: true, isThisMachine: true)
  private let launcher: ProcessLauncher
  /// Stands for `/` of paths under /sys and /proc; empty for the machine's own.
  private let root: String
  /// What was started and may still run; whoever waits for it holds it.
  private let started = Mutex<[Started]>([])

  private struct Started { weak var process: LocalProcess? }

  /// Shells that become root's, for a user who is not root.
  let shells: ShellConnection?

  /// Creates the connection.
  ///
  /// - Parameters:
  ///   - root: a directory with a recorded tree whose `sys` and `proc` stand for the machine's own;
  ///     commands and other files are the machine's all the same.
  ///   - environment: added to that of every command.
  public convenience init(root: String = "/", environment: [String: String] = [:]) {
    self.init(root: root, environment: environment, rootAccess: nil)
  }

  /// - Parameter rootAccess: how this user becomes root, for commands that ask for it.
  package init(root: String, environment: [String: String], rootAccess: RootAccess?) {
    shells =
      geteuid() == 0
      ? nil
      : ShellConnection(
        LocalShellTransport(argv: ["sh"]), environment: environment, root: rootAccess)
    self.root = root == "/" ? "" : root
    launcher = ProcessLauncher(environment: environment)
  }

  public func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    if command.asRoot, let shells { return try await shells.start(command, until: deadline) }
    if deadline.isInterrupted {
      throw ConnectionFailure(.interrupted, "\(command.argv.first ?? ""): stopped")
    }
    if deadline.hasPassed {
      throw ConnectionFailure(
        .timedOut, "\(command.argv.first ?? ""): no time was left to start it")
    }
    let process = try launcher.start(command)
    started.withLock { started in
      started.removeAll { $0.process == nil }
      started.append(Started(process: process))
    }
    return process
  }

  public func read(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<[UInt8], Errno>] {
    paths.map { path in
      Result { () throws(Errno) in try LocalFile.read(resolve(path)) }
    }
  }

  public func write(
    _ values: [(path: TargetPath, bytes: [UInt8])], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<Void, Errno>] {
    values.map { path, bytes in
      Result { () throws(Errno) in try LocalFile.write(bytes, to: resolve(path)) }
    }
  }

  public func terminalWords(
    for command: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [String] {
    if !command.isEmpty { return command }
    return [getenv("SHELL").map { String(cString: $0) } ?? "sh"]
  }

  public func list(
    _ directory: TargetPath, depth: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [FileEntry] {
    var status = stat()
    guard stat(resolve(directory), &status) == 0 else {
      throw ConnectionFailure(.current, path: directory, connection: name)
    }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw ConnectionFailure(Errno(ENOTDIR), path: directory, connection: name)
    }
    var entries: [FileEntry] = []
    try list(directory, depth: depth, device: status.st_dev, deadline, into: &entries)
    return entries
  }

  private func list(
    _ directory: TargetPath, depth: Int, device: dev_t, _ deadline: Deadline,
    into entries: inout [FileEntry]
  ) throws(ConnectionFailure) {
    guard depth > 0 else { return }
    if deadline.hasPassed { throw ConnectionFailure(.timedOut, "\(directory): listing timed out") }
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(directory): stopped") }
    for name in LocalFile.names(in: resolve(directory)) {
      let path = directory.appending(name)
      var status = stat()
      guard lstat(resolve(path), &status) == 0 else { continue }
      let mode = UInt16(truncatingIfNeeded: status.st_mode & 0o7777)
      switch status.st_mode & S_IFMT {
      case S_IFREG:
        entries.append(FileEntry(path: path, kind: .file, mode: mode, size: Int64(status.st_size)))
      case S_IFLNK:
        entries.append(
          FileEntry(path: path, kind: .link(to: LocalFile.link(resolve(path))), mode: mode))
      case S_IFDIR:
        entries.append(FileEntry(path: path, kind: .directory, mode: mode))
        if status.st_dev == device {
          try list(path, depth: depth - 1, device: device, deadline, into: &entries)
        }
      default: entries.append(FileEntry(path: path, kind: .other, mode: mode))
      }
    }
  }

  public func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try copy(hostPath, to: resolve(path), mode: mode, deadline)
  }

  public func pull(
    _ path: TargetPath, to destination: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try copy(resolve(path), to: destination, mode: 0o644, deadline)
  }

  private func copy(
    _ source: String, to destination: String, mode: UInt16, _ deadline: Deadline
  ) throws(ConnectionFailure) {
    do {
      try LocalFile.copy(source, to: destination, mode: mode, until: deadline)
    } catch {
      switch error {
      case .source(let error):
        throw ConnectionFailure(error, path: TargetPath(source), connection: name)
      case .destination(let error):
        throw ConnectionFailure(error, path: TargetPath(destination), connection: name)
      case .deadline:
        throw ConnectionFailure(
          deadline.isInterrupted ? .interrupted : .timedOut, "\(destination): copying was cut off")
      }
    }
  }

  public func remove(
    _ path: TargetPath, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try path.checkRemovable(connection: name)
    do {
      try LocalFile.remove(resolve(path))
    } catch {
      throw ConnectionFailure(error, path: path, connection: name)
    }
  }

  public func checksum(
    _ paths: [TargetPath], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [Result<String, Errno>] {
    paths.map { path in
      Result { () throws(Errno) in try Checksum.sha256(ofFile: resolve(path)) }
    }
  }

  public func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    return names.map { name in
      guard let found = try? ProcessLauncher.find(name, path: path), access(found, X_OK) == 0
      else { return nil }
      return TargetPath(found)
    }
  }

  public func sampler(_ plan: SamplePlan) async throws(ConnectionFailure) -> any SampleSource {
    LocalSampler(plan, paths: plan.files.map(resolve))
  }

  public func endProcesses(
    withEnvironment assignment: String, grace: Double, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int {
    SurvivorHunter.endProcesses(
      withEnvironment: assignment, alsoIdentities: [], grace: grace, until: deadline
    ).count
  }

  public func close() async {
    let processes = started.withLock { started in
      defer { started = [] }
      return started.compactMap(\.process)
    }
    for process in processes { process.abandon() }
    await shells?.close()
  }

  /// Where a path of the target is on this machine.
  func resolve(_ path: TargetPath) -> String {
    guard !root.isEmpty else { return path.string }
    for top in ["/sys", "/proc"] where path.string == top || path.string.hasPrefix(top + "/") {
      return root + path.string
    }
    return path.string
  }
}
