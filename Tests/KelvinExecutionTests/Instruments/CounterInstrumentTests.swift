import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// execution_time, cpu_load, interrupts and pressure.
@Suite struct CounterInstrumentTests {
  /// Runs a job without a process on a recorded tree that changes in the window.
  private func job(
    _ instrument: any Instrument.Type, _ before: [String: String], then after: [String: String],
    remove: [String] = []
  ) async throws -> (InstrumentBench.Record, InstrumentBench.Record.Job) {
    let tree = try RecordedTree(before)
    var bench = InstrumentBench(LocalConnection(root: tree.root))
    bench.argv = nil
    bench.settings = ["cpu_load": ["per_cpu": true]]
    bench.during = { _ in
      try tree.write(after)
      for path in remove { try await tree.remove(path) }
    }
    let record = try await bench.run([instrument])
    return (record, try #require(record.jobs.first))
  }

  @Test(.timeLimit(.minutes(1))) func executionTimeIsTheWindow() async throws {
    var bench = InstrumentBench(LocalConnection())
    bench.argv = ["sleep", "0.05"]
    let record = try await bench.run([ExecutionTime.self])
    let job = try #require(record.jobs.first)
    let time = try job.value("execution_time")
    #expect(time >= 0.05)
    let stage = try #require(job.attempt.stages.run)
    #expect(time <= Double(stage.upperBound - stage.lowerBound) / 1e9)
    #expect(job.metrics.first?.lowerIsBetter == true)
  }

  @Test(.timeLimit(.minutes(1))) func cpuLoadIsWhatPassedInTheWindow() async throws {
    let (_, job) = try await job(
      CPULoad.self,
      [
        "/proc/stat": "cpu 0 0 0 1000 0 0 0 0 0 0\ncpu0 0 0 0 500 0 0 0 0\ncpu1 0 0 0 500 0 0 0 0\n"
      ],
      then: [
        "/proc/stat":
          "cpu 20 5 25 1040 10 0 0 0 0 0\ncpu0 20 5 25 500 0 0 0 0\ncpu1 0 0 0 540 10 0 0 0\n"
      ])
    #expect(job.outcome == .ok)
    #expect(try job.value("cpu_busy", ["cpu": "all"]) == 50)
    #expect(try job.value("cpu_user", ["cpu": "all"]) == 25)
    #expect(try job.value("cpu_iowait", ["cpu": "all"]) == 10)
    #expect(try job.value("cpu_busy", ["cpu": "0"]) == 100)
    #expect(try job.value("cpu_busy", ["cpu": "1"]) == 0)
    #expect(job.events.isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func cpuLoadLeavesOutACPUThatWentOff() async throws {
    let (_, job) = try await job(
      CPULoad.self,
      ["/proc/stat": "cpu 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n"],
      then: ["/proc/stat": "cpu 1 0 0 1 0 0 0 0\ncpu0 1 0 0 1 0 0 0 0\n"])
    #expect(Set(job.metrics.compactMap { $0.classifiers["cpu"] }) == ["all", "0"])
    #expect(
      job.messages(.warning)
        == ["CPUs went on or off in the measured window and are left out: 1"])
  }

  @Test(.timeLimit(.minutes(1))) func cpuLoadSaysWhenTheWindowHadNoTick() async throws {
    let stat = ["/proc/stat": "cpu 0 0 0 0 0 0 0 0\n"]
    let (_, job) = try await job(CPULoad.self, stat, then: stat)
    #expect(job.outcome == .ok)
    #expect(job.metrics.isEmpty)
    #expect(job.messages(.info).count == 1)
  }

  @Test(.timeLimit(.minutes(1))) func aFileThatDisappearsIsAWarning() async throws {
    let (_, job) = try await job(
      CPULoad.self, ["/proc/stat": "cpu 0 0 0 0 0 0 0 0\n"], then: [:], remove: ["/proc/stat"])
    #expect(job.outcome == .ok)
    #expect(
      job.messages(.warning)
        == ["could not be read: /proc/stat after the window: No such file or directory"])
  }

  @Test(.timeLimit(.minutes(1))) func interruptsAreKeptByCPU() async throws {
    let (record, job) = try await job(
      Interrupts.self,
      [
        "/proc/interrupts":
          "      CPU0   CPU1\n 24:  1  0  GIC 5 Edge  eth, 0\n 25:  0  0  GIC 6 Edge  x\n"
          + "IPI0: 4294967295 7 Resched\nErr: 0\n",
        "/proc/softirqs": "     CPU0   CPU1\n  TIMER: 1 2\n"
      ],
      then: [
        "/proc/interrupts":
          "      CPU0   CPU1\n 24:  5  3  GIC 5 Edge  eth, 0\n 25:  0  0  GIC 6 Edge  x\n"
          + "IPI0: 1 7 Resched\nErr: 2\n",
        "/proc/softirqs": "     CPU0   CPU1\n  TIMER: 11 2\n"
      ])
    #expect(try job.value("interrupts") == 4 + 3 + 2 + 2)
    #expect(try job.value("softirqs") == 10)
    #expect(
      job.messages(.warning)
        == ["went back and were taken as wrapped at 32 bits: interrupts IPI0"])
    let artifact = try #require(job.artifacts.first)
    #expect(
      String(decoding: try record.content(artifact), as: UTF8.self) == """
        source,interrupt,description,cpu,before,after,difference,note
        interrupts,24,"GIC 5 Edge eth, 0",0,1,5,4,
        interrupts,24,"GIC 5 Edge eth, 0",1,0,3,3,
        interrupts,IPI0,Resched,0,4294967295,1,2,wrapped
        interrupts,IPI0,Resched,1,7,7,0,
        interrupts,Err,,,0,2,2,
        softirqs,TIMER,,0,1,11,10,
        softirqs,TIMER,,1,2,2,0,

        """)
  }

  @Test(.timeLimit(.minutes(1))) func pressureIsTimeAndShare() async throws {
    let (_, job) = try await job(
      Pressure.self,
      [
        "/proc/pressure/cpu": "some avg10=0 avg60=0 avg300=0 total=1000\n",
        "/proc/pressure/io": "some avg10=0 total=5\nfull avg10=0 total=7\n"
      ],
      then: [
        "/proc/pressure/cpu": "some avg10=0 avg60=0 avg300=0 total=1250\n",
        "/proc/pressure/io": "some avg10=0 total=4\nfull avg10=0 total=9\n"
      ])
    let some = ["resource": "cpu", "kind": "some"]
    #expect(try job.value("pressure_time", some) == 250)
    #expect(try job.value("pressure_share", some) > 0)
    #expect(try job.value("pressure_time", ["resource": "io", "kind": "full"]) == 2)
    #expect(job.metrics.count == 4)
    #expect(job.messages(.warning) == ["io some: went back, so it is left out"])
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      (Errno.notFound, "accounts no pressure stalls", "CONFIG_PSI"),
      (Errno(EOPNOTSUPP), "is switched off", "psi=1"), (.io, "Input/output error", "")
    ])
  func pressureIsUnavailableWithAReason(
    error: Errno, reason: String, hint: String
  ) async throws {
    let tree = try RecordedTree([:])
    var connection = FaultyConnection(base: LocalConnection(root: tree.root))
    for resource in ["cpu", "memory", "io", "irq"] {
      connection.faults[TargetPath("/proc/pressure/\(resource)")] = error
    }
    let record = try await InstrumentBench(connection).run([Pressure.self])
    #expect(record.log.contains("WARNING pressure: unavailable on this target: /proc/pressure: "))
    #expect(record.log.contains(reason))
    #expect(record.log.contains(hint))
    #expect(record.jobs.first?.metrics.isEmpty == true)
  }

  /// A second attempt must not see what the first one read.
  @Test(.timeLimit(.minutes(1))) func attemptsDoNotMix() async throws {
    let tree = try RecordedTree(["/proc/stat": "cpu 0 0 0 0 0 0 0 0\n"])
    var bench = InstrumentBench(LocalConnection(root: tree.root))
    bench.argv = nil
    bench.retries = 1
    bench.during = { job in
      try tree.write([
        "/proc/stat": "cpu \(job.attempt)00 0 0 \(job.attempt == 1 ? 0 : 300) 0 0 0 0\n"
      ])
      if job.attempt == 1 { throw PlainFailure(.workload, "not yet") }
    }
    let record = try await bench.run([CPULoad.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(job.attempt.number == 2)
    #expect(try job.value("cpu_busy") == 25)
  }
}
