import Foundation
import Glibc
import KelvinModel
import Testing

/// `kelvin target` and `kelvin run` on a real board of the virtual bench, by ssh.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct TargetTests {
  let bench: KelvinBench
  let board: VirtualGuest
  let text: String

  init() throws {
    board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
    let configuration = try String(contentsOfFile: board.folder + "/ssh_config", encoding: .utf8)
    let words = configuration.split(whereSeparator: \.isWhitespace)
    let port = try #require(words.firstIndex(of: "Port").map { words[$0 + 1] })
    text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(port), config: \(board.folder)/ssh_config}
          console: {socket: \(board.folder)/console.sock}
          power: {qmp: \(board.folder)/qmp.sock}
      """
  }

  private func target(_ arguments: String...) throws -> VirtualGuest.Done {
    try bench.kelvin(["target"] + arguments, bench: text)
  }

  @Test func runsCommandsAsIfTheyRanHere() throws {
    let done = try target("exec", "rock", "--", "sh", "-c", "hostname; echo e >&2; exit 7")
    #expect(done.code == 7 && done.output == board.name + "\n" && done.error == "e\n", "\(done)")
    let missing = try target("exec", "rock", "--", "no-such-command")
    #expect(missing.code == 127, "\(missing)")
  }

  /// Nothing of it is left on the board.
  @Test func endsTheTreeOfACommandWhoseTimeIsOver() throws {
    let done = try target(
      "exec", "rock", "--timeout", "2 s", "--", "sh", "-c", "echo begun; sleep 4567 & sleep 4567")
    #expect(done.code == 124 && done.output == "begun\n", "\(done)")
    #expect(try board.run("ps | grep '[s]leep 4567' | wc -l") == "0")
  }

  @Test func tellsWhatTheBoardIs() throws {
    let done = try bench.kelvin(["target", "info", "rock", "--format", "json"], bench: text)
    let map = try #require(Value(json: done.output)?.map, "\(done)")
    #expect(map["boot id"]?.text == (try board.run("cat /proc/sys/kernel/random/boot_id")))
  }

  @Test func copiesTreesThereAndBack() throws {
    let folder = NSTemporaryDirectory() + "kelvin-target-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let made = try VirtualGuest.program(
      "/bin/sh",
      [
        "-c",
        "mkdir -p \(folder)/a/b && head -c 700000 /dev/urandom > \(folder)/a/b/c && : > \(folder)/a/d"
      ])
    try #require(made.code == 0, "\(made)")
    let pushed = try target("push", "rock", folder + "/a", "/tmp/copy")
    #expect(pushed.code == 0 && pushed.output.hasPrefix("2 files, "), "\(pushed)")
    let pulled = try target("pull", "rock", "/tmp/copy", folder + "/back")
    #expect(pulled.code == 0, "\(pulled)")
    let same = try VirtualGuest.program("/usr/bin/diff", ["-r", folder + "/a", folder + "/back"])
    #expect(same.code == 0, "\(same)")
    try board.run("rm -r /tmp/copy")
  }

  @Test func provesTheConnectionByACommand() throws {
    let done = try bench.kelvin(["bench", "check"], bench: text)
    #expect(done.code == 0, "\(done)")
    #expect(done.output.contains("connection: commands run (ssh 127.0.0.1:"), "\(done)")
  }

  @Test func rebootsAndWaitsUntilTheBoardIsBack() throws {
    let before = try board.run("cat /proc/sys/kernel/random/boot_id")
    let done = try target("reboot", "rock")
    #expect(done.code == 0 && done.output.hasPrefix("rock: back after "), "\(done)")
    #expect(try board.run("cat /proc/sys/kernel/random/boot_id") != before)
  }

  /// Pulls the cord in mid-command: the power, which answers nothing any more.
  @Test func neverTakesALostBoardForAResult() throws {
    let record = NSTemporaryDirectory() + "kelvin-status-\(getpid()).json"
    defer { unlink(record) }
    let done = try bench.kelvin(
      [
        "target", "exec", "rock", "--timeout", "90 s", "--status-file", record, "--", "sh", "-c",
        "echo begun; echo b > /proc/sysrq-trigger; sleep 60; echo never"
      ], bench: text)
    #expect(done.code == 126, "\(done)")
    #expect(!done.output.contains("never"))
    let status = Value(json: try String(contentsOfFile: record, encoding: .utf8))?.map
    #expect(status?["outcome"]?.text == "connection-lost")
    try VirtualGuest.wait("the board is back") {
      board.answers()
    }
  }

  @Test func aResumeEndsWhatAKilledRunLeftOnTheBoard() throws {
    let directory = NSTemporaryDirectory() + "kelvin-killed-\(getpid())"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    // The first attempt hangs, the next one, after a resume, does not.
    let agenda = directory + "/a.yaml"
    try """
    workloads:
      - name: command
        params: {argv: [sh, -c, 'mkdir /tmp/once-\(getpid()) 2>/dev/null || exit 0; sleep 3456']}
    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    let run = directory + "/run"
    let process = try bench.start(["run", agenda, "--board", "rock", "-d", run, "-q"], bench: text)
    try VirtualGuest.wait("the command runs on the board") {
      try board.run("ps | grep '[s]leep 3456' | wc -l") != "0"
    }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let resumed = try bench.kelvin(["resume", run], bench: text)
    #expect(resumed.code == 0, "\(resumed)")
    #expect(try board.run("ps | grep '[s]leep 3456' | wc -l") == "0")
    let log = try bench.kelvin(["show", run], bench: nil)
    #expect(log.code == 0, "\(log)")
    try board.run("rmdir /tmp/once-*")
  }

  @Test func carriesOutTheExampleOnABoard() throws {
    let directory = NSTemporaryDirectory() + "kelvin-run-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let done = try bench.kelvin(
      [
        "run", VirtualGuest.root + "/examples/virtual-board.yaml", "--board", "rock", "-d",
        directory
      ],
      bench: text)
    #expect(done.code == 0, "\(done)")
    #expect(done.output.contains("jobs 6: 6 ok"), "\(done)")
    let results = try String(contentsOfFile: directory + "/results.csv", encoding: .utf8)
    #expect(results.contains(",rate,"), "\(results)")
    // Nothing stays on the board.
    #expect(try board.run("ls -d /tmp/kelvin-* 2>/dev/null | wc -l") == "0")
  }
}
