import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

private let tracing = "/sys/kernel/tracing"

/// Why nothing can be traced here; nil when it can.
private let obstacle: String? =
  access(tracing + "/instances", W_OK | R_OK) == 0
  ? (TraceCmd.isThere ? nil : "trace-cmd is not installed")
  : "needs root and tracefs: \(tracing)/instances cannot be written"

/// On this machine's own kernel, where it lets tests trace.
@Suite(
  .serialized, .timeLimit(.minutes(2)),
  .enabled(if: obstacle == nil, "\(obstacle ?? "")"))
struct FtraceTests {
  private func bench(_ way: Way, _ settings: [String: Value]) -> InstrumentBench {
    var bench = InstrumentBench(way.connection)
    // Reading them takes seconds in an unoptimized build.
    bench.settings["ftrace"] = ["symbols": false].merging(settings) { $1 }
    return bench
  }

  private func report(_ record: InstrumentBench.Record, job: Int = 0) async throws -> String {
    let artifact = try #require(record.jobs[job].artifacts.first { $0.name == "trace.dat" })
    return try await TraceCmd.report(record.directory.path + "/run/" + artifact.path)
  }

  @Test(arguments: Way.allCases)
  func recordsTheWindowAndItsMarkers(way: Way) async throws {
    var bench = bench(way, ["events": ["sched_process_exec", "sched:sched_process_exit"]])
    bench.iterations = 2
    bench.argv = [
      "sh", "-c", "echo it is job $KELVIN_JOB >\(tracing)/trace_marker; /bin/true"
    ]
    let record = try await bench.run([Ftrace.self])
    try #require(record.jobs.count == 2, "\(record.log)")
    for (index, job) in record.jobs.enumerated() {
      #expect(job.outcome == .ok, "\(job.outcome) \(record.log)")
      let text = try await report(record, job: index)
      #expect(text.contains("it is job"), "\(text)")
      #expect(
        text.contains("sched_process_exec:") && text.contains("filename=/bin/true"), "\(text)")
      #expect(text.contains("sched_process_exit:"))
      #expect(TraceCmd.records(text) == Int(try job.value("trace_events")), "\(text)")
      #expect(try job.value("trace_lost_events") == 0)
      #expect(try job.value("trace_size") > 4096)
      #expect(job.fingerprint["trace clock"] == "mono")
      #expect(job.messages(.warning) == [])
      // The clock is the host's own, too.
      let window = try #require(job.attempt.stages.run)
      let time = try #require(
        text.firstMatch(of: #/\] +(?:\S+ +)?(\d+)\.(\d{6}): sched_process_exec/#))
      let seconds = try #require(Double("\(time.1).\(time.2)"))
      #expect(seconds > Double(window.lowerBound) / 1e9 - 0.01)
      #expect(seconds < Double(window.upperBound) / 1e9 + 0.01)
    }
    #expect(try TracingInstances.ownNames() == [])
  }

  @Test(arguments: Way.allCases) func tellsWhatATinyBufferLost(way: Way) async throws {
    var bench = bench(
      way,
      [
        "events": ["raw_syscalls:sys_enter"], "filters": ["sys_enter": "comm==\"dd\""],
        "buffer_size": 8192, "symbols": true
      ])
    bench.argv = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000"]
    let record = try await bench.run([Ftrace.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let text = try await report(record)
    let lost = try job.value("trace_lost_events")
    #expect(lost > 10_000)
    #expect(text.contains("EVENTS DROPPED]"), "\(text.prefix(1000))")
    #expect(TraceCmd.records(text) == Int(try job.value("trace_events")), "\(text)")
    #expect(try job.value("trace_events") > 10)
    #expect(job.messages(.warning).contains { $0.contains("event(s) were lost") })
    #expect(try job.value("trace_size") > 1e6, "without symbols")
    let artifact = try #require(job.artifacts.first { $0.name == "trace.dat" })
    let stats = try await TraceCmd.report(
      "--stat", record.directory.path + "/run/" + artifact.path)
    let overruns = stats.matches(of: #/\n(?:commit )?overrun: (\d+)|\ndropped events: (\d+)/#)
      .compactMap { Double($0.1 ?? $0.2 ?? "") }
    #expect(overruns.reduce(0, +) == lost, "\(stats)")
    #expect(!stats.contains(#/\nentries: [1-9]/#), "\(stats)")
    // What is there is the newest.
    #expect(text.contains("dd-"), "\(text.prefix(1000))")
  }

  @Test func filtersEvents() async throws {
    var bench = bench(
      .direct,
      [
        "events": ["raw_syscalls:*"], "filters": ["sys_enter": "id==39"],
        "trace_clock": "boot", "symbols": false, "buffer_size": 4_194_304
      ])
    bench.argv = ["true"]
    let record = try await bench.run([Ftrace.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let text = try await report(record)
    #expect(text.contains("sys_exit:"))
    let entered = text.split(separator: "\n").filter { $0.contains("sys_enter:") }
    #expect(entered.allSatisfy { $0.contains("NR 39 ") }, "\(entered)")
    #expect(job.fingerprint["trace clock"] == "boot")
    #expect(job.fingerprint["trace buffer"]?.hasPrefix("4096 KiB") == true)
    #expect(try job.value("trace_size") < 4e6)
  }

  @Test(
    arguments: [
      (
        ["events": ["sched_swich"]], "events: this kernel has no event sched_swich", "sched_switch?"
      ),
      (["trace_clock": "sundial"], "no clock 'sundial'", "it has: local, "),
      (
        ["filters": ["sched_switch": "prev_pidd==1"]],
        "filters: 'prev_pidd==1' was refused", "what a filter may say"
      ),
      (
        ["events": ["sched_switch"], "filters": ["sched_wakeup": "pid==1"]],
        "filters: 'sched_wakeup' is not among the events", "list it under 'events'"
      ),
      (["functions": ["no_such_function_at_all"]], "functions: ", "")
    ] as [([String: Value], String, String)])
  func refusesWhatTheKernelDoesNotHave(
    settings: [String: Value], message: String, hint: String
  ) async throws {
    let record = try await bench(.direct, settings).run([Ftrace.self])
    #expect(
      record.log.contains("unavailable on this target: \(message)")
        || record.log.contains(message), "\(record.log)")
    #expect(record.log.contains(hint), "\(record.log)")
    #expect(try TracingInstances.ownNames() == [])
  }

  @Test func isUnavailableToOneWhoIsNotRoot() async throws {
    let shell = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh"]
    let record = try await InstrumentBench(ShellConnection(argv: shell)).run([Ftrace.self])
    #expect(
      record.log.contains(
        "/sys/kernel/tracing: may not be read by who is logged in; tracing takes root"),
      "\(record.log)")
  }

  @Test func removesItsInstanceAfterAFailedJob() async throws {
    var bench = bench(.direct, ["events": ["sched_process_exec"]])
    bench.argv = ["false"]
    let record = try await bench.run([Ftrace.self])
    let job = try #require(record.jobs.first)
    guard case .failed = job.outcome.verdict else {
      Issue.record("\(job.outcome)")
      return
    }
    // What there is, is kept all the same.
    #expect(try await report(record).contains("filename=/usr/bin/false"))
    #expect(try TracingInstances.ownNames() == [])
  }

  @Test func takesWhatThereIsOfTheUsualEvents() async throws {
    var bench = bench(.direct, [:])
    bench.argv = ["sh", "-c", "for i in 1 2 3; do /bin/true; done"]
    let record = try await bench.run([Ftrace.self])
    let job = try #require(record.jobs.first, "\(record.log)")
    #expect(job.outcome == .ok, "\(job.outcome) \(record.log)")
    let text = try await report(record)
    #expect(text.contains("sched_switch:") && text.contains("sched_process_fork:"))
    #expect(
      TraceCmd.records(text) == Int(try job.value("trace_events")), "\(text.prefix(2000))")
    #expect(job.fingerprint["trace buffer"]?.contains(" KiB for each of ") == true)
  }

  /// As on a kernel without instances: its own buffer, which is as it was afterwards.
  @Test func borrowsTheKernelsOwnBuffer() async throws {
    let connection = LocalConnection()
    let deadline = Deadline.after(seconds: 30)
    let place = TraceFileSystem(root: TargetPath(tracing), hasInstances: false)
    guard try await SavedTracing.isIdle(place, connection, until: deadline) else {
      print("somebody traces with this kernel's own buffer: not tested")
      return
    }
    let names = ["tracing_on", "trace_clock", "current_tracer", "set_event"].map(
      place.root.appending)
    func size() async throws -> Int? {
      let text = try await connection.read(
        place.root.appending("buffer_size_kb"), until: deadline)
      return KernelText(text).trimmed.split { !$0.isNumber }.last.flatMap { Int($0) }
    }
    let oldSize = try await size()
    let before = try await connection.read(names, until: deadline).map { try $0.get() }
    let wish = TraceWish(
      events: ["sched_process_exec"], functions: [], filters: ["sched*": "pid>0"], bufferKiB: 2000)
    let plan = try await TracePlan(wish, place, connection, until: deadline)
    let session = try await TraceSession(plan, place, attempt: 1, connection, until: deadline)
    #expect(!session.isInstance)
    try await session.start(connection, until: deadline)
    _ = try await output(of: ["sh", "-c", "echo mine >\(tracing)/trace_marker; true"], in: "/")
    try await session.stop(connection, until: deadline)
    let formats = try await TraceFormats(
      session, wantsSymbols: false, isBigEndian: false, system: "", connection, until: deadline)
    let directory = try TemporaryDirectory()
    let path = directory.path + "/trace.dat"
    let summary = try await TraceFetch(session: session, content: formats.content).write(
      path, connection, until: deadline)
    try await session.remove(connection, until: deadline)
    let text = try await TraceCmd.report(path)
    #expect(text.contains("mine") && text.contains("sched_process_exec:"), "\(text)")
    #expect(TraceCmd.records(text) == summary.events, "\(text)")
    #expect(try await connection.read(names, until: deadline).map { try $0.get() } == before)
    // What it announces before its first use is rounded up to pages by that.
    let (size, old) = try await (#require(size()), #require(oldSize))
    #expect((old...old + 4).contains(size))
    let filter = "events/sched/sched_process_exec/filter"
    let restored = try await connection.read(place.root.appending(filter), until: deadline)
    #expect(KernelText(restored).trimmed == "none")
  }

  /// A dead process's instance goes, that of a live one stays.
  @Test func removesWhatADeadRunLeft() async throws {
    let place = TraceFileSystem(root: "/sys/kernel/tracing", hasInstances: true)
    let own = TraceFileSystem.newInstanceName()
    let gone = try await output(of: ["sh", "-c", "echo $$"], in: "/").split(separator: "\n")[0]
    let dead = own.replacing("-\(getpid())-", with: "-\(gone)-")
    for name in [own, dead] {
      try #require(mkdir(place.instances.appending(name).string, 0o755) == 0)
    }
    defer { for name in [own, dead] { rmdir(place.instances.appending(name).string) } }
    let record = try await bench(.direct, ["events": ["sched_process_exec"]]).run([Ftrace.self])
    #expect(record.log.contains("removed what a dead run left tracing: \(dead)"), "\(record.log)")
    #expect(access(place.instances.appending(own).string, F_OK) == 0)
    #expect(access(place.instances.appending(dead).string, F_OK) != 0)
  }

  @Test func saysWhenTheInstanceWentAway() async throws {
    var bench = bench(.direct, ["events": ["sched_process_exec"]])
    bench.during = { _ in
      // As after a reboot of the board.
      _ = try await output(
        of: ["sh", "-c", "rmdir \(tracing)/instances/kelvin-*-\(getpid())-*"], in: "/")
    }
    let record = try await bench.run([Ftrace.self])
    let job = try #require(record.jobs.first)
    guard case .partial = job.outcome.verdict else {
      Issue.record("\(job.outcome)")
      return
    }
    #expect(
      job.messages(.error).contains { $0.contains("has the board rebooted") },
      "\(job.messages(.error))")
  }
}
