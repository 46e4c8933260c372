import Foundation
import Glibc
import KelvinModel
import Testing

// What a meter at a board's supply tells: that it browns out, and that it is discharged.
extension RecoveryTests {
  /// Of the guest's battery, in mV.
  private func battery(_ millivolts: Int) throws {
    let done = try VirtualGuest.script(["live", board.name, "battery-mV=\(millivolts)"])
    try #require(done.code == 0, "\(done)")
  }

  /// The bench with meters beside the board.
  private func text(_ board: [String], meter: String) throws -> String {
    try text(console, power, board.joined(separator: "\n    ")) + "meters: {\(meter)}\n"
  }

  /// The kernel's gauge reads what the virtual board's supply gives.
  @Test func aBrownOutEndsTheAttemptAndIsNotTheBoardsFault() throws {
    try battery(11_400)
    let text = try text(
      ["meters: [gauge]", "supply: {brown_out: 9.5 V}"],
      meter: "gauge: {driver: power_supply, supply: BAT0}")
    let path = try write(
      """
      config: {augmentations: [execution_time], max_retries: 1, runtime_params: {governor: powersave}}
      workloads:
        - name: command
          params: {argv: [sh, -c, 'if [ -e /run/been ]; then echo again; else : > /run/been; sleep 300; fi']}
      """, "brown")
    let process = try bench.start(
      ["run", path, "--board", "rock", "-d", "\(folder)/brown"], bench: text)
    try VirtualGuest.wait("the job runs") { board.answers("[ -e /run/been ]") }
    try battery(9_100)
    try VirtualGuest.wait("the attempt is over") {
      try query("brown", "SELECT verdict FROM attempts WHERE verdict NOT NULL") != []
    }
    try battery(11_400)
    process.waitUntilExit()
    let attempts = try query("brown", "SELECT number, verdict, reason FROM attempts")
    #expect(attempts.count == 2, "\(attempts)")
    #expect(
      attempts.first
        == "1|failed: infrastructure|rock: its supply browns out: 9.100 V, and it needs 9.500 V "
        + "(meter 'gauge', channel 'voltage_now')",
      "\(attempts)")
    let events = try query("brown", "SELECT message FROM events WHERE source = 'recovery'")
    #expect(
      events.contains { $0.contains("(meter 'gauge', channel 'voltage_now')") }, "\(events)")
    #expect(
      events.contains { $0.contains("were below 9.500 V, the lowest 9.100 V") }, "\(events)")
    // It was not lost: nothing is booted, and what the workload left running is gone.
    #expect(try board.run("cat /run/been && pidof sleep || true") == "")
  }

  /// Prints what a meter would see at the board's supply: 5 V while its machine runs, and then what its
  /// capacitors hold; notes when it was off.
  private func capacitors(tau: Double) throws -> String {
    let path = "\(folder)/capacitors-\(tau).py"
    try """
    import json, math, os, socket, sys, time
    os.chdir(sys.argv[1])
    link = socket.socket(socket.AF_UNIX)
    link.connect("plant.sock")
    stream = link.makefile("rw")
    stream.readline()
    def ask(command):
        stream.write(json.dumps({"execute": command}) + "\\n")
        stream.flush()
        while "return" not in (answer := json.loads(stream.readline())): pass
        return answer["return"]
    ask("qmp_capabilities")
    off = None
    while True:
        runs = ask("query-status")["running"]
        now = time.monotonic()
        if runs: off = None
        elif off is None: off = now
        volts = 5 if runs else 5 * math.exp((off - now) / \(tau))
        # Before it is told, since whoever hears it may end this.
        if off: open(sys.argv[2], "w").write(f"{now - off:.3f} {volts:.4f}")
        print(f"{volts:.4f}", flush=True)
        time.sleep(0.02)
    """.write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private func cycled(_ name: String, tau: Double, _ supply: String) throws -> VirtualGuest.Done {
    let program = try capacitors(tau: tau)
    return try run(
      """
      config: {augmentations: [execution_time], reboot_policy: initial, max_retries: 0}
      workloads: [{name: command, params: {argv: ['true']}}]
      """, name,
      try text(
        [
          "boot: {off: 0.1 s, timeout: 2 min}", "recovery: [power_cycle]", "meters: [rail]",
          "supply: {off_voltage: 0.5 V, \(supply)}"
        ],
        meter: "rail: {driver: command, argv: [python3, \(program), \(board.folder), "
          + "\(folder)/\(name).off], columns: [out], channels: {out: V}, delay: 0.1 s}"))
  }

  @Test func powerStaysOffUntilTheBoardIsDischarged() throws {
    let before = try board.run("cat /proc/sys/kernel/random/boot_id")
    let done = try cycled("discharged", tau: 0.5, "off_timeout: 30 s")
    #expect(done.code == 0, "\(done)")
    #expect(try board.run("cat /proc/sys/kernel/random/boot_id") != before)
    // 5 V fall to 0.5 V in 0.5 s times ln 10.
    let seen = try String(contentsOfFile: "\(folder)/discharged.off", encoding: .utf8)
      .split(separator: " ").compactMap { Double($0) }
    #expect(seen.count == 2 && seen[0] >= 1.15 && seen[0] < 20 && seen[1] <= 0.5, "\(seen)")
  }

  /// Also tried without a board (`BoardSupplyTests`, `PowerControlTests`).
  @Test(.enabled(if: getenv("KELVIN_LONG_TESTS") != nil, "KELVIN_LONG_TESTS is not set"))
  func aBoardThatStaysChargedIsToldAndSwitchedOnAgain() throws {
    let done = try cycled("charged", tau: 1000, "off_timeout: 1 s")
    #expect(done.code == 3 || done.code == 1, "\(done)")
    let reasons = try query("charged", "SELECT reason FROM jobs")
    #expect(
      reasons.first?.contains(
        "still not discharged after 1 s, says 'rail': out reads 4.9") == true, "\(reasons)")
    try VirtualGuest.wait("it is on") { board.answers() }
  }

  // MARK: A panic loop

  /// A board that panics in each boot: known by its console, and taken out with what it said.
  @Test(.enabled(if: getenv("KELVIN_LONG_TESTS") != nil, "KELVIN_LONG_TESTS is not set"))
  func aPanicLoopIsKnownAndEndsInQuarantine() throws {
    let hook = "\(board.folder)/share/boot"
    defer { unlink(hook) }
    let path = try write(
      """
      config: {augmentations: [execution_time], max_retries: 2}
      workloads:
        - {name: command, params: {argv: [sh, -c, 'echo c > /proc/sysrq-trigger; sleep 300']}}
        - {name: command, params: {argv: ['true']}}
      """, "loop")
    try "echo c > /proc/sysrq-trigger\n".write(toFile: hook, atomically: true, encoding: .utf8)
    let text = try text(
      console, power, "boot: {timeout: 2 min, off: 0.2 s}",
      "recovery: [{reconnect: {timeout: 2 s}}, {power_cycle: {count: 1}}]")
    let begin = MonotonicTime.now
    let done = try bench.kelvin(
      ["run", path, "--board", "rock", "-d", "\(folder)/loop"], bench: text)
    print("a panic loop: quarantined after \((MonotonicTime.now - begin) / 1_000_000) ms")
    #expect(done.code == 3 || done.code == 1, "\(done)")
    unlink(hook)
    let attempts = try query("loop", "SELECT job, number, verdict, reason FROM attempts")
    #expect(attempts.count == 1, "\(attempts)")
    #expect(attempts.first?.hasPrefix("0|1|failed: target|rock") == true, "\(attempts)")
    #expect(
      attempts.first?.contains("boots in a loop: its console said 'Kernel panic - not syncing")
        == true,
      "\(attempts)")
    #expect(attempts.first?.contains("' 3 times") == true, "\(attempts)")
    #expect(
      try query("loop", "SELECT verdict FROM jobs ORDER BY position")
        == ["failed: target", "skipped"])
    // The first panic's report is kept with the attempt.
    let report = try VirtualGuest.program(
      "/bin/sh", ["-c", "cat \(folder)/loop/jobs/0001-*/attempt-1/kernel-report.txt"])
    #expect(
      report.output.contains("Kernel panic - not syncing: sysrq triggered crash"), "\(report)")
    #expect(done.error.contains("it is quarantined"), "\(done)")
    let health = try bench.kelvin(["bench", "health", "rock"], bench: text)
    #expect(
      health.output.contains("quarantined") && health.output.contains("boots in a loop"),
      "\(health)")
    // Without the hook its next boot is a good one.
    try VirtualGuest.wait("it is up") { board.answers() }
    let enabled = try bench.kelvin(["bench", "enable", "rock"], bench: text)
    #expect(enabled.code == 0, "\(enabled)")
  }
}
