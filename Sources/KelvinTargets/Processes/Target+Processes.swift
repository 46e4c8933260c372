public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

extension Target {
  /// All processes, by their numbers, in two round trips. What ends meanwhile is left out.
  ///
  /// - Throws: when the link fails, or the board has no /proc.
  public func processes(
    _ match: ProcessMatch = .all, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetProcess] {
    let ids = try await connection.list("/proc", depth: 1, until: deadline).compactMap {
      $0.path.string.split(separator: "/").last.flatMap { Int32($0) }
    }.sorted()
    let others: [TargetPath] = ["/etc/passwd", "/system/build.prop"]
    let files = ids.flatMap { id in
      ["stat", "status", "cmdline"].map { TargetPath("/proc/\(id)/\($0)") }
    }
    let contents = try await connection.read(others + files, until: deadline)
    let users = UserNames(passwd: try? contents[0].get(), isAndroid: Target.isThere(contents[1]))
    var found: [TargetProcess] = []
    for index in ids.indices {
      let place = others.count + index * 3
      guard case .success(let stat) = contents[place],
        case .success(let status) = contents[place + 1],
        case .success(let words) = contents[place + 2],
        var process = TargetProcess(stat: stat, status: status, commandLine: words),
        process.processID == ids[index]
      else { continue }
      process.user = users[process.userID]
      if match.matches(process) { found.append(process) }
    }
    return found
  }

  /// Whether there is such a file: Android's is not for everybody to read.
  private static func isThere(_ result: Result<[UInt8], Errno>) -> Bool {
    switch result {
    case .success: true
    case .failure(let error): error == .permissionDenied
    }
  }

  /// Waits until such a process is there.
  ///
  /// - Throws: `timedOut`, `interrupted`, or that the link fails.
  public func waitForProcess(
    _ match: ProcessMatch, until deadline: Deadline
  ) async throws(ConnectionFailure) -> TargetProcess {
    while true {
      let found = try await processes(match, until: deadline).first { !$0.hasEnded }
      if let found { return found }
      try pause("\(name): \(match.text) has not appeared", until: deadline)
    }
  }

  /// Waits until none of these processes is left: a new one with an old number is another process.
  ///
  /// - Parameter deadline: of the processes; a look that has begun may go on for 10 seconds.
  /// - Returns: those that are left when the deadline passes.
  /// - Throws: `interrupted`, or that the link fails.
  public func waitForEnd(
    of processes: [TargetProcess], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetProcess] {
    var left = processes
    while true {
      let paths = left.map { TargetPath("/proc/\($0.processID)/stat") }
      // A look is never cut short by the deadline that it is there to tell about.
      let contents = try await connection.read(
        paths, until: .after(seconds: 10, interrupt: deadline.interrupt))
      left = zip(left, contents).filter { process, content in
        guard case .success(let bytes) = content else { return false }
        return ProcessTicks.isRunning(stat: bytes, process)
      }.map(\.0)
      if left.isEmpty || deadline.hasPassed { return left }
      do {
        try pause("", until: deadline)
      } catch {
        if error.code != .timedOut { throw error }
      }
    }
  }

  /// No event tells of other processes' beginnings and ends: they are asked for again.
  func pause(_ message: String, until deadline: Deadline) throws(ConnectionFailure) {
    if deadline.limited(toSeconds: 0.1).wait() == .interrupted {
      throw ConnectionFailure(.interrupted, "\(name): stopped")
    }
    if deadline.hasPassed { throw ConnectionFailure(.timedOut, message) }
  }
}

/// What `stat` says of a process that is known already.
enum ProcessTicks {
  /// Whether it is the same process, and still running.
  static func isRunning(stat: [UInt8], _ process: TargetProcess) -> Bool {
    guard let close = stat.lastIndex(of: UInt8(ascii: ")")) else { return false }
    let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count >= 20, let state = fields[0].first else { return false }
    return UInt64(String(decoding: fields[19], as: UTF8.self)) == process.startTicks
      && state != UInt8(ascii: "Z") && state != UInt8(ascii: "X")
  }
}
