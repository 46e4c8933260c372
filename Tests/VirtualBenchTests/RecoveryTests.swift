import Foundation
import Glibc
import KelvinModel
import Testing

/// Boards that reboot, panic, hang or drop off, on real kernels: each job ends with a verdict that says
/// so, the board comes back, and the run goes on.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(10)))
struct RecoveryTests {
  let bench: KelvinBench
  let board: VirtualGuest
  let folder: String

  init() throws {
    bench = try KelvinBench()
    board = try #require(VirtualGuest.current)
    folder = NSTemporaryDirectory() + "kelvin-recovery-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  /// A bench file with the guest as `rock`.
  func text(_ more: String...) throws -> String {
    """
    boards:
      rock:
        profile: virtual-x86
        connection:
          ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
    \(more.map { "    " + $0 }.joined(separator: "\n"))

    """
  }

  var console: String { "console: {socket: \(board.folder)/console.sock}" }
  var power: String { "power: {qmp: \(board.folder)/qmp.sock}" }

  func write(_ agenda: String, _ name: String) throws -> String {
    let path = "\(folder)/\(name).yaml"
    try agenda.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  func run(_ agenda: String, _ name: String, _ bench: String) throws -> VirtualGuest.Done {
    try self.bench.kelvin(
      ["run", try write(agenda, name), "--board", "rock", "-d", "\(folder)/\(name)"], bench: bench)
  }

  private func outputs(of run: String) throws -> [String] {
    try VirtualGuest.program("/bin/sh", ["-c", "cat \(folder)/\(run)/jobs/*/*/stdout"]).output
      .split(separator: "\n").map(String.init)
  }

  func query(_ run: String, _ sql: String) throws -> [String] {
    try VirtualGuest.program("/usr/bin/sqlite3", ["\(folder)/\(run)/run.db", sql]).output
      .split(separator: "\n").map(String.init)
  }

  private static let governor = "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"

  @Test(arguments: [
    ("each_job", 4), ("each_spec", 2), ("initial", 1), ("never", 0),
    ("as_needed", 0)
  ])
  func rebootsWhenThePolicySaysSo(policy: String, boots: Int) throws {
    let before = try board.run("cat /proc/sys/kernel/random/boot_id")
    let show =
      "params: {argv: [sh, -c, 'cat /proc/sys/kernel/random/boot_id \(Self.governor)']}"
    let done = try run(
      """
      config:
        augmentations: [execution_time]
        reboot_policy: \(policy)
        execution_order: by_workload
        iterations: 2
        runtime_params: {governor: powersave}
      workloads:
        - {name: command, \(show)}
        - {name: command, \(show)}
      """, policy, try text())
    #expect(done.code == 0, "\(done)")
    let lines = try outputs(of: policy)
    let ids = stride(from: 0, to: lines.count, by: 2).map { lines[$0] }
    #expect(ids.count == 4)
    #expect(Set(ids).union([before]).count == boots + 1, "\(ids)")
    // What a boot undid was applied again.
    #expect(Set(stride(from: 1, to: lines.count, by: 2).map { lines[$0] }) == ["powersave"])
  }

  @Test func rebootsAtTheEndOfARun() throws {
    let before = try board.run("cat /proc/sys/kernel/random/boot_id")
    let done = try run(
      "config: {reboot_policy: run_completion}\nworkloads: [{name: command, params: {argv: ['true']}}]",
      "completion", try text())
    #expect(done.code == 0, "\(done)")
    #expect(try board.run("cat /proc/sys/kernel/random/boot_id") != before)
  }

  /// A board that goes down under a job gives it no verdict of its own, and the next job has a board.
  /// `slow` is silent for longer than a link is waited for, and takes KELVIN_LONG_TESTS.
  @Test(
    arguments: [
      ("panic", "echo c > /proc/sysrq-trigger; sleep 100"), ("reboot", "reboot -f; sleep 100"),
      ("slow", "echo 35 > /proc/sys/kernel/panic; echo c > /proc/sysrq-trigger; sleep 100")
    ].filter { getenv("KELVIN_LONG_TESTS") != nil || $0.0 != "slow" })
  func aRebootThatNobodyAskedForFailsTheJob(name: String, command: String) throws {
    let done = try run(
      """
      config: {augmentations: [execution_time], max_retries: 0, runtime_params: {governor: powersave}}
      workloads:
        - {name: command, params: {argv: [sh, -c, '\(command)']}}
        - {name: command, params: {argv: [cat, \(Self.governor)]}}
      """, name, try text())
    #expect(done.code == 1, "\(done)")
    let verdicts = try query(name, "SELECT verdict || ': ' || reason FROM jobs ORDER BY position")
    // On a busy machine the boot takes longer than a board may be silent.
    #expect(
      verdicts.first?.hasPrefix("failed: target: rock rebooted while the job ran") == true
        || verdicts.first?.hasPrefix("failed: target: rock: hangs: nothing of it answers") == true,
      "\(verdicts)")
    #expect(verdicts.last == "ok: ", "\(verdicts)")
    #expect(try outputs(of: name) == ["powersave"])
    #expect(try board.run("cat \(Self.governor)") == "schedutil")
  }

  /// Nothing but its switch brings a frozen board back.
  @Test func aFrozenBoardIsPowerCycled() throws {
    let path = try write(
      """
      config: {augmentations: [execution_time], max_retries: 0, runtime_params: {governor: powersave}}
      workloads:
        - name: command
          params: {argv: [sleep, '300']}
        - {name: command, params: {argv: [cat, \(Self.governor)]}}
      """, "frozen")
    let text = try text(console, power, "boot: {timeout: 60 s, off: 0.5 s}")
    let process = try bench.start(
      ["run", path, "--board", "rock", "-d", "\(folder)/frozen"], bench: text)
    try VirtualGuest.wait("the job runs") {
      try board.run("pidof sleep || true") != ""
    }
    try GuestMonitor(board).execute("stop")
    process.waitUntilExit()
    #expect(process.terminationStatus == 1 || process.terminationStatus == 0)
    let events = try query("frozen", "SELECT message FROM events WHERE source = 'recovery'")
    #expect(events.contains { $0.contains("power_cycle: the board is back after") }, "\(events)")
    let attempts = try query("frozen", "SELECT job, number, verdict, reason FROM attempts")
    #expect(attempts.first?.hasPrefix("0|1|failed: target|rock: hangs") == true, "\(attempts)")
    // Its console is a unix socket, which has no break.
    #expect(events.contains { $0.contains("sysrq: ") }, "\(events)")
    #expect(attempts.last?.hasPrefix("1|1|ok") == true, "\(attempts)")
    // And it is in the board's history, rung by rung.
    let health = try bench.kelvin(["bench", "health", "rock", "--format", "json"], bench: text)
    let history = Value(json: health.output)?.list?.first?.map?["history"]?.map
    #expect(history?["recoveries"]?.map?["power_cycle"]?.map?["count"]?.integer == 1, "\(health)")
    let recovery = history?["last_recoveries"]?.list?.first?.map
    #expect(recovery?["finding"]?.text?.hasPrefix("rock: hangs") == true, "\(health)")
    let rungs = recovery?["steps"]?.list?.compactMap { $0.map?["rung"]?.text }
    #expect(rungs?.first == "sysrq", "\(health)")
    #expect(rungs?.last == "power_cycle", "\(health)")
  }

  /// Without anything that could bring it back, the board is taken out, and the run goes on with the other
  /// one that was named.
  @Test func aBoardThatNothingBringsBackIsQuarantined() throws {
    let path = try write(
      """
      config: {augmentations: [execution_time]}
      workloads:
        - {name: command, params: {argv: [sh, -c, 'if [ -e /bin/vb-work ]; then sleep 300; fi']}}
        - {name: command, params: {argv: ['true']}}
      """, "lost")
    let text = try text("boot: {timeout: 5 s}")
    let process = try bench.start(
      ["run", path, "--board", "rock", "--board", "local-shell", "-d", "\(folder)/lost"],
      bench: text)
    try VirtualGuest.wait("the job runs") {
      try board.run("pidof sleep || true") != ""
    }
    try GuestMonitor(board).execute("stop")
    process.waitUntilExit()
    try GuestMonitor(board).execute("cont")
    #expect(process.terminationStatus == 0)
    let attempts = try query(
      "lost",
      """
      SELECT job, number, json_extract(f.content, '$.board'), a.verdict, reason
      FROM attempts a JOIN fingerprints f ON a.fingerprint = f.id ORDER BY a.id
      """)
    #expect(attempts.count == 3, "\(attempts)")
    #expect(attempts.first?.hasPrefix("0|1|rock|failed: target|rock: hangs") == true)
    #expect(attempts.first?.contains("and nothing brings it back") == true, "\(attempts)")
    #expect(attempts.dropFirst().map(\.self) == ["0|2|local-shell|ok|", "1|1|local-shell|ok|"])
    #expect(try query("lost", "SELECT verdict FROM jobs") == ["ok", "ok"])
    #expect(try query("lost", "SELECT verdict, board FROM run") == ["ok|local-shell"])
    let refused = try bench.kelvin(["target", "info", "rock"], bench: text)
    #expect(refused.code == 0 || refused.error.contains("quarantined"), "\(refused)")
    let run = try bench.kelvin(["run", path, "--board", "rock", "-d", "\(folder)/no"], bench: text)
    #expect(run.code != 0 && run.error.contains("quarantined"), "\(run)")
    let enabled = try bench.kelvin(["bench", "enable", "rock"], bench: text)
    #expect(enabled.code == 0, "\(enabled)")
  }

  /// A boot is a job of its own: how long until the login prompt, until the system is up.
  @Test(arguments: [("reboot", "reboot"), ("auto", "power_cycle")])
  func bootsAreTimed(by: String, rung: String) throws {
    let name = "boot-\(by)"
    let done = try run(
      """
      config: {augmentations: [execution_time], max_retries: 0}
      workloads:
        - {name: boot, params: {by: \(by), marker: 'login: ?$', phases: {never: 'no such line'}}}
        - {name: command, params: {argv: ['true']}}
      """, name, try text(console, power, "boot: {off: 0.3 s}"))
    #expect(done.code == 0, "\(done)")
    let metrics = try query(
      name,
      "SELECT metric || ' ' || value FROM results WHERE source = 'boot' AND classifiers LIKE "
        + "'%\(rung)%' OR metric = 'console_marker' ORDER BY metric")
    let values = metrics.compactMap { line in line.split(separator: " ").last.flatMap { Double($0) }
    }
    #expect(values.count == 2, "\(metrics)")
    #expect(values.allSatisfy { $0 > 0.3 && $0 < 120 }, "\(metrics)")
    #expect(
      try query(name, "SELECT message FROM events WHERE source = 'boot'").contains {
        $0.contains("phase 'never' did not show")
      })
    // It was asked for, and is no failure of the board.
    #expect(!done.error.contains("rebooted while the job ran"), "\(done)")
  }

  @Test func aBootThatTheBenchCannotDoIsRefused() throws {
    let done = try run(
      "workloads: [{name: boot, params: {by: reset}}]", "no-reset", try text())
    #expect(done.code == 3 && done.error.contains("rock has no reset line"), "\(done)")
  }
}

/// A board that no program and no network answers on, whose kernel still hears its console: QEMU's telnet
/// server passes breaks on, as serial ports do.
@Suite(.serialized, .needsGuests, .guest("x86-b"), .timeLimit(.minutes(5)))
struct SysRqTests {
  @Test func aKernelThatStillHearsIsToldToBoot() throws {
    let bench = try KelvinBench()
    let board = try #require(VirtualGuest.current)
    let folder =
      NSTemporaryDirectory() + "kelvin-sysrq-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let address = board.console.split(separator: ":")
    try #require(address.count == 3 && address[0] == "telnet", "\(board.console)")
    let text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
          console: {telnet: {host: \(address[1]), port: \(address[2])}}

      """
    try """
    config: {augmentations: [execution_time], max_retries: 0}
    workloads:
      - {name: command, params: {argv: [sh, -c, 'ip link set eth0 down; sleep 300']}}
      - {name: command, params: {argv: ['true']}}
    """.write(toFile: "\(folder)/a.yaml", atomically: true, encoding: .utf8)
    let done = try bench.kelvin(
      ["run", "\(folder)/a.yaml", "--board", "rock", "-d", "\(folder)/run"], bench: text)
    #expect(done.code == 1, "\(done)")
    let verdicts = try VirtualGuest.program(
      "/usr/bin/sqlite3",
      ["\(folder)/run/run.db", "SELECT verdict || ': ' || reason FROM jobs ORDER BY position"]
    ).output.split(separator: "\n")
    #expect(verdicts.count == 2)
    #expect(verdicts.first?.hasPrefix("failed: target: rock: hangs") == true, "\(verdicts)")
    #expect(verdicts.first?.contains("by sysrq") == true, "\(verdicts)")
    #expect(verdicts.last == "ok: ", "\(verdicts)")
    // What the kernel said to it stands in the run's console.log.
    let console = try String(contentsOfFile: "\(folder)/run/console.log", encoding: .utf8)
    #expect(console.contains("sysrq: Emergency Sync"), "\(console.suffix(2000))")
  }
}
