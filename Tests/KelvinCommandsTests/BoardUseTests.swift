import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

/// What commands do to boards that runs and people have: real processes, a switch that is a program.
@Suite(.timeLimit(.minutes(2)))
struct BoardUseTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try #require(symlink("/", scratch.path + "/root") == 0)
    try scratch.write("plug", "on")
    // The switch waits while there is a file 'slow', and says that it does.
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/root}}
          power:
            command:
              on: [sh, -c, 'echo on > \(scratch.path)/plug']
              off: [sh, -c, 'cd \(scratch.path); echo off > plug; while test -e slow; do sleep 0.02; done']
              state: [sh, -c, 'cat \(scratch.path)/plug || exit 7']
              measured: true
      """)
    try scratch.write("wait.yaml", LeaseCommandTests.waiting)
    try scratch.write("b.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
  }

  private func run(_ arguments: String..., user: String = "anna") async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path, environment: ["KELVIN_USER": user])
  }

  private func start(
    _ arguments: String..., user: String = "anna"
  ) async throws -> any RemoteProcess {
    try await KelvinBinary.start(arguments, in: scratch.path, environment: ["KELVIN_USER": user])
  }

  private func waitFor(_ condition: () -> Bool) async throws {
    let deadline = Deadline.after(seconds: 30)
    while !condition() {
      try #require(!deadline.hasPassed, "it did not happen within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// A run of anna's that has the board, and waits.
  private func startWaiting() async throws -> any RemoteProcess {
    let process = try await start("run", "wait.yaml", "-d", "out", "--board", "one", "-q")
    try await waitFor { scratch.exists("started") }
    return process
  }

  private func end(_ process: any RemoteProcess) async throws {
    try scratch.write("go", "")
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
  }

  private func who() async throws -> String { try await run("bench", "who").output }

  private var state: String { scratch.path + "/.state" }
  private var one: BenchResource { .init(.board, "one", bench: scratch.path + "/bench.yaml") }

  // MARK: kelvin power

  @Test(arguments: ["on", "off", "cycle"])
  func switchingNeverDisturbsARun(verb: String) async throws {
    let process = try await startWaiting()
    try scratch.write("plug", "as it was")
    let own = try await run("power", verb, "one")
    #expect(own.code == 3)
    #expect(own.errors.contains("board 'one': leased by anna, process \(process.processID)"))
    #expect(own.errors.contains("--force"), "\(own.errors)")
    // Nobody else's, whatever they say.
    for more in [[], ["--force"], ["--take-over"], ["--force", "--take-over"]] {
      let other = try await KelvinBinary.run(
        ["power", verb, "one"] + more, in: scratch.path, environment: ["KELVIN_USER": "ben"])
      #expect(other.code == 3, "\(other.both)")
      #expect(other.errors.contains("leased by anna"))
      #expect(!other.errors.contains("--force"), "\(other.errors)")
    }
    #expect(try scratch.read("plug") == "as it was")
    // Telling the state asks nobody.
    try scratch.write("plug", "on")
    #expect(try await run("power", "state", "one", user: "ben").output == "one: on (measured)\n")
    let forced = try await run("power", verb, "one", "--force")
    #expect(forced.code == 0, "\(forced.both)")
    #expect(forced.errors.contains("used beside it (--force)"))
    #expect(try await who().contains("leased by anna"))
    try await end(process)
    #expect(try await who().contains("nobody has"))
  }

  @Test func aBoardIsLeasedWhileItIsSwitched() async throws {
    try scratch.write("slow", "")
    let process = try await start("power", "off", "one")
    try await waitFor { (try? scratch.read("plug")) == "off\n" }
    let refused = try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(refused.code == 3)
    #expect(refused.errors.contains("for kelvin power off"), "\(refused.errors)")
    unlink(scratch.path + "/slow")
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code == 0)
    #expect(try await who().contains("nobody has"))
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func asksNobodyAfterASignal(signal: Int32) async throws {
    try scratch.write("slow", "")
    let process = try await start("power", "off", "one")
    try await waitFor { (try? scratch.read("plug")) == "off\n" }
    kill(process.processID, signal)
    #expect(Ran(try await process.wait(until: .after(seconds: 30))).code != 0)
    #expect(try await who().contains("nobody has"))
  }

  @Test func aDeadRunsBoardIsTakenOverOrUsedBesideIt() async throws {
    let process = try await startWaiting()
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    let refused = try await run("power", "off", "one", user: "ben")
    #expect(refused.code == 3)
    #expect(refused.errors.contains("orphaned"), "\(refused.errors)")
    #expect(refused.errors.contains("--take-over") && refused.errors.contains("--force"))
    // The run may still go on.
    #expect(try await run("power", "off", "one", "--force", user: "ben").code == 0)
    #expect(try await who().contains("orphaned by anna"))
    let taken = try await run("power", "on", "one", "--take-over", user: "ben")
    #expect(taken.code == 0, "\(taken.both)")
    #expect(taken.errors.contains("taken over from anna"))
    #expect(try await who().contains("nobody has"))
  }

  @Test func aReservedBoardIsSwitchedByItsUserOnly() async throws {
    _ = try await run("bench", "reserve", "one", "--for", "1h", "--reason", "bring-up")
    for more in [[], ["--force"], ["--take-over"]] {
      let other = try await KelvinBinary.run(
        ["power", "off", "one"] + more, in: scratch.path, environment: ["KELVIN_USER": "ben"])
      #expect(other.code == 3)
      #expect(other.errors.contains("reserved by anna until"), "\(other.errors)")
      #expect(other.errors.contains("bring-up"))
    }
    #expect(try await run("power", "off", "one").code == 0)
    #expect(try scratch.read("plug") == "off\n")
  }

  /// Who repairs a board must switch it; it stays out.
  @Test func aBoardThatWasTakenOutCanBeSwitched() async throws {
    _ = try await run("bench", "disable", "one", "--reason", "fan broken")
    #expect(try await run("power", "off", "one", user: "ben").code == 0)
    #expect(try await who().contains("disabled by anna"))
  }

  /// A workload that switches its own board needs no permission.
  @Test func aRunSwitchesItsOwnBoard() async throws {
    try scratch.write(
      "self.yaml",
      """
      workloads:
        - {name: command, params: {argv: [\(KelvinBinary.path), power, off, one]}}
      """)
    let ran = try await run("run", "self.yaml", "-d", "out", "--board", "one", "-q")
    #expect(ran.code == 0, "\(ran.both)")
    #expect(try scratch.read("plug") == "off\n")
  }

  @Test func withoutABenchDatabaseOnlyForceSwitches() async throws {
    mkdir(state, 0o700)
    mkdir(state + "/bench.db", 0o700)
    let refused = try await run("power", "off", "one")
    #expect(refused.code == 3, "\(refused.both)")
    #expect(refused.errors.contains("\(state)/bench.db"), "\(refused.errors)")
    #expect(refused.errors.contains("--force"))
    #expect(try scratch.read("plug") == "on")
    #expect(try await run("power", "state", "one").code == 0)
    let forced = try await run("power", "off", "one", "--force")
    #expect(forced.code == 0, "\(forced.both)")
    #expect(forced.errors.contains("nobody was asked"))
    #expect(try scratch.read("plug") == "off\n")
  }

  // MARK: kelvin bench console

  @Test func onlyWhoMayWritesToAConsole() async throws {
    let listener = try Listener(scratch.path + "/console.sock")
    defer { listener.close() }
    let owner = ["--runtime-directory", scratch.path, "--state-directory", state]
    func console(_ more: [String], user: String = "anna") async throws -> Ran {
      try await KelvinBinary.run(
        ["bench", "console", "one", "--address", "socket:\(listener.path)", "--for", "0.1"]
          + more + owner, in: scratch.path, environment: ["KELVIN_USER": user])
    }
    let process = try await startWaiting()
    let own = try await console([])
    #expect(own.code == 3)
    #expect(own.errors.contains("board 'one': leased by anna"), "\(own.errors)")
    #expect(own.errors.contains("--force") && own.errors.contains("--read-only"))
    let other = try await console(["--force"], user: "ben")
    #expect(other.code == 3)
    #expect(!other.errors.contains("use --force"), "\(other.errors)")
    for (more, user) in [(["--read-only"], "ben"), (["--force"], "anna")] {
      let ran = try await console(more, user: user)
      #expect(ran.code == 0, "\(ran.both)")
    }
    try await end(process)
    // Nothing is leased for it.
    #expect(try await console([], user: "ben").code == 0)
    #expect(try await who().contains("nobody has"))
    _ = try await run("bench", "reserve", "one", "--for", "1h")
    #expect(try await console([], user: "ben").errors.contains("reserved by anna"))
    // A console that belongs to no board is nobody's.
    let another = try Listener(scratch.path + "/x.sock")
    defer { another.close() }
    let free = try await KelvinBinary.run(
      ["bench", "console", "x", "--address", "socket:\(another.path)", "--for", "0.1"] + owner,
      in: scratch.path, environment: ["KELVIN_USER": "ben"])
    #expect(free.code == 0, "\(free.both)")
    _ = try await KelvinBinary.run(["bench", "down", "--force"] + owner, in: scratch.path)
  }

  // MARK: kelvin bench check and health

  @Test(arguments: [[], ["--format", "json"], ["--switch"]])
  func aBenchWithNothingOnItProvesNothing(more: [String]) async throws {
    try scratch.write("bench.yaml", "boards: {}\n")
    let ran = try await KelvinBinary.run(["bench", "check"] + more, in: scratch.path)
    #expect(ran.code == 2, "\(ran.both)")
    #expect(ran.errors.contains("there is nothing to check"), "\(ran.errors)")
    #expect(ran.output.isEmpty)
  }

  @Test(arguments: [["bench", "check"], ["power", "on", "one"], ["bench", "reserve", "one"]])
  func mistakesInABenchFileAreToldAlike(arguments: [String]) async throws {
    try scratch.write(
      "bench.yaml",
      """
      boards:
        one: {profile: generic-linux, conection: local}
        two: {profile: nothing, connection: local}
      """)
    let more = arguments.contains("reserve") ? ["--for", "1h"] : []
    let ran = try await KelvinBinary.run(arguments + more, in: scratch.path)
    #expect(ran.code == 2)
    let lines = ran.errors.split(separator: "\n")
    #expect(lines.count >= 3, "\(ran.errors)")
    for line in lines {
      let parts = line.split(separator: ":")
      #expect(parts[0].hasSuffix("bench.yaml") && parts[3] == " error", "\(line)")
      #expect(Int(parts[1]) != nil && Int(parts[2]) != nil, "\(line)")
    }
  }

  private func quarantine(reason: String = "stopped answering") throws {
    let store = try BenchStore.open(directory: state)
    defer { store.close() }
    try store.quarantine(one, reason: reason, evidence: "no prompt for 60 s")
  }

  @Test func aSickBoardComesBackWhenItPasses() async throws {
    try quarantine()
    let refused = try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(refused.code == 3)
    #expect(refused.errors.contains("quarantined"), "\(refused.errors)")
    // While it fails, it stays out.
    unlink(scratch.path + "/plug")
    let failing = try await run("bench", "check", "one")
    #expect(failing.code == 1, "\(failing.both)")
    #expect(failing.output.contains("stays quarantined: stopped answering"))
    #expect(failing.output.contains("FAILED   board 'one'  power"), "\(failing.output)")
    var health = try await run("bench", "health", "one")
    #expect(health.output.contains("board one: quarantined\n"), "\(health.both)")
    #expect(health.output.contains("  reason    stopped answering\n"))
    #expect(health.output.contains("  evidence  no prompt for 60 s\n"))
    try scratch.write("plug", "on")
    let passing = try await run("bench", "check", "one", "--switch")
    #expect(passing.code == 0, "\(passing.both)")
    #expect(passing.output.contains("was in quarantine (stopped answering); is back"))
    #expect(try await who().contains("nobody has"))
    let ran = try await run("run", "b.yaml", "-d", "out", "--board", "one", "-q")
    #expect(ran.code == 0, "\(ran.both)")
    health = try await run("bench", "health", "one", "--events", "3")
    #expect(health.output.contains("board one: free\n"))
    #expect(health.output.split(separator: "\n").count { $0.contains(" by anna@") } == 3)
    #expect(health.output.contains("acquire by anna@"), "\(health.output)")
    let json = try await run("bench", "health", "--format", "json").output
    #expect(json.contains(#""detail":"passed bench check""#), "\(json)")
    #expect(json.contains(#""state":"free""#))
  }

  @Test func aDisabledBoardStaysOutHoweverWellItIs() async throws {
    _ = try await run("bench", "disable", "one", "--reason", "fan broken")
    let checked = try await run("bench", "check")
    #expect(checked.code == 0, "\(checked.both)")
    #expect(checked.output.contains("stays disabled: fan broken"))
    #expect(try await who().contains("disabled by anna"))
  }

  /// A run that has a board keeps it although it was found sick: the check leaves it alone.
  @Test func aSickBoardThatARunHasIsLeftAlone() async throws {
    let process = try await startWaiting()
    try quarantine()
    let checked = try await run("bench", "check")
    #expect(checked.output.contains("skipped  board 'one'  lease: board 'one': leased by anna"))
    #expect(checked.output.contains("0 ok, 0 failed, 1 skipped"))
    try await end(process)
    #expect(try await run("bench", "check").output.contains("is back"))
  }

  @Test func aBoardThatDiedInItsRecoveryComesBackByTakingItOver() async throws {
    let process = try await startWaiting()
    let store = try BenchStore.open(directory: state)
    let lease = try #require(try store.status(of: one).lease)
    try store.recover(one, in: lease, reason: "stopped answering")
    kill(process.processID, SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(try await who().contains("recovering"))
    #expect(try await run("bench", "check").output.contains("--take-over"))
    let checked = try await run("bench", "check", "--take-over")
    #expect(checked.code == 0, "\(checked.both)")
    #expect(checked.errors.contains("taken over from"))
    #expect(try await who().contains("nobody has"))
    // Given back in the middle of it, it is sick until it passes.
    guard case .granted(let grant) = try store.acquire(LeaseRequest([one], purpose: "test")) else {
      Issue.record("refused")
      return
    }
    try store.recover(one, in: grant.lease, reason: "stopped answering")
    try store.release(grant.lease)
    store.close()
    #expect(try await run("bench", "health", "one").output.contains("middle of a recovery"))
    #expect(try await run("bench", "check").output.contains("is back"))
    #expect(try await who().contains("nobody has"))
  }

  @Test func healthOfAnUnknownOrUntouchedBoard() async throws {
    #expect(try await run("bench", "health").output == "nothing is known of any board or meter\n")
    #expect(try await run("bench", "health", "one").output.hasPrefix("board one: free\n"))
    #expect(try await run("bench", "health", "local").code == 0)
    let unknown = try await run("bench", "health", "on")
    #expect(unknown.code == 2)
    #expect(unknown.errors.contains("did you mean 'one'?"), "\(unknown.errors)")
    // Reading makes nothing.
    #expect(!scratch.exists(".state"))
  }

  @Test func aBenchDatabaseThatCannotBeReadFailsACheckAndStopsNothingElse() async throws {
    mkdir(state, 0o700)
    try scratch.write(".state/bench.db", String(repeating: "rubbish ", count: 1000))
    let checked = try await run("bench", "check")
    #expect(checked.code == 1, "\(checked.both)")
    #expect(checked.output.contains("FAILED   board 'one'  lease: \(state)/bench.db"))
    #expect(checked.output.contains("mv '\(state)/bench.db'"))
    #expect(try await run("bench", "health").code == 3)
  }
}

/// A unix socket that accepts, and says nothing.
final class Listener: Sendable {
  let path: String
  private let descriptor: Int32

  init(_ path: String) throws {
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0, listen(descriptor, 8) == 0 else { throw Errno.current }
  }

  func close() { _ = Glibc.close(descriptor) }
}
