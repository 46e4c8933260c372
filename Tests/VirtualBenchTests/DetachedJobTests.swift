import Foundation
import Glibc
import KelvinModel
import Testing

/// Jobs that run while their link is away, on a real kernel with a real network and a real sleep.
@Suite(.serialized, .needsGuests, .guest("arm"), .timeLimit(.minutes(10)))
struct DetachedJobTests {
  let bench: KelvinBench
  let board: VirtualGuest
  let folder: String

  init() throws {
    bench = try KelvinBench()
    board = try #require(VirtualGuest.current)
    folder = NSTemporaryDirectory() + "kelvin-detached-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    setenv("BOARD_PASSWORD", "kelvin", 1)
  }

  /// A bench file with the guest as `arm`.
  private func benchText(_ link: String = "", overConsole: Bool = false) throws -> String {
    let connection =
      overConsole
      ? "socket: {path: \(board.console), login: root, password-from: 'env:BOARD_PASSWORD'}"
      : "ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), "
        + "config: \(board.folder)/ssh_config}"
    return """
      boards:
        arm:
          profile: virtual-arm
          connection: {\(connection)}
      \(link.isEmpty ? "" : "    link: \(link)")

      """
  }

  private func run(
    _ agenda: String, _ name: String, _ link: String = "", overConsole: Bool = false
  ) throws -> VirtualGuest.Done {
    try agenda.write(toFile: "\(folder)/\(name).yaml", atomically: true, encoding: .utf8)
    return try bench.kelvin(
      ["run", "\(folder)/\(name).yaml", "--board", "arm", "-d", "\(folder)/\(name)"],
      bench: try benchText(link, overConsole: overConsole))
  }

  private func output(of name: String) throws -> String {
    try VirtualGuest.program("/bin/sh", ["-c", "cat \(folder)/\(name)/jobs/*/*/stdout"]).output
  }

  private func results(of name: String) throws -> String {
    try String(contentsOfFile: "\(folder)/\(name)/results.csv", encoding: .utf8)
  }

  private func expectNothingLeft() throws {
    #expect(try board.run("ls -d /tmp/kelvin-* 2>/dev/null | wc -l") == "0")
    #expect(
      try board.run("grep -l KELVIN_DETACHED /proc/[0-9]*/environ 2>/dev/null | wc -l") == "0")
  }

  private func agenda(watching file: String, link: String, seconds: Int = 4) -> String {
    """
    config: {max_retries: 0}
    workloads:
      - name: command
        link: \(link)
        params:
          argv:
            - sh
            - -c
            - 'i=0; while [ $i -lt \(2 * seconds) ]; do cat /sys/class/net/eth0/\(file)
              2>/dev/null || echo none; i=$((i+1)); sleep 0.5; done'
    """
  }

  @Test func theBoardTakesItsInterfaceDownAndUpAgain() throws {
    let routes = try board.run("ip route")
    let done = try run(agenda(watching: "operstate", link: "detached"), "interface")
    #expect(done.code == 0, "\(done)")
    let states = Set(try output(of: "interface").split(separator: "\n"))
    #expect(states == ["down"], "\(states)")
    #expect(try results(of: "interface").contains(",execution_time,"))
    #expect(try board.run("ip route") == routes)
    try expectNothingLeft()
  }

  /// A switch of the guest's network card.
  private func cable() throws -> String {
    // The guest's network card is unplugged by QEMU, as a hub would cut a cable's power.
    let script = "\(folder)/link.sh"
    try """
    #!/bin/sh
    case $1 in state) cat \(folder)/link; exit;; esac
    [ $1 = on ] && up=true || up=false
    (printf '{"execute":"qmp_capabilities"}\\n{"execute":"set_link","arguments":'
    printf '{"name":"net","up":%s}}\\n' $up; sleep 0.3) |
      socat -t1 - UNIX-CONNECT:\(board.folder)/qmp.sock | grep -q return && echo $1 >\(folder)/link
    """.write(toFile: script, atomically: true, encoding: .utf8)
    return
      "{command: {on: [sh, \(script), 'on'], off: [sh, \(script), 'off'], state: [sh, \(script), state]}}"
  }

  private var cableState: String {
    let text = try? String(contentsOfFile: folder + "/link", encoding: .utf8)
    return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
  }

  @Test func aSwitchTakesTheLinkAway() throws {
    let link = try cable()
    let refused = try run(agenda(watching: "carrier", link: "detached"), "unknown", link)
    #expect(refused.code == 2 && refused.error.contains("seconds: 90"), "\(refused)")
    let done = try run(
      agenda(watching: "carrier", link: "{state: detached, seconds: 8, settle: 3}"), "switch", link)
    #expect(done.code == 0, "\(done)")
    let states = Set(try output(of: "switch").split(separator: "\n"))
    #expect(states == ["0"], "\(states)")
    try expectNothingLeft()
    // Back too early: the result is kept, and the job says what it is worth.
    let early = try run(
      agenda(watching: "carrier", link: "{state: detached, seconds: 2}", seconds: 5), "early", link)
    #expect(early.code == 1, "\(early)")
    #expect(early.output.contains("partial"), "\(early)")
    try expectNothingLeft()
  }

  @Test func aDeadKelvinsLinkIsSwitchedOnByTheNext() throws {
    let link = try cable()
    let text = agenda(watching: "carrier", link: "{state: detached, seconds: 6}", seconds: 2)
    try text.write(toFile: "\(folder)/dead.yaml", atomically: true, encoding: .utf8)
    let process = try bench.start(
      ["run", "\(folder)/dead.yaml", "--board", "arm", "-d", "\(folder)/dead"],
      bench: try benchText(link))
    try VirtualGuest.wait("the link is off") { cableState == "off" }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let resumed = try bench.kelvin(["resume", "\(folder)/dead"], bench: try benchText(link))
    #expect(resumed.code == 0, "\(resumed)")
    #expect(cableState == "on")
    try expectNothingLeft()
  }

  @Test(arguments: [false, true])
  func aBoardThatSleepsIsMeasuredThroughIt(overConsole: Bool) throws {
    let name = overConsole ? "sleep-console" : "sleep-ssh"
    // What it tells the plant goes over 9p, and a process that waits for that does not freeze.
    try board.run("for p in $(pidof vb-report); do kill $p; done")
    let done = try run(
      """
      config: {max_retries: 0}
      workloads:
        - name: suspend
          params: {duration: 4 s, mode: s2idle, cycles: 2, pause: 1 s}
      """, name, overConsole: overConsole)
    #expect(done.code == 0, "\(done)")
    let results = try results(of: name)
    #expect(results.contains(",suspend_cycles,2"), "\(results)")
    #expect(try board.run("cat /sys/power/suspend_stats/fail") == "0")
    if !overConsole { try expectNothingLeft() }
  }

  @Test func aModeThatTheBoardLacksIsToldByTheBoard() throws {
    let done = try run(
      "config: {max_retries: 0}\nworkloads: [{name: suspend, params: {mode: deep, duration: 1 s}}]",
      "deep", "quiet")
    #expect(done.code == 1 && done.error.contains("this board offers"), "\(done)")
    try expectNothingLeft()
  }

  @Test func anInterruptedJobEndsByItselfAndTheRunGoesOn() throws {
    let text = """
      config: {run_timeout: 20 s, max_retries: 0}
      workloads:
        - {name: command, link: detached, params: {argv: [sh, -c, 'echo it runs >/dev/console; exec sleep 500']}}
      """
    try text.write(toFile: "\(folder)/stop.yaml", atomically: true, encoding: .utf8)
    let routes = try board.run("ip route")
    let process = try bench.start(
      ["run", "\(folder)/stop.yaml", "--board", "arm", "-d", "\(folder)/stop"],
      bench: try benchText())
    defer { process.terminate() }
    try VirtualGuest.wait("the workload runs") {
      board.consoleLog().contains("it runs")
    }
    kill(process.processIdentifier, SIGINT)
    try VirtualGuest.wait("kelvin ends") { !process.isRunning }
    #expect(process.terminationStatus == 130)
    let log = try String(contentsOfFile: "\(folder)/stop/run.log", encoding: .utf8)
    #expect(log.contains("comes back"), "\(log)")
    // The board brings its interface back without being told.
    try VirtualGuest.wait("the board is back") {
      // Until then nobody answers, and ssh waits.
      try VirtualGuest.program(
        "/usr/bin/timeout",
        [
          "5", VirtualGuest.root + "/scripts/virtual-bench", "ssh", board.name, "--",
          "ls /tmp/kelvin-*/detached-*/over"
        ]
      ).code == 0
    }
    #expect(try board.run("ip route") == routes)
    // A resume ends what is left, and tries the job again: its time is too short.
    let resumed = try bench.kelvin(["resume", "\(folder)/stop"], bench: try benchText())
    #expect(resumed.code == 1 && resumed.output.contains("timed out"), "\(resumed)")
    try expectNothingLeft()
  }
}
