internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Starts processes on this machine: posix_spawn with an argument vector, a process group of their
/// own, a pidfd to wait on, and a marker in their environment by which descendants are known.
public struct ProcessLauncher: Sendable {
  /// What every command gets: this process's environment as it was when the launcher was made, and
  /// what was added. As dictionary, and as the assignments that a child is given.
  private let base: [String: String]
  private let assignments: [String]

  /// Children that were started and not yet reaped, by process id: their markers. Process-wide, as
  /// children are.
  static let live = Mutex<[Int32: String]>([:])
  private static let counter = Atomic<UInt64>(0)

  /// Creates a launcher.
  ///
  /// - Parameter environment: added to this process's own for every command.
  init(environment: [String: String]) {
    ProcessLauncher.ignoreBrokenPipes()
    base = ProcessLauncher.inherited().merging(environment) { _, new in new }
    assignments = base.filter { $0.key != "KELVIN_COMMAND" }.map { "\($0.key)=\($0.value)" }
  }

  /// A child that ends before it has read its input must be an error of write(2), not the end of
  /// this process. Only a default disposition is changed; children start with the default.
  private static func ignoreBrokenPipes() {
    var action = sigaction()
    guard sigaction(SIGPIPE, nil, &action) == 0, action.__sigaction_handler.sa_handler == nil
    else { return }
    signal(SIGPIPE, SIG_IGN)
  }

  /// Makes this process the one that adopts orphans among its descendants, so that a daemon cannot
  /// leave the tree of its command. Called once, by whoever starts the program.
  public static func becomeSubreaper() { _ = kelvin_set_child_subreaper(1) }

  /// Reaps what this process has adopted and what has ended, and none of the launcher's own.
  static func reapOrphans() {
    let own = getpid()
    let session = getsid(0)
    live.withLock { live in
      for entry in ProcessEntry.all()
      where entry.parent == own && entry.isZombie && entry.session != session
        && live[entry.processID] == nil
      {
        waitpid(entry.processID, nil, WNOHANG)
      }
    }
  }

  /// Starts a command.
  func start(_ command: Command) throws(ConnectionFailure) -> LocalProcess {
    guard let name = command.argv.first, !name.isEmpty else {
      throw ConnectionFailure(.unsupported, "a command without a program")
    }
    try ProcessLauncher.checkWords(of: command)
    let path = command.environment["PATH"] ?? base["PATH"] ?? "/usr/bin:/bin"
    let program = try ProcessLauncher.find(name, path: path)
    let number = ProcessLauncher.counter.wrappingAdd(1, ordering: .relaxed).newValue
    // Never of the form that a console's agent ends when it finds it left behind.
    let marker = "KELVIN_COMMAND=\(getpid()).\(number)"
    let streams = try Streams(command)
    let begin = MonotonicTime.now
    let launch = Launch(
      program: program, argv: command.argv, environment: environment(of: command) + [marker],
      directory: command.workingDirectory?.string, streams: streams)
    let (status, processID) = try ProcessLauncher.spawn(launch, command)
    streams.closeChildEnds()
    guard status == 0 else {
      streams.closeOwnEnds()
      throw failure(Errno(status), program, command)
    }
    let descriptor = kelvin_pidfd_open(processID, 0)
    guard descriptor >= 0 else {
      // Without it nothing could be waited for: give the process up.
      let error = Errno.current
      kill(-processID, SIGKILL)
      waitpid(processID, nil, 0)
      streams.closeOwnEnds()
      throw ConnectionFailure(.system(error), "\(name): pidfd_open: \(error)")
    }
    return LocalProcess(
      command: command, processID: processID, pidfd: descriptor, marker: marker,
      startTime: begin, streams: streams)
  }

  private func environment(of command: Command) -> [String] {
    guard !command.environment.isEmpty else { return assignments }
    return base.merging(command.environment) { _, new in new }
      .filter { $0.key != "KELVIN_COMMAND" }.map { "\($0.key)=\($0.value)" }
  }

  /// Refuses what no system can hand over, before anything is started.
  static func checkWords(of command: Command) throws(ConnectionFailure) {
    for word in command.argv where word.utf8.contains(0) {
      throw ConnectionFailure(.unsupported, "\(command.argv[0]): an argument holds a NUL byte")
    }
    for (name, value) in command.environment
    where name.isEmpty || name.utf8.contains(UInt8(ascii: "=")) || name.utf8.contains(0)
      || value.utf8.contains(0)
    {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): '\(name)' cannot be an environment variable")
    }
  }

  private func failure(_ error: Errno, _ program: String, _ command: Command) -> ConnectionFailure {
    let code: ConnectionFailure.Code =
      switch error {
      case .notFound: .notFound
      case .permissionDenied, .notPermitted: .permissionDenied
      default: .system(error)
      }
    var hint = ""
    if let directory = command.workingDirectory, access(directory.string, X_OK) != 0 {
      hint = "its working directory \(directory) cannot be entered"
    } else if error.rawValue == ENOEXEC {
      hint = "it is no program for this machine, and has no '#!' line"
    }
    return ConnectionFailure(code, "\(program): cannot be started: \(error)", hint: hint)
  }

  // MARK: Spawning

  /// What a child is made of.
  private struct Launch: Sendable {
    let program: String
    let argv: [String]
    let environment: [String]
    let directory: String?
    let streams: Streams

    func spawn() -> (status: Int32, processID: Int32) {
      var arguments: [UnsafeMutablePointer<CChar>?] = argv.map { strdup($0) }
      var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) }
      arguments.append(nil)
      variables.append(nil)
      defer {
        for pointer in arguments { free(pointer) }
        for pointer in variables { free(pointer) }
      }
      var processID: pid_t = 0
      // The table is locked over the spawn, so that nobody sees a child that is not in it.
      let status = ProcessLauncher.live.withLock { live in
        let status = kelvin_spawn(
          program, arguments, variables, directory, streams.childInput, streams.childOutput,
          streams.childError, &processID)
        if status == 0 { live[processID] = "" }
        return status
      }
      return (status, processID)
    }
  }

  /// Spawns; on a thread of its own when the child needs other scheduling: on Linux affinity,
  /// niceness and policy belong to the thread and are inherited from it, so that nothing is ever
  /// set on a process that already runs.
  private static func spawn(
    _ launch: Launch, _ command: Command
  ) throws(ConnectionFailure) -> (status: Int32, processID: Int32) {
    guard command.affinity != nil || command.niceness != nil || command.realtimePriority != nil
    else { return launch.spawn() }
    let result = OneShotThread.run {
      () -> Result<(status: Int32, processID: Int32), SchedulingProblem> in
      if let problem = SchedulingProblem.afterApplying(command) { return .failure(problem) }
      return .success(launch.spawn())
    }
    switch result {
    case .success(let result): return result
    case .failure(let problem):
      launch.streams.closeChildEnds()
      launch.streams.closeOwnEnds()
      throw ConnectionFailure(
        problem.error == .notPermitted || problem.error == .permissionDenied
          ? .permissionDenied : .system(problem.error),
        "\(command.argv[0]): \(problem.what): \(problem.error)",
        hint: problem.error == .notPermitted || problem.error == .permissionDenied
          ? "run as root or with CAP_SYS_NICE" : "")
    }
  }

  /// What could not be set on the launching thread.
  private struct SchedulingProblem: Error {
    let what: String
    let error: Errno

    static func afterApplying(_ command: Command) -> SchedulingProblem? {
      if let cpus = command.affinity {
        var mask = [UInt64](repeating: 0, count: 128)
        for cpu in cpus where cpu >= 0 && cpu < 8192 { mask[cpu / 64] |= 1 << UInt64(cpu % 64) }
        if kelvin_set_affinity(0, mask, Int32(mask.count)) < 0 {
          return SchedulingProblem(what: "affinity to CPUs \(cpus)", error: .current)
        }
      }
      if let niceness = command.niceness, kelvin_set_thread_nice(Int32(niceness)) != 0 {
        return SchedulingProblem(what: "niceness \(niceness)", error: .current)
      }
      if let priority = command.realtimePriority {
        let status = kelvin_set_fifo(Int32(priority))
        if status != 0 {
          return SchedulingProblem(what: "SCHED_FIFO priority \(priority)", error: Errno(status))
        }
      }
      return nil
    }
  }

  // MARK: Environment and PATH

  private static func inherited() -> [String: String] {
    var variables: [String: String] = [:]
    guard var pointer = kelvin_environment() else { return variables }
    while let text = pointer.pointee {
      let assignment = String(cString: text)
      if let equals = assignment.firstIndex(of: "=") {
        variables[String(assignment[..<equals])] =
          String(assignment[assignment.index(after: equals)...])
      }
      pointer += 1
    }
    return variables
  }

  /// Finds a program as execvp(3) does.
  static func find(_ name: String, path: String) throws(ConnectionFailure) -> String {
    if name.contains("/") { return name }
    var isForbidden = false
    for directory in path.split(separator: ":", omittingEmptySubsequences: false) {
      let candidate = (directory.isEmpty ? "." : directory) + "/" + name
      var status = stat()
      guard stat(candidate, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      if access(candidate, X_OK) == 0 { return candidate }
      isForbidden = true
    }
    if isForbidden {
      throw ConnectionFailure(
        .permissionDenied, "\(name): found, but not executable (PATH \(path))",
        hint: "set its x permission")
    }
    throw ConnectionFailure(.notFound, "\(name): not found (PATH \(path))")
  }
}

/// A thread that runs one closure, is waited for, and takes its scheduling with it.
enum OneShotThread {
  private final class Box<Value: Sendable>: Sendable {
    let body: @Sendable () -> Value
    let result = Mutex<Value?>(nil)
    init(_ body: @escaping @Sendable () -> Value) { self.body = body }
    func run() {
      let value = body()
      result.withLock { $0 = value }
    }
  }
  /// Runs `body` on a new thread; on the caller's when no thread can be had.
  static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value {
    let box = Box(body)
    if let thread = try? NamedThread("launch", { box.run() }) { thread.join() }
    return box.result.withLock { $0 } ?? body()
  }
}
