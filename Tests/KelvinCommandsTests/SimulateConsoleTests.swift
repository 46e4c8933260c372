import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

/// `kelvin simulate console` and what Kelvin makes of it, as a user without hardware tries both: the
/// board, the owner of ports and each command are processes of their own.
@Suite(.timeLimit(.minutes(4)))
final class SimulateConsoleTests {
  let scratch: Scratch
  private let board: Mutex<(any RemoteProcess)?>

  init() throws {
    scratch = try Scratch()
    mkdir(scratch.path + "/run", 0o700)
    board = Mutex(nil)
  }

  private var environment: [String: String] {
    [
      "XDG_RUNTIME_DIR": scratch.path + "/run", "XDG_STATE_HOME": scratch.path + "/state",
      "CONSOLE_PASSWORD": "kel vin;$HOME"
    ]
  }

  /// Starts a board, its bench file in bench.yaml.
  private func start(_ arguments: String) async throws {
    try await launch("exec '\(KelvinBinary.path)' simulate console \(arguments)")
  }

  private func launch(_ script: String) async throws {
    let process = try await LocalConnection().start(
      Command(
        ["sh", "-c", "exec >bench.yaml 2>log; \(script)"],
        workingDirectory: TargetPath(scratch.path), endsDescendants: false),
      until: .after(seconds: 10))
    board.withLock { $0 = process }
    try await waitFor { (try? scratch.read("bench.yaml"))?.contains("connection:") ?? false }
  }

  private func waitFor(_ condition: () -> Bool) async throws {
    let deadline = Deadline.after(seconds: 30)
    while !condition() {
      try #require(!deadline.hasPassed, "it did not happen within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private func kelvin(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path, environment: environment)
  }

  private func exec(_ argv: [String], seconds: Double = 40) async throws -> Ran {
    try await kelvin(["target", "exec", "simulated", "--timeout", "\(seconds) s", "--"] + argv)
  }

  /// Ends everything, and looks whether anything is left.
  private func end(signal: Int32 = SIGINT) async throws {
    _ = try await kelvin(["bench", "down", "--force"])
    let process = try #require(board.withLock { $0 })
    kill(process.processID, signal)
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
    let control = try scratch.read("bench.yaml").split(separator: "\n").first?.split(separator: " ")
    let home = String((control?.last ?? "").dropLast("/control".count))
    #expect(home.contains("kelvin-board-"))
    #expect(access(home, F_OK) != 0, "\(home) is still there")
    let left = ProcessEntry.all().filter {
      !$0.isZombie
        && (SmallFile.text("/proc/\($0.processID)/cmdline") ?? "").contains(home)
    }
    #expect(left.isEmpty)
  }

  // MARK: As the help has it

  @Test(arguments: [
    "", "--shell bash", "--shell busybox", "--link board", "--tcp 0", "--telnet 0",
    "--socket board.sock", "--baud 115200", "-- bash --norc -i"
  ])
  func aBoardIsReachedAsItsBenchFileSays(arguments: String) async throws {
    try await start(arguments)
    let ran = try await exec(["sh", "-c", "echo \"$1\"; echo wrong >&2; exit 3", "sh", "a 'b' $c"])
    #expect(ran.code == 3)
    #expect(ran.output == "a 'b' $c\n", "\(ran.both)")
    #expect(ran.errors == "wrong\n")
    let console = try await kelvin([
      "bench", "console", "simulated", "--read-only", "--from", "first", "--for", "1"
    ])
    #expect(console.code == 0 && !console.output.isEmpty, "\(console.both)")
    try await end(signal: arguments.isEmpty ? SIGTERM : SIGINT)
  }

  // MARK: Faults

  /// What is odd about a board, but no reason to fail.
  @Test(arguments: [
    "--fault long-prompt --shell bash", "--fault color-prompt --shell busybox",
    "--fault prompt-noise=20", "--fault noise=50 --fault lost=0.001 --fault doubled=0.0005",
    "--login root --password 'kel vin;$HOME' --fault login-twice", "--fault delay=0.2",
    "--login root --password 'kel vin;$HOME' --boot 3 --countdown 2 --fault panic=1",
    "--fault cut=3000:2"
  ])
  func anOddBoardTellsTheTruth(arguments: String) async throws {
    try await start(arguments)
    // It prints what prompts look like, and bytes that are no text.
    let script = #"printf '# \nboard login: \n\377\376\000=> '; exit 7"#
    let ran = try await exec(["sh", "-c", script], seconds: 90)
    #expect(ran.code == 7, "\(ran.both)")
    #expect(
      ran.result.standardOutput.bytes
        == Array("# \nboard login: \n".utf8) + [0xFF, 0xFE, 0] + Array("=> ".utf8))
    try await end()
  }

  @Test(arguments: [
    ("--fault no-boot", "nothing at all", "powered"),
    ("--boot 0.5 --fault panic", "Kernel panic - not syncing: VFS", "kelvin bench console"),
    ("--boot 100", "Linux version", "kelvin bench console"),
    ("--fault stall=0", "nothing at all", "powered")
  ])
  func aBoardThatNeverComesIsATimeoutThatSaysWhy(
    arguments: String, message: String, hint: String
  ) async throws {
    try await start(arguments)
    let began = MonotonicTime.now
    let ran = try await exec(["true"], seconds: 7)
    #expect(MonotonicTime.now - began < 15_000_000_000)
    #expect(ran.code == 124, "\(ran.both)")
    #expect(ran.errors.contains(message) || message == "Linux version", "\(ran.errors)")
    #expect(ran.errors.contains(hint), "\(ran.errors)")
    #expect(!ran.errors.contains("kel vin"))
    try await end()
  }

  @Test(arguments: ["", "--login root --password 'kel vin;$HOME'", "--telnet 0", "--socket s"])
  func aLinkThatDropsInMidCommandIsLostAndComesBack(arguments: String) async throws {
    try await start(arguments)
    let began = MonotonicTime.now
    let ran = try await exec(["sh", "-c", "echo before; fault vanish 2; sleep 4242"])
    #expect(ran.code == 126, "\(ran.both)")
    #expect(ran.errors.contains("lost") && ran.errors.contains("plugged in"), "\(ran.errors)")
    #expect(MonotonicTime.now - began < 30_000_000_000)
    try await waitFor { (try? scratch.read("log"))?.contains("line: back") ?? false }
    let again = try await exec(["echo", "again"])
    #expect(again.code == 0 && again.output == "again\n", "\(again.both)")
    try await end()
  }

  @Test func aBoardThatPanicsInMidCommandIsALostConnectionAndComesBack() async throws {
    try await start("--boot 1")
    let ran = try await exec(["sh", "-c", "fault panic; sleep 4242"])
    #expect(ran.code == 126, "\(ran.both)")
    let again = try await exec(["echo", "again"])
    #expect(again.code == 0 && again.output == "again\n", "\(again.both)")
    try await end()
  }

  /// By a program that takes it for itself: another host at a console server, pyserial on a terminal.
  @Test(arguments: [false, true])
  func aConsoleThatIsTakenSaysSo(isTerminal: Bool) async throws {
    try await start(isTerminal ? "--link board" : "--tcp 0")
    let port = try scratch.read("bench.yaml").split(separator: "port: ").last?.prefix {
      $0.isNumber
    }
    let serial =
      "import serial, sys, time; s = serial.Serial('board', exclusive=True); "
      + "open('held', 'w').close(); time.sleep(100)"
    let other = try await LocalConnection().start(
      Command(
        isTerminal
          ? ["/usr/bin/python3", "-c", serial]
          : ["socat", "-u", "TCP:127.0.0.1:\(port ?? "")", "-"],
        workingDirectory: TargetPath(scratch.path)), until: .after(seconds: 10))
    try await waitFor {
      isTerminal
        ? scratch.exists("held")
        : (try? scratch.read("log"))?.contains("a host has come") ?? false
    }
    let ran = try await exec(["true"], seconds: 7)
    #expect([124, 125, 126].contains(ran.code), "\(ran.both)")
    print("taken: \(ran.errors)")
    kill(other.processID, SIGKILL)
    _ = try await other.wait(until: .after(seconds: 10))
    let again = try await exec(["true"])
    #expect(again.code == 0, "\(again.both)")
    try await end()
  }

  /// With terminals of its own, of which there are so many.
  private func starting(terminals: Int, _ arguments: String) -> String {
    "exec unshare -m sh -c 'mount -t devpts -o max=\(terminals),ptmxmode=666 d /dev/pts && "
      + "mount --bind /dev/pts/ptmx /dev/ptmx && exec \(KelvinBinary.path) simulate console "
      + "\(arguments)'"
  }

  @Test(.enabled(if: geteuid() == 0, "needs root for mounts"))
  func whereThereIsNoTerminalLeftThatIsSaid() async throws {
    let process = try await LocalConnection().start(
      Command(["sh", "-c", starting(terminals: 1, "--for 5")]), until: .after(seconds: 10))
    let ran = Ran(try await process.wait(until: .after(seconds: 30)))
    #expect(ran.code == 3, "\(ran.both)")
    #expect(ran.errors.contains("no pseudo terminal: No space left on device"), "\(ran.both)")
    #expect(ran.errors.contains("pty/max"), "\(ran.both)")
  }

  /// Its console is the only one that it has.
  @Test(.enabled(if: geteuid() == 0, "needs root for mounts"))
  func aBoardThatIsOutOfTerminalsRunsCommands() async throws {
    try await launch(starting(terminals: 1, "--tcp 0"))
    let ran = try await exec(["sh", "-c", "python3 -c 'import pty; pty.openpty()'; exit 6"])
    #expect(ran.code == 6, "\(ran.both)")
    #expect(ran.errors.contains("out of pty devices"), "\(ran.both)")
    try await end()
  }

  @Test(arguments: [
    "--fault nothing", "--password x", "--tcp 0 --telnet 0", "--shell fish", "--baud 1",
    "--shell dash -- bash", "--boot -1", "-- no-such-program", "--link /dev/null"
  ])
  func badUsageIsRefused(arguments: String) async throws {
    let words = arguments.split(separator: " ").map(String.init)
    let ran = try await kelvin(["simulate", "console", "--for", "5"] + words)
    #expect(ran.code == 2, "\(ran.both)")
    #expect(ran.output.isEmpty)
  }
}
