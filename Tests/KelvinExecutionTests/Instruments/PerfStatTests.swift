import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinTargets
import Testing

@testable import KelvinExecution

private let hasPerf = access("/usr/bin/perf", X_OK) == 0 || access("/usr/local/bin/perf", X_OK) == 0

/// With this machine's perf and kernel.
@Suite(.enabled(if: hasPerf, "perf is not installed (apt-get install linux-perf)"))
struct PerfStatTests {
  private func bench(
    _ argv: [String]?, _ settings: [String: Value] = [:]
  ) -> InstrumentBench {
    var bench = InstrumentBench(LocalConnection())
    bench.argv = argv
    bench.settings = ["perf": settings]
    return bench
  }

  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func countsSoftwareEvents(way: Way) async throws {
    var bench = bench(["sh", "-c", "true; true"])
    bench.connection = way.connection
    let record = try await bench.run([PerfStat.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("task-clock") > 0)
    #expect(job.metrics.first { $0.name == "task-clock" }?.unit == "ms")
    #expect(try job.value("page-faults") > 0)
    let words = try #require(job.attempt.changes["argv"]?.list)
    let argv = words.compactMap(\.text)
    #expect(argv.first?.hasSuffix("/perf") == true)
    #expect(argv.suffix(4) == ["--", "sh", "-c", "true; true"])
    let artifact = try #require(job.artifacts.first { $0.name == "perf.csv" })
    #expect(String(decoding: try record.content(artifact), as: UTF8.self).contains("task-clock"))
    #expect(job.events.isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func leavesOutUnknownEventsOnce() async throws {
    var bench = bench(["true"], ["events": ["nosuchevent", "context-switches", "page-faults"]])
    bench.iterations = 2
    let record = try await bench.run([PerfStat.self])
    #expect(record.jobs.allSatisfy { $0.outcome == .ok })
    #expect(record.jobs.allSatisfy { $0.metrics.count == 2 })
    #expect(record.log.components(of: "left out: nosuchevent (") == 1)
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutAnyEvent() async throws {
    let record = try await bench(["true"], ["events": ["nosuchevent"]]).run([PerfStat.self])
    #expect(record.log.contains("perf: unavailable on this target: perf: none of the events"))
    #expect(record.jobs.first?.attempt.changes.isEmpty == true)
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutPerf() async throws {
    var bench = bench(["true"])
    bench.connection = FaultyConnection(base: LocalConnection(), missing: ["perf"])
    let record = try await bench.run([PerfStat.self])
    #expect(record.log.contains("perf: not found on the target; install linux-perf (Debian)"))
    #expect(record.jobs.first?.outcome == .ok)
  }

  @Test(.timeLimit(.minutes(1))) func takesMoreOptions() async throws {
    let record = try await bench(
      ["true"], ["events": ["task-clock"], "optionstring": ["-a", "-A"]]
    ).run([PerfStat.self])
    let job = try #require(record.jobs.first)
    #expect(try job.value("task-clock", ["scope": "CPU0"]) > 0)
  }

  /// perf alone loses one in twenty of these, hence the number.
  @Test(.timeLimit(.minutes(1))) func keepsTheExitCode() async throws {
    var bench = bench(["sh", "-c", "exit 7"])
    bench.iterations = 100
    let record = try await bench.run([PerfStat.self])
    #expect(record.jobs.count == 100)
    for job in record.jobs {
      #expect(job.outcome.verdict == .failed(.workload))
      #expect(job.outcome.reason.contains("exited with 7"))
      #expect(try job.value("task-clock") > 0)
    }
  }

  /// perf stat exits with 0 then.
  @Test(.timeLimit(.minutes(1)), arguments: ["KILL", "SEGV"])
  func aSignalFailsTheJobAllTheSame(signal: String) async throws {
    var bench = bench(["sh", "-c", "kill -\(signal) $$"])
    bench.iterations = 50
    let record = try await bench.run([PerfStat.self])
    #expect(record.jobs.count == 50)
    for job in record.jobs {
      #expect(job.outcome.verdict == .failed(.workload))
      #expect(job.outcome.reason.contains("'sh' was ended by a signal"))
      #expect(try job.value("task-clock") > 0)
    }
  }

  @Test(.timeLimit(.minutes(1))) func saysThatThereIsNoProcess() async throws {
    let record = try await bench(nil).run([PerfStat.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("starts no process that perf could count"))
  }
}

extension String {
  /// How often `text` is in it.
  fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}
