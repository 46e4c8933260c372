public import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets
internal import Synchronization

extension JobContext {
  /// Runs ``launch`` on the target as the workload: its output goes to the files `stdout` and
  /// `stderr` of the attempt, its process is journaled so that a resume can end it, and its start
  /// and end are the measured window.
  ///
  /// - Throws: ``ConnectionFailure``; how the process ended is in the result, not an error.
  @discardableResult
  public func runLaunch() async throws -> CommandResult {
    guard let launch else {
      throw PlainFailure(.internal, "workload '\(spec.workload)' set no launch in its setup")
    }
    let outputs = run.directory + "/" + relativeDirectory
    var command = Command(
      launch.argv, environment: launch.environment.merging([mark.name: mark.value]) { $1 },
      workingDirectory: launch.workingDirectory,
      standardInput: launch.standardInput,
      standardOutput: .file(outputs + "/stdout", limit: Command.outputLimit),
      standardError: .file(outputs + "/stderr", limit: Command.outputLimit))
    command.affinity = launch.affinity
    command.niceness = launch.niceness
    command.realtimePriority = launch.realtimePriority
    state.withLock { state in
      guard let original = state.originalLaunch, original != launch else { return }
      state.changes = launch.changes(from: original)
    }
    if let detached = spec.detached { return try await runDetached(command, detached) }
    let deadline = deadline
    let cpuBefore = MonotonicTime.processCPUNanoseconds
    let process = try await target.connection.start(command, until: deadline)
    let result: CommandResult
    do {
      // What is no attempt of the plan has no row; whoever looks for survivors knows them by KELVIN_RUN.
      if position >= 0 {
        try run.store.recordProcess(
          attempt: attemptID, processID: process.processID, startTicks: process.startTicks)
      }
      result = try await process.wait(until: deadline)
    } catch {
      keep((error as? ConnectionFailure)?.partial, cpuBefore: cpuBefore)
      throw error
    }
    keep(result, cpuBefore: cpuBefore)
    return result
  }

  /// An environment variable that all processes of the attempt's workload carry.
  private var mark: (name: String, value: String) {
    ("KELVIN_ATTEMPT", "\(run.id)-\(attemptID)")
  }

  /// Ends what the attempt's workload left running when the link to the board broke.
  ///
  /// - Throws: what keeps the board from being asked, or a process from being ended.
  func endLeftovers(until deadline: Deadline) async throws {
    let count = try await target.connection.endProcesses(
      withEnvironment: "\(mark.name)=\(mark.value)", grace: 2, until: deadline)
    guard count > 0 else { return }
    record(
      .warning, source: "runner",
      "\(count) process(es) of the workload, left running when the link broke, were ended")
  }

  func keep(_ result: CommandResult?, cpuBefore: Int64) {
    let cpu = MonotonicTime.processCPUNanoseconds - cpuBefore
    state.withLock { state in
      state.result = result
      state.cpuInsideWindow = cpu
      if let result {
        state.window = result.startTime.nanoseconds..<result.endTime.nanoseconds
      }
    }
    guard let result else { return }
    for (name, output) in [("stdout", result.standardOutput), ("stderr", result.standardError)]
    where output.totalBytes > 0 {
      add(
        Artifact(
          name: name, path: relativeDirectory + "/" + name, kind: .log,
          description: "standard \(name == "stdout" ? "output" : "error") of the workload",
          source: spec.workload))
      if output.isTruncated {
        record(
          .warning, source: spec.workload,
          "\(name): \(output.totalBytes) bytes, of which the first \(output.keptBytes) were kept")
      }
    }
    if result.endedDescendants > 0 {
      record(
        .warning, source: spec.workload,
        "\(result.endedDescendants) process(es) that the workload left running were ended")
    }
  }

  /// Takes the measured window around `body`, unless ``runLaunch()`` takes a closer one.
  func measure(_ body: () async throws -> Void) async throws {
    let begin = MonotonicTime.now.nanoseconds
    let cpuBefore = MonotonicTime.processCPUNanoseconds
    defer {
      let end = MonotonicTime.now.nanoseconds
      let cpu = MonotonicTime.processCPUNanoseconds - cpuBefore
      state.withLock { state in
        if state.window == nil {
          state.window = begin..<end
          state.cpuInsideWindow = cpu
        }
      }
    }
    try await body()
  }

  /// Notes that a start callback let time pass because it was asked to: no cost of Kelvin's.
  func noteWait(_ nanoseconds: Int64) { state.withLock { $0.waited += nanoseconds } }

  /// What Kelvin cost around the measured window.
  ///
  /// - Parameters:
  ///   - begin: before the first start callback.
  ///   - end: after the last stop callback.
  func overhead(from begin: MonotonicTime, to end: MonotonicTime) -> Overhead? {
    state.withLock { state in
      guard let window = state.window else { return nil }
      var overhead = Overhead()
      overhead.cpuInsideWindow = state.cpuInsideWindow
      overhead.beforeWindow = max(0, window.lowerBound - begin.nanoseconds - state.waited)
      overhead.afterWindow = max(0, end.nanoseconds - window.upperBound)
      return overhead
    }
  }
}
