import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// 200 seeded SIGKILLs of the real process: nothing but the job that was running is ever lost.
@Suite struct DurabilityTests {
  /// Ten jobs with deterministic metrics; one of them always fails and is retried, one leaves a
  /// daemon behind.
  static let agenda = """
    config:
      augmentations: [execution_time]
      max_retries: 1
      execution_order: by_workload
    workloads:
      - name: command
        label: counts
        params: {argv: [sh, -c, 'echo value 11; echo other 2.5'], metrics: {value: 'value ([0-9]+)', other: 'other ([0-9.]+)'}}
        iterations: 5
      - name: command
        label: fails
        params: {argv: [sh, -c, 'echo value 12; exit 1'], metrics: {value: 'value ([0-9]+)'}}
      - name: command
        label: slow
        params: {argv: [sh, -c, 'sleep 0.02; echo value 13'], metrics: {value: 'value ([0-9]+)'}}
        iterations: 3
      - name: command
        label: daemon
        params: {argv: [sh, -c, '(setsid sleep 300 &); echo value 14'], metrics: {value: 'value ([0-9]+)'}}
    """

  /// What must be equal: job, iteration, verdict, and the metrics of its last attempt that do not
  /// depend on time; and how many attempts count.
  private func essence(_ directory: String) throws -> [String] {
    let reader = try RunReader(directory: directory)
    return try reader.jobs().map { job in
      let attempts = try reader.attempts(ofJob: job.position)
      let counted = attempts.filter { $0.outcome?.verdict != .aborted }
      let last = try #require(counted.last)
      let metrics = try reader.metrics(ofAttempt: last.id)
        .filter { $0.name != "execution_time" }
        .map { "\($0.name)=\($0.value.text)" }.sorted().joined(separator: " ")
      return "\(job.position) \(job.iteration) \(job.outcome?.verdict.text ?? "none") "
        + "\(metrics) after \(counted.count)"
    }
  }

  @Test(.timeLimit(.minutes(15)), arguments: [("local", 200), ("local-shell", 30)])
  func survivesSeededKills(board: String, wanted: Int) async throws {
    let seed = getenv("KELVIN_TEST_SEED").flatMap { UInt64(String(cString: $0)) } ?? 20_261_125
    print("durability: \(board), seed \(seed)")
    var random = SplitMix(state: seed)
    let scratch = try Scratch()
    try scratch.write("a.yaml", DurabilityTests.agenda)
    let shim = try await compileShim(in: scratch)

    let begin = MonotonicTime.now
    let baseline = try await KelvinBinary.run(
      ["run", "a.yaml", "-d", "base", "--board", board], in: scratch.path)
    let length = .now - begin
    #expect(baseline.code == 1, "\(baseline.both)")
    let expected = try essence(scratch.path + "/base")
    #expect(expected.count == 10)

    var kills = 0
    var killsAtSync = 0
    var round = 0
    while kills < wanted {
      round += 1
      let directory = "run\(round)"
      var isFirst = true
      // Kill, resume, kill the resume, ... until one life comes to the end.
      while true {
        let exists = scratch.exists(directory + "/run.db")
        // A run whose database was not yet whole never began; it is begun again.
        let arguments =
          isFirst || !exists
          ? ["run", "a.yaml", "-d", directory, "-f", "-q", "--board", board]
          : ["resume", directory, "-q"]
        isFirst = false
        let mode = random.next() % 4
        var environment: [String: String] = [:]
        if mode == 0 {
          environment = [
            "LD_PRELOAD": shim, "KELVIN_TEST_KILL_AT_SYNC": "\(1 + random.next() % 14)"
          ]
        }
        let process = try await KelvinBinary.start(
          arguments, in: scratch.path, environment: environment)
        if mode != 0, mode != 3 {
          let delay = Int64(random.next() % UInt64(length))
          try await Task.sleep(for: .nanoseconds(delay))
          kill(process.processID, SIGKILL)
        }
        let result = try await process.wait(until: .after(seconds: 60))
        if result.termination == .signaled(SIGKILL) {
          kills += 1
          if mode == 0 { killsAtSync += 1 }
          continue
        }
        let ran = Ran(result)
        if ran.code == 3, ran.errors.contains("not a run") || ran.errors.contains("run.db") {
          Issue.record("round \(round): \(ran.both)")
        }
        #expect(ran.code == 1 || ran.code == 0, "round \(round): \(ran.both)")
        break
      }
      let found = try essence(scratch.path + "/" + directory)
      #expect(found == expected, "round \(round) differs")
      let reader = try RunReader(directory: scratch.path + "/" + directory)
      for job in try reader.jobs() {
        for attempt in try reader.attempts(ofJob: job.position) {
          #expect(attempt.outcome != nil, "round \(round): an attempt without a verdict")
        }
      }
      _ = try? await LocalConnection().remove(
        TargetPath(scratch.path + "/" + directory), until: .after(seconds: 10))
    }
    print("durability: \(kills) kills in \(round) runs, \(killsAtSync) between commit and fsync")
    #expect(killsAtSync >= wanted / 10)
    // Nothing that the dead processes started is left: they all ran below this directory.
    #expect(try await sleepers(below: scratch.path) == 0)
  }

  private func compileShim(in scratch: Scratch) async throws -> String {
    let source =
      "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/")
      + "/Support/kill-at-sync.c.txt"
    let output = scratch.path + "/shim.so"
    let result = try await LocalConnection().execute(
      Command(["cc", "-shared", "-fPIC", "-O1", "-x", "c", source, "-o", output, "-ldl"]),
      until: .after(seconds: 30))
    try #require(result.isSuccess, "\(result.standardError.text)")
    return output
  }

  /// Processes whose working directory is below `path`.
  private func sleepers(below path: String) async throws -> Int {
    let result = try await LocalConnection().execute(
      Command(["sh", "-c", "ls -l /proc/[0-9]*/cwd 2>/dev/null | grep -cF -- '\(path)' || true"]),
      until: .after(seconds: 10))
    // The shell that counts runs elsewhere.
    return Int(result.standardOutput.text.filter(\.isNumber)) ?? -1
  }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
