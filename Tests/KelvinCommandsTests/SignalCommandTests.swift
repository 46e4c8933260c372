import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// What SIGINT, SIGTERM and misbehaving workloads do to a run.
@Suite struct SignalCommandTests {
  static let agenda = """
    config: {augmentations: [execution_time, csv]}
    workloads:
      - name: command
        label: first
        params: {argv: [sh, -c, 'echo $$ > started; exec sleep 30']}
        iterations: 3
    """

  /// Starts a run and waits until its first workload has said that it runs.
  private func startRun(_ scratch: Scratch, agenda: String) async throws -> any RemoteProcess {
    try scratch.write("a.yaml", agenda)
    let process = try await KelvinBinary.start(["run", "a.yaml", "-d", "out"], in: scratch.path)
    try await waitFor { scratch.exists("started") }
    return process
  }

  private func waitFor(_ condition: () -> Bool) async throws {
    let deadline = Deadline.after(seconds: 30)
    while !condition() {
      try #require(!deadline.hasPassed, "it did not happen within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
  func oneSignalFinishesWhatMustRun(signal: Int32, code: Int32) async throws {
    let scratch = try Scratch()
    let process = try await startRun(scratch, agenda: SignalCommandTests.agenda)
    kill(process.processID, signal)
    let ran = Ran(try await process.wait(until: .after(seconds: 30)))
    #expect(ran.code == code, "\(ran.both)")
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.jobs().map { $0.outcome?.verdict } == [.aborted, .skipped, .skipped])
    #expect(scratch.exists("out/results.csv"))
  }

  @Test(.timeLimit(.minutes(1)))
  func twoSignalsEndAtOnceAndAResumeContinues() async throws {
    let scratch = try Scratch()
    // The workload ignores SIGTERM, so that the first signal leaves kelvin waiting for its grace.
    let process = try await startRun(
      scratch,
      agenda: """
        config: {augmentations: [csv]}
        workloads:
          - name: command
            params:
              argv: [sh, -c, 'trap "" TERM; test -e again && exit 0; touch again; echo $$ > started; while :; do sleep 1; done']
            iterations: 2
        """)
    kill(process.processID, SIGINT)
    kill(process.processID, SIGINT)
    let ran = Ran(try await process.wait(until: .after(seconds: 20)))
    #expect(ran.code == 130, "\(ran.both)")
    let workload = try #require(pid_t(try scratch.read("started").filter(\.isNumber)))
    try await waitFor { kill(workload, 0) != 0 }
    let resumed = try await KelvinBinary.run(["resume", "out"], in: scratch.path)
    #expect(resumed.code == 0, "\(resumed.both)")
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.jobs().map { $0.outcome?.verdict } == [.ok, .ok])
  }

  @Test(.timeLimit(.minutes(1)))
  func aStoppedRunIsContinuedByResume() async throws {
    let scratch = try Scratch()
    let process = try await startRun(
      scratch,
      agenda: """
        workloads:
          - name: command
            params: {argv: [sh, -c, 'test -e started && exit 0; echo > started; sleep 30']}
            iterations: 3
        """)
    kill(process.processID, SIGINT)
    _ = try await process.wait(until: .after(seconds: 30))
    let resumed = try await KelvinBinary.run(["resume", "out"], in: scratch.path)
    #expect(resumed.code == 0, "\(resumed.both)")
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.jobs().map { $0.outcome?.verdict } == [.ok, .ok, .ok])
    let attempts = try reader.attempts(ofJob: 0)
    #expect(attempts.map { $0.outcome?.verdict } == [.aborted, .ok])
    let again = try await KelvinBinary.run(["resume", "out"], in: scratch.path)
    #expect(again.code == 0)
    #expect(again.output.contains("nothing to resume"))
  }

  @Test(.timeLimit(.minutes(2)))
  func misbehavingWorkloadsAreEndedWholeAndLoseNothing() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "a.yaml",
      """
      config: {augmentations: [execution_time, csv], max_retries: 0}
      workloads:
        - name: command
          label: garbage
          params: {argv: [sh, -c, 'head -c 1000000 /dev/urandom; echo; echo value 1'], metrics: {v: 'value ([0-9]+)'}}
        - name: command
          label: flood
          params: {argv: [sh, -c, 'head -c 1000000000 /dev/zero']}
        - name: command
          label: daemon
          params: {argv: [sh, -c, '(setsid sh -c "echo \\$\\$ > daemon.pid; exec sleep 300" &) ; while ! test -s daemon.pid; do sleep 0.01; done; echo value 3'], metrics: {v: 'value ([0-9]+)'}}
        - name: command
          label: stubborn
          run_timeout: 0.3
          params: {argv: [sh, -c, 'trap "" TERM; sleep 300 & echo $! > child.pid; while :; do sleep 1; done']}
      """)
    // With an address space of 600 MB, the flood of 1 GB must go through in bounded memory.
    let limited = try await LocalConnection().execute(
      Command(
        ["sh", "-c", "ulimit -v 600000; exec \"$0\" run a.yaml -d out", KelvinBinary.path],
        environment: ["HOME": scratch.path], workingDirectory: TargetPath(scratch.path)),
      until: .after(seconds: 100))
    let ran = Ran(limited)
    #expect(ran.code == 1, "\(ran.both)")
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(
      try reader.jobs().map { $0.outcome?.verdict } == [.ok, .ok, .ok, .failed(.timeout)],
      "\(ran.both)")
    for file in ["daemon.pid", "child.pid"] {
      let pid = try #require(pid_t(try scratch.read(file).filter(\.isNumber)))
      try await waitFor { kill(pid, 0) != 0 }
    }
    var status = stat()
    #expect(stat(scratch.path + "/out/jobs/0002-flood-1/attempt-1/stdout", &status) == 0)
    #expect(status.st_size == 64 << 20)
  }
}
