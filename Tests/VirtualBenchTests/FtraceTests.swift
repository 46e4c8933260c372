import Foundation
import Glibc
import KelvinModel
import Testing

/// The ftrace instrument on a real board of the virtual bench: its file is judged by trace-cmd here.
struct TracedBoard {
  let bench: KelvinBench
  let board: VirtualGuest
  let profile: String
  let folder: String

  init(profile: String) throws {
    self.profile = profile
    bench = try KelvinBench()
    board = try #require(VirtualGuest.current)
    folder = NSTemporaryDirectory() + "kelvin-ftrace-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    setenv("BOARD_PASSWORD", "kelvin", 1)
  }

  enum Way: String, CaseIterable, Sendable { case ssh, console }

  func benchText(_ way: Way) throws -> String {
    let connection =
      switch way {
      case .console:
        "socket: {path: \(board.console), login: root, password-from: 'env:BOARD_PASSWORD'}"
      case .ssh:
        "ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), "
          + "config: \(board.folder)/ssh_config}"
      }
    return """
      boards:
        rock:
          profile: \(profile)
          connection: {\(connection)}

      """
  }

  /// What a run left.
  struct Run {
    let done: VirtualGuest.Done
    let log: String
    let results: String
    /// trace-cmd's report of the first job's trace.
    let report: String

    /// Records: lines with a CPU in brackets and a time.
    var records: Int {
      report.split(separator: "\n").count { $0.contains(#/\[\d{3,}\].* \d+\.\d+: /#) }
    }

    func value(_ metric: String) throws -> Int {
      let line = try #require(
        results.split(separator: "\n").first { $0.contains(",\(metric),") }, "\(results)")
      let fields = line.split(separator: ",", omittingEmptySubsequences: false)
      let place = try #require(fields.firstIndex { $0 == metric })
      return try #require(Int(fields[place + 1]), "\(line)")
    }
  }

  func agenda(_ settings: String, _ script: String) -> String {
    """
    config:
      max_retries: 0
      augmentations: [trace-cmd]
      trace_cmd: \(settings)
    workloads:
      - name: command
        params:
          argv: [sh, -c, '\(script)']
    """
  }

  func run(_ agenda: String, _ name: String, _ way: Way = .ssh) throws -> Run {
    let path = "\(folder)/\(name)"
    try agenda.write(toFile: path + ".yaml", atomically: true, encoding: .utf8)
    let done = try bench.kelvin(
      ["run", path + ".yaml", "--board", "rock", "-d", path], bench: try benchText(way))
    func text(_ file: String) -> String {
      (try? String(contentsOfFile: path + "/" + file, encoding: .utf8)) ?? ""
    }
    let report = try VirtualGuest.program(
      "/bin/sh", ["-c", "setarch -R trace-cmd report \(path)/jobs/*/attempt-1/trace.dat 2>&1"])
    return Run(
      done: done, log: text("run.log"), results: text("results.csv"), report: report.output)
  }

  func leftovers() throws -> String {
    try board.run("ls /sys/kernel/tracing/instances | grep -c kelvin || true")
  }
}

@Suite(
  .serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(10)),
  .enabled(if: access("/usr/bin/trace-cmd", X_OK) == 0, "trace-cmd is not installed"))
struct FtraceTests {
  let traced: TracedBoard

  init() throws { traced = try TracedBoard(profile: "virtual-x86") }

  private let policy = "/sys/devices/system/cpu/cpufreq/policy1"

  @Test(arguments: TracedBoard.Way.allCases)
  func recordsFrequencyChangesAndMarkers(way: TracedBoard.Way) throws {
    let board = traced.board
    let clock = try board.run("cat /sys/kernel/tracing/trace_clock")
    let run = try traced.run(
      traced.agenda(
        "{events: [cpu_frequency, 'sched:sched_process_*'], buffer_size: 1408}",
        "echo performance >\(policy)/scaling_governor; "
          + "echo the marker of $$ >/sys/kernel/tracing/trace_marker; "
          + "echo powersave >\(policy)/scaling_governor"), way.rawValue, way)
    try board.run("echo schedutil > \(policy)/scaling_governor")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    let text = run.report
    #expect(text.contains(#/cpu_frequency: +state=2400000 cpu_id=1/#), "\(text)")
    #expect(text.contains(#/cpu_frequency: +state=800000 cpu_id=1/#), "\(text)")
    #expect(text.contains(#/print: .*the marker of \d+/#), "\(text)")
    #expect(text.contains("sched_process_exec:"), "\(text)")
    #expect(run.records == (try run.value("trace_events")), "\(text)")
    #expect(try run.value("trace_lost_events") == 0)
    // In their order in time, markers of the other buffer among the events.
    let parts = text.split(separator: "the marker of")
    #expect(parts.count == 2, "\(text)")
    #expect(parts.first?.contains("state=2400000") == true, "\(text)")
    #expect(parts.last?.contains("state=800000") == true, "\(text)")
    #expect(try traced.leftovers() == "0")
    #expect(try board.run("cat /sys/kernel/tracing/trace_clock") == clock)
    #expect(try board.run("cat /sys/kernel/tracing/tracing_on") == "1")
  }

  /// Workload Automation's events, of which a kernel has some hundred.
  @Test func recordsTheUsualEvents() throws {
    let run = try traced.run(traced.agenda("{symbols: false}", "vb-work -c 1 -u 20"), "usual")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    for event in ["sched_switch:", "sched_wakeup:", "irq_handler_entry:", "softirq_entry:"] {
      #expect(run.report.contains(event), "\(event) \(run.log)")
    }
    #expect(run.report.contains("vb-work-"))
    #expect(run.records == (try run.value("trace_events")), "\(run.log)")
  }

  @Test func tellsWhatATinyBufferLost() throws {
    let run = try traced.run(
      traced.agenda(
        "{events: [raw_syscalls], buffer_size: 8}",
        "dd if=/dev/zero of=/dev/null bs=1 count=20000"), "tiny")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    #expect(try run.value("trace_lost_events") > 10_000)
    #expect(run.report.contains("EVENTS DROPPED]"), "\(run.report)")
    #expect(run.records == (try run.value("trace_events")), "\(run.report)")
    #expect(run.log.contains("event(s) were lost"), "\(run.log)")
  }

  @Test func recordsCallsOfFunctions() throws {
    let run = try traced.run(
      traced.agenda(
        "{events: [sched_process_exec], functions: ['cpufreq_set_policy', 'store_scaling_gov*']}",
        "echo performance >\(policy)/scaling_governor"), "functions")
    try traced.board.run("echo schedutil > \(policy)/scaling_governor")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    #expect(run.report.contains(#/function: +cpufreq_set_policy/#), "\(run.report)")
    #expect(run.report.contains("store_scaling_governor"), "\(run.report)")
    #expect(run.records == (try run.value("trace_events")), "\(run.report)")
    let refused = try traced.run(
      traced.agenda("{functions: [no_such_function]}", "true"), "no-functions")
    #expect(
      refused.log.contains("the kernel has no function 'no_such_function' that can be traced"),
      "\(refused.log)")
    #expect(try traced.leftovers() == "0")
  }

  /// What somebody else traces stays as it is.
  @Test func leavesTheTraceOfOthersAlone() throws {
    let board = traced.board
    let tracing = "/sys/kernel/tracing"
    try board.run("echo >\(tracing)/trace; echo 1 >\(tracing)/events/power/cpu_frequency/enable")
    let run = try traced.run(
      traced.agenda(
        "{events: [sched_process_exec]}",
        "echo theirs >\(tracing)/trace_marker; echo performance >\(policy)/scaling_governor"),
      "others")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    #expect(run.log.contains("somebody traces with the kernel's own buffer"), "\(run.log)")
    #expect(!run.report.contains("theirs") && !run.report.contains("cpu_frequency:"))
    let theirs = try board.run("cat \(tracing)/trace")
    #expect(theirs.contains("theirs") && theirs.contains("cpu_frequency:"), "\(theirs)")
    #expect(!theirs.contains("sched_process_exec"), "\(theirs)")
    try board.run(
      "echo 0 >\(tracing)/events/power/cpu_frequency/enable; "
        + "echo schedutil > \(policy)/scaling_governor; echo >\(tracing)/trace")
  }

  @Test func mountsTracefsWhereItIsNot() throws {
    let board = traced.board
    // The console's shell or debugfs may hold it: what can be unmounted, is.
    try board.run(
      "umount /sys/kernel/debug/tracing 2>/dev/null; umount /sys/kernel/debug 2>/dev/null; "
        + "umount /sys/kernel/tracing")
    let run = try traced.run(
      traced.agenda("{events: [sched_process_exec]}", "true"), "mount")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    #expect(run.log.contains("mounted tracefs there"), "\(run.log)")
    #expect(run.report.contains("sched_process_exec:"), "\(run.report)")
  }

  @Test func theNextRunRemovesWhatAKilledOneLeft() throws {
    // The first attempt hangs, the next one, after a resume, does not.
    let agenda = traced.agenda(
      "{events: [sched_process_exec]}",
      "mkdir /tmp/once-\(getpid()) 2>/dev/null || exit 0; sleep 2345")
    let path = "\(traced.folder)/killed"
    try agenda.write(toFile: path + ".yaml", atomically: true, encoding: .utf8)
    let process = try traced.bench.start(
      ["run", path + ".yaml", "--board", "rock", "-d", path], bench: try traced.benchText(.ssh))
    try VirtualGuest.wait("the command runs on the board") {
      try traced.board.run("ps | grep '[s]leep 2345' | wc -l") != "0"
    }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(try traced.leftovers() == "1")
    let resumed = try traced.bench.kelvin(["resume", path], bench: try traced.benchText(.ssh))
    #expect(resumed.code == 0, "\(resumed)")
    let log = try String(contentsOfFile: path + "/run.log", encoding: .utf8)
    #expect(log.contains("removed what a dead run left tracing: kelvin-"), "\(log)")
    #expect(try traced.leftovers() == "0")
    try traced.board.run("rmdir /tmp/once-*")
  }

  @Test func aMisspeltEventIsAnsweredWithTheNearest() throws {
    let run = try traced.run(traced.agenda("{events: [cpu_freqency]}", "true"), "misspelt")
    #expect(
      run.log.contains("this kernel has no event cpu_freqency; did you mean cpu_frequency?"),
      "\(run.log)")
  }
}

@Suite(
  .serialized, .needsGuests, .guest("arm"), .timeLimit(.minutes(10)),
  .enabled(if: access("/usr/bin/trace-cmd", X_OK) == 0, "trace-cmd is not installed"))
struct FtraceArmTests {
  @Test func recordsFrequencyChangesAndMarkers() throws {
    let traced = try TracedBoard(profile: "virtual-arm")
    let policy = "/sys/devices/system/cpu/cpufreq/policy0"
    let run = try traced.run(
      traced.agenda(
        "{events: ['cpu_frequency', 'sched_switch', 'irq_*'], buffer_size: 1408}",
        "for g in performance powersave performance; do echo $g >\(policy)/scaling_governor; done; "
          + "echo on arm >/sys/kernel/tracing/trace_marker"), "arm")
    try traced.board.run("echo schedutil >\(policy)/scaling_governor")
    #expect(run.done.code == 0, "\(run.done)\(run.log)")
    #expect(run.report.contains(#/cpu_frequency: +state=\d+ cpu_id=0/#), "\(run.report)")
    #expect(run.report.contains("sched_switch:") && run.report.contains("irq_handler_entry:"))
    #expect(run.report.contains(#/print: .*on arm/#))
    #expect(run.records == (try run.value("trace_events")))
    #expect(try run.value("trace_lost_events") == 0)
    #expect(try traced.leftovers() == "0")
  }
}
