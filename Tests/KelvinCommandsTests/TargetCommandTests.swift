import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

/// `kelvin target` on this machine, as a user calls it.
struct TargetCommandTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func target(_ arguments: String...) async throws -> Ran {
    try await KelvinBinary.run(["target"] + arguments, in: scratch.path, seconds: 60)
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      (["true"], 0), (["sh", "-c", "exit 77"], 77), (["sh", "-c", "kill -9 $$"], 137),
      (["no-such-command"], 127), (["sh", "-c", "exit 126"], 126)
    ] as [([String], Int32)], ["local", "local-shell"])
  func exitsAsTheCommandDid(_ ending: ([String], Int32), board: String) async throws {
    let ran = try await KelvinBinary.run(
      ["target", "exec", board, "--status-file", "status.json", "--"] + ending.0, in: scratch.path)
    #expect(ran.code == ending.1, "\(ran.both)")
    let status = try #require(Value(json: try scratch.read("status.json"))?.map)
    switch ending.1 {
    case 137:
      #expect(status["outcome"]?.text == "signaled" && status["signal"]?.integer == 9)
    case 127: #expect(status["outcome"]?.text == "not-found")
    default:
      #expect(status["outcome"]?.text == "exited")
      #expect(status["status"]?.integer == Int64(ending.1))
    }
  }

  /// Bytes of all values, more of them than pipes hold, through and back.
  @Test(.timeLimit(.minutes(1)), arguments: ["local", "local-shell"])
  func passesStreamsThrough(board: String) async throws {
    let script =
      "set -e; for i in 1 2 3 4 5 6 7 8 9 10; do cat \"$0\"; done > in; "
      + "\"$0\" target exec \(board) -- sh -c 'cat; echo done >&2' < in > out 2> err; cmp in out"
    let ran = try await KelvinBinary.shell(script, in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(try scratch.read("err") == "done\n")
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["local", "local-shell"])
  func feedsACommandAsTheInputComes(board: String) async throws {
    // The second line comes only after the first was answered.
    let script =
      "mkfifo in out; \"$0\" target exec \(board) -- sh -c 'while read -r x; do echo \"got $x\"; done' "
      + "< in > out & exec 3> in 4< out; echo a >&3; read -r first <&4; echo b >&3; "
      + "read -r second <&4; exec 3>&-; wait $!; echo \"$first $second $?\""
    let ran = try await KelvinBinary.shell(script, in: scratch.path)
    #expect(ran.output == "got a got b 0\n", "\(ran.both)")
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["local", "local-shell"])
  func endsACommandWhoseTimeIsOver(board: String) async throws {
    let mark = "7\(getpid())\(UInt16.random(in: 1000...9999))"
    let ran = try await target("exec", board, "--timeout", "0.5 s", "--", "sleep", mark)
    #expect(ran.code == 124, "\(ran.both)")
    #expect(ran.errors.contains("timed out"))
    let left = try await KelvinBinary.shell("pgrep -f 'sleep \(mark)' || true", in: scratch.path)
    #expect(left.output.split(separator: "\n").count <= 1, "\(left.output)")
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["local", "local-shell"])
  func endsQuietlyWhenNobodyReadsItsOutput(board: String) async throws {
    let ran = try await KelvinBinary.shell(
      "{ \"$0\" target exec \(board) -- yes; echo $? >&2; } | head -n 1", in: scratch.path)
    #expect(ran.output == "y\n" && ran.errors == "141\n", "\(ran.both)")
  }

  /// script(1) gives it a terminal.
  @Test(.timeLimit(.minutes(1)))
  func opensAShellOnTheTerminal() async throws {
    let ran = try await KelvinBinary.shell(
      "SHELL=/bin/sh script -qec \"$0 target shell local\" /dev/null <<'END'\n"
        + "tty && stty size\nexit 7\nEND\n", in: scratch.path)
    #expect(ran.code == 7, "\(ran.both)")
    #expect(ran.output.contains("/dev/pts/"), "\(ran.both)")
    let refused = try await target("shell", "local-shell")
    #expect(refused.code == 125 && refused.errors.contains("gives no terminal"), "\(refused.both)")
  }

  /// A pty of the board, moved by Kelvin itself.
  @Test(.timeLimit(.minutes(1)))
  func opensAShellOnTheTerminalByADB() async throws {
    let device = try SimulatedADBD()
    defer { device.stop() }
    try scratch.write(
      "bench.yaml",
      "boards:\n  phone:\n    profile: generic-linux\n"
        + "    connection: {adb: {tcp: '127.0.0.1:\(device.port)'}}\n")
    let shell = try await KelvinBinary.shell(
      "script -qec \"stty rows 33 cols 101; TERM=vt100 $0 target shell --bench bench.yaml phone\" "
        + "/dev/null <<'END'\ntty && stty size; echo $TERM\nexit 7\nEND\n", in: scratch.path)
    #expect(shell.code == 7, "\(shell.both)")
    #expect(shell.output.contains("/dev/pts/"), "\(shell.both)")
    #expect(shell.output.contains("33 101"), "\(shell.both)")
    #expect(shell.output.contains("vt100"), "\(shell.both)")
    // Without a terminal there is none on the board either, and streams stay apart.
    let raw = try await KelvinBinary.shell(
      "echo x | \"$0\" target shell --bench bench.yaml phone -- sh -c 'cat; tty; echo e >&2; exit 5'",
      in: scratch.path)
    #expect(raw.code == 5, "\(raw.both)")
    #expect(raw.output == "x\nnot a tty\n" && raw.errors == "e\n", "\(raw.both)")
  }

  /// Root's commands of a user who is root already.
  @Test(
    .timeLimit(.minutes(1)), .enabled(if: geteuid() == 0, "needs root"),
    arguments: [
      "local", "local-shell"
    ])
  func runsAsRoot(board: String) async throws {
    let ran = try await target("exec", board, "--root", "--", "id", "-u")
    #expect(ran.output == "0\n", "\(ran.both)")
  }

  @Test(.timeLimit(.minutes(1)))
  func setsEnvironmentAndDirectory() async throws {
    let ran = try await target(
      "exec", "local", "--env", "A=b=c", "--cd", "/usr/lib", "--", "sh", "-c", "echo $A; pwd")
    #expect(ran.output == "b=c\n/usr/lib\n", "\(ran.both)")
  }

  @Test(.timeLimit(.minutes(1)))
  func tellsBadUsageBeforeAnythingRuns() async throws {
    #expect(try await target("exec", "local").code == 2)
    #expect(try await target("exec", "local", "--env", "=x", "--", "true").code == 2)
    let missing = try await target("push", "local", "nothing-here", "/tmp/")
    #expect(missing.code == 2 && missing.errors.contains("nothing-here: No such file"))
    #expect(try await target("reboot", "local").code == 2)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["local", "local-shell"])
  func copiesTreesThereAndBack(board: String) async throws {
    let prepared = try await KelvinBinary.shell(
      "mkdir -p tree/a/b; echo 1 > tree/a/b/one; printf 'x\\000y' > 'tree/two words'; "
        + "chmod 755 tree/a/b/one; : > tree/empty; mkdir there", in: scratch.path)
    #expect(prepared.code == 0)
    let pushed = try await target("push", board, "tree", scratch.path + "/there")
    #expect(pushed.code == 0 && pushed.output.hasPrefix("3 files, "), "\(pushed.both)")
    let renamed = try await target("push", board, "tree/a", scratch.path + "/there/new")
    #expect(renamed.code == 0, "\(renamed.both)")
    let pulled = try await target(
      "pull", board, scratch.path + "/there/tree", scratch.path + "/there/new/b/one", "back")
    #expect(pulled.code == 0, "\(pulled.both)")
    let same = try await KelvinBinary.shell(
      "diff -r tree back/tree && cmp tree/a/b/one back/one && test -x back/tree/a/b/one",
      in: scratch.path)
    #expect(same.code == 0, "\(same.both)")
    let missing = try await target("pull", board, "/no/such/file", "back")
    #expect(missing.code != 0 && missing.errors.contains("/no/such/file"), "\(missing.both)")
  }

  @Test(.timeLimit(.minutes(1)))
  func tellsWhatThisMachineIs() async throws {
    let ran = try await target("info", "local", "--format", "json")
    let map = try #require(Value(json: ran.output)?.map, "\(ran.both)")
    var name = utsname()
    uname(&name)
    let release = withUnsafeBytes(of: name.release) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    #expect(map["kernel"]?.text == release)
  }
}
