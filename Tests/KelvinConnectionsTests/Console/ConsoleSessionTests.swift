import Glibc
import KelvinModel
import KelvinSimulators
import Synchronization
import Testing

@testable import KelvinConnections

/// Lines in all states that a board's console may be in.
@Suite(.timeLimit(.minutes(5)))
struct ConsoleSessionTests {
  /// A getty and login of a few lines, which behave as real ones do: what ends them has init begin
  /// them anew.
  private static let getty = #"""
    trap : INT QUIT TSTP
    while :; do
      stty echo; printf '\nboard login: '; read -r u || { [ -t 0 ] && continue; exit; }
      [ "$u" ] || continue
      stty -echo; printf 'Password: '; read -r p; stty echo; echo
      sleep 0.2
      if [ "$u:$p" = 'root:kel vin;$HOME' ]; then
        if [ "$TWICE" ]; then TWICE=; echo; continue; fi
        echo 'Last login: Thu Nov 26 02:44:01 on ttyS0'
        exec sh -i
      fi
      echo; echo 'Login incorrect'
    done
    """#
  private static let login = ConsoleLogin(user: "root", password: Array("kel vin;$HOME".utf8))

  private func reach(
    _ shell: LineShell, _ login: ConsoleLogin? = nil, seconds: Double = 40
  ) throws -> ConsoleChannel {
    try ConsoleSession(shell.link, login: login).reach(until: .after(seconds: seconds))
  }

  private func expectCommands(_ channel: ConsoleChannel) throws {
    #expect(try channel.run("echo x", until: .after(seconds: 10)).output == [120, 10])
  }

  @Test(arguments: LineShell.Kind.allCases)
  func logsIn(kind: LineShell.Kind) throws {
    let shell = try LineShell(kind, script: Self.getty)
    try expectCommands(try reach(shell, Self.login))
  }

  @Test func logsInAgainWhereTheBoardAsksTwice() throws {
    let shell = try LineShell(.dash, script: Self.getty, environment: ["TWICE": "1"])
    try expectCommands(try reach(shell, Self.login))
  }

  @Test func logsInUnderKernelMessages() throws {
    let shell = try LineShell(
      .dash, LineFaults(noisePerSecond: 20, seed: 21), script: Self.getty)
    try expectCommands(try reach(shell, Self.login, seconds: 90))
  }

  @Test func saysThatALoginWasRefusedAndKeepsThePasswordToItself() throws {
    let shell = try LineShell(.dash, script: Self.getty)
    let wrong = ConsoleLogin(user: "root", password: Array("secret-word".utf8))
    let failure = #expect(throws: ConnectionFailure.self) { _ = try reach(shell, wrong) }
    #expect(failure?.code == .permissionDenied)
    #expect(failure?.message.contains("refused root's login") == true)
    #expect(!"\(String(describing: failure)) \(wrong)".contains("secret-word"))
  }

  @Test func saysThatALoginIsNeeded() throws {
    let shell = try LineShell(.dash, script: Self.getty)
    let failure = #expect(throws: ConnectionFailure.self) { _ = try reach(shell) }
    #expect(failure?.code == .permissionDenied)
    #expect(failure?.hint.contains("password-from") == true)
  }

  /// A continuation line, an open quote, a half-typed command, a program, one that ignores Ctrl-C.
  @Test(arguments: [
    ("echo 'open", LineShell.Kind.dash), ("cat <<X\r", .bash), ("rm -rf /nonexi", .busybox),
    ("echo \"half", .bash), ("sleep 1000\r", .dash), ("cat\r", .busybox), ("sleep 1000\r", .bash),
    ("trap '' INT; sh -c 'while :; do sleep 1; done'\r", .dash),
    ("trap '' INT; sh -c 'while :; do sleep 1; done'\r", .bash), ("\u{4}\u{1B}[A", .busybox)
  ])
  func reachesCommandsThroughWhatSomebodyLeftOnTheLine(typed: String, kind: LineShell.Kind) throws {
    let shell = try LineShell(kind, script: "while :; do sh -i; done")
    try shell.link.write(Array(typed.utf8), until: .after(seconds: 5))
    try expectCommands(try reach(shell))
  }

  @Test func takesOverFromAnAgentAndFromALoaderThatADeadHostLeft() throws {
    let shell = try LineShell(.bash)
    _ = try shell.channel().run("true", until: .after(seconds: 10))
    try expectCommands(try reach(shell))
    let half = try LineShell(.dash)
    let loader = ConsoleAgent.loader(session: "dead") + "\n"
    try half.link.write(Array(loader.utf8), until: .after(seconds: 5))
    try expectCommands(try reach(half))
  }

  @Test func saysThatTheBoardSaysNothing() throws {
    let shell = try LineShell(.dash, script: "stty -echo; exec sleep 1000")
    shell.line.isCut.store(true, ordering: .releasing)
    let failure = #expect(throws: ConnectionFailure.self) { _ = try reach(shell, seconds: 4) }
    #expect(failure?.code == .timedOut)
    #expect(failure?.message.contains("nothing at all") == true)
  }

  /// A board that counts down as U-Boot does, and boots when no key comes.
  private static let uboot = #"""
    stty -echo -icanon min 0 time 10
    printf 'U-Boot 2023.01 (Jan 01 2023 - 00:00:00 +0000)\n\nHit any key to stop autoboot:  3 '
    i=3; while [ $i -gt 0 ]; do
      k=$(dd bs=1 count=1 2>/dev/null | od -An -tx1)
      if [ "$k" ]; then printf '\n=> '; stty icanon min 1 time 0
        while read -r x; do [ "$x" ] && printf "Unknown command '%s' - try 'help'\n" "${x%% *}"
        printf '=> '; done; fi
      i=$((i-1)); printf '\b\b\b%2d ' $i
    done
    printf '\nStarting kernel ...\n\n[    0.000000] Linux version 6.1\n'
    stty icanon echo min 1 time 0; sleep 1
    exec sh -i
    """#

  @Test func neverTouchesABoardThatCountsDown() throws {
    let shell = try LineShell(.dash, script: Self.uboot)
    try expectCommands(try reach(shell, seconds: 60))
    #expect(
      !shell.line.traffic.withLock { String(decoding: $0.said, as: UTF8.self) }
        .contains("=> "))
  }

  @Test func saysThatTheBoardIsAtItsBootLoader() throws {
    let shell = try LineShell(.dash, script: Self.uboot)
    try shell.link.write([13], until: .after(seconds: 5))
    let failure = #expect(throws: ConnectionFailure.self) { _ = try reach(shell) }
    #expect(failure?.code == .unsupported)
    #expect(failure?.message.contains("boot loader") == true)
  }

  /// In mid-command: the countdown of the reset board is left alone.
  @Test func saysThatTheConnectionIsLostWhenTheBoardRestarts() throws {
    let shell = try LineShell(.dash, script: "sh -i; \(Self.uboot)")
    let channel = try shell.channel()
    let failure = #expect(throws: ConnectionFailure.self) {
      try channel.run(
        "kill -9 $(ps -o ppid= -p $(ps -o ppid= -p $PPID)) $(ps -o ppid= -p $PPID); sleep 100",
        until: .after(seconds: 30))
    }
    #expect(failure?.code == .connectionLost)
  }
}
