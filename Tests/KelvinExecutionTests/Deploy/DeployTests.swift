import Foundation
import KelvinExecution
import KelvinModel
import KelvinStore
import Synchronization
import Testing

/// Images that jobs need: deployed when the board does not run them, and shown to run.
@Suite(.timeLimit(.minutes(2))) struct DeployTests {
  let directory: TemporaryDirectory
  let board: BootingBoard
  let journal = MemoryDeployments()

  init() throws {
    directory = try TemporaryDirectory()
    board = try BootingBoard(directory.path + "/board")
  }

  private func kernel(_ id: UInt8) throws -> String {
    try BootingBoard.kernel(id, in: directory.path)
  }

  private func spec(_ id: String, _ deployment: Deployment?, iterations: Int = 1) -> JobSpec {
    var spec = JobSpec.scripted(id, iterations: iterations)
    spec.deployment = deployment
    return spec
  }

  private func run(
    _ specs: [JobSpec], ways: DeployWays = DeployWays(),
    onRun: @escaping @Sendable (JobContext) async throws -> Void = { _ in }
  ) async throws -> RunResult {
    var fixture = RunFixture(specs)
    fixture.workloads = [ScriptedWorkload(onRun: onRun).type()]
    fixture.connection = board
    fixture.equipment.bootSeconds = 5
    fixture.deploy = DeployEquipment(ways: ways, journal: journal)
    return try await fixture.run()
  }

  @Test func isDoneOnceForAllJobsThatNeedIt() async throws {
    let path = try kernel(0xBB)
    let seen = Recorder()
    let result = try await run(
      [spec("a", Deployment(way: .kexec, kernel: path), iterations: 3)]
    ) { [board] _ in seen.say("\(board.boots)") }
    #expect(try result.verdicts() == ["ok", "ok", "ok"])
    #expect(seen.all == ["2", "2", "2"])
    let attempt = try #require(try result.reader.attempts(ofJob: 2).last?.fingerprint)
    let fingerprint = try result.reader.fingerprint(attempt)
    #expect(fingerprint["kernel build id"] == String(repeating: "bb", count: 20))
    #expect(fingerprint["deployed by"] == "kexec")
    #expect(fingerprint["deployed kernel"]?.hasPrefix("sha256 ") == true)
    #expect(fingerprint["boot id"]?.hasSuffix("02") == true)
    // What was in memory only is gone when the run ends.
    #expect(board.boots == 3 && journal.last() == nil)
  }

  @Test func aKernelThatRunsAlreadyIsNotDeployed() async throws {
    let result = try await run([spec("a", Deployment(way: .kexec, kernel: try kernel(0xAA)))])
    #expect(try result.verdicts() == ["ok"] && board.boots == 1)
  }

  @Test func eachJobGetsItsOwn() async throws {
    let (first, second) = (try kernel(0xBB), try kernel(0xCC))
    let seen = Recorder()
    let result = try await run([
      spec("a", Deployment(way: .kexec, kernel: first)), spec("b", nil),
      spec("c", Deployment(way: .kexec, kernel: second)),
      spec("d", Deployment(way: .kexec, kernel: second, commandLine: "loud"))
    ]) { [board] _ in
      let notes = FileManager.default.contents(atPath: board.root + "/sys/kernel/notes")
      seen.say(String(notes?.last ?? 0, radix: 16))
    }
    #expect(try result.verdicts() == ["ok", "ok", "ok", "ok"])
    #expect(seen.all == ["bb", "aa", "cc", "cc"])
    #expect(board.boots == 6)
    let line = board.state.withLock { $0.commands.last { $0.contains("-l") } }
    #expect(line?.contains("--command-line=loud") == true)
  }

  /// What a reboot has done away with is deployed anew.
  @Test func isDoneAgainAfterAReboot() async throws {
    let path = try kernel(0xBB)
    let result = try await run(
      [spec("a", Deployment(way: .kexec, kernel: path), iterations: 2)]
    ) { [board] job in
      guard job.iteration == 1 else { return }
      board.boot(.init(buildID: 0xAA))
    }
    #expect(try result.verdicts() == ["failed: target", "ok"])
    #expect(board.boots == 5)
  }

  @Test func anImageThatBootsToAnotherIsTold() async throws {
    let path = try kernel(0xBB)
    board.state.withLock { $0.impostor = .init(buildID: 0xDD, release: "5.0") }
    let result = try await run([spec("a", Deployment(way: .kexec, kernel: path)), spec("b", nil)])
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.target))
    #expect(outcome.reason.contains("does not run what was deployed by kexec: build id bbbb"))
    #expect(outcome.reason.contains("dddd") && outcome.reason.contains("5.0"))
    // Nobody knows what is in memory: the next job gets the board's own.
    #expect(try result.verdicts().last == "ok" && board.boots == 3)
  }

  @Test func aKernelThatKexecRefusesIsTold() async throws {
    board.state.withLock { $0.refusal = "Cannot determine the file type" }
    let result = try await run([spec("a", Deployment(way: .kexec, kernel: try kernel(0xBB)))])
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.target))
    #expect(outcome.reason.contains("kexec does not load") && outcome.reason.contains("file type"))
  }

  @Test func aBoardThatDoesNotBootItIsTold() async throws {
    // Nothing was loaded, so nothing starts.
    board.state.withLock { $0.impostor = nil }
    let ways = DeployWays([.command: ["argv": ["true"], "then": "wait"]])
    let result = try await run([spec("a", Deployment(kernel: try kernel(0xBB)))], ways: ways)
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.target))
    #expect(outcome.reason.contains("does not come up with what was deployed by command"))
  }

  /// A board that what was deployed does not boot on is lost, too; what is told is the deployment's failure.
  @Test(arguments: [
    ("touch ROOT/off", false, "and nothing brings it back"),
    ("touch ROOT/off", true, "; back after"),
    // Later than a boot may last, and by itself.
    ("touch ROOT/off; (sleep 3; touch ROOT/on) >/dev/null 2>&1 &", false, "")
  ])
  func aDeploymentThatLosesTheBoardIsTheReason(
    command: String, hasPower: Bool, then: String
  ) async throws {
    let words = command.replacingOccurrences(of: "ROOT", with: board.root)
    let ways = DeployWays([
      .command: ["argv": ["sh", "-c", .text(words)], "then": "wait"]
    ])
    var fixture = RunFixture([spec("a", Deployment(kernel: try kernel(0xBB)))])
    fixture.workloads = [ScriptedWorkload().type()]
    fixture.connection = board
    fixture.equipment.bootSeconds = 1
    var reconnect = RungPlan(.reconnect)
    reconnect.timeoutSeconds = then.isEmpty ? 30 : 0.2
    fixture.equipment.ladder = RecoveryLadder([reconnect, RungPlan(.powerCycle)])
    fixture.equipment.offSeconds = 0
    if hasPower {
      fixture.equipment.power = try FakeBoard().control(on: ["touch", .text(board.root + "/on")])
    }
    fixture.deploy = DeployEquipment(ways: ways, journal: journal)
    let result = try await fixture.run()
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.target))
    #expect(
      outcome.reason.hasPrefix("local: does not come up with what was deployed by command"),
      "\(outcome)")
    #expect(then.isEmpty || outcome.reason.contains(then), "\(outcome)")
    #expect(!outcome.reason.contains("rebooted while"), "\(outcome)")
    // That it was silent is not lost.
    let attempt = try #require(try result.reader.attempts(ofJob: 0).first)
    let events = try result.reader.events(ofAttempt: attempt.id).map(\.message)
    #expect(
      then.isEmpty || events.contains { $0.hasPrefix("local does not answer") }, "\(events)")
  }

  /// The command finds its files in the environment; what it writes outlives boots.
  @Test func aCommandDeploys() async throws {
    let path = try kernel(0xBB)
    let log = directory.path + "/log"
    let ways = DeployWays([
      .command: [
        "argv": [
          "sh", "-c",
          .text("echo $KELVIN_BOARD $KELVIN_DEPLOY_KERNEL $KELVIN_DEPLOY_COMMAND_LINE >>\(log)")
        ]
      ]
    ])
    board.state.withLock { $0.own = .init(buildID: 0xBB) }
    let deployment = Deployment(kernel: path, commandLine: "a b")
    let first = try await run([spec("a", deployment)], ways: ways)
    let second = try await run([spec("a", deployment)], ways: ways)
    #expect(try first.verdicts() == ["ok"] && second.verdicts() == ["ok"])
    #expect(try String(contentsOfFile: log, encoding: .utf8) == "local \(path) a b\n")
    #expect(board.boots == 2 && journal.last()?.way == "command")
  }

  @Test func aCommandThatFailsIsTold() async throws {
    let ways = DeployWays([.command: ["argv": ["sh", "-c", "echo no card >&2; exit 3"]]])
    let result = try await run([spec("a", Deployment(kernel: try kernel(0xBB)))], ways: ways)
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.infrastructure))
    #expect(outcome.reason.contains("no card") && outcome.reason.contains("deploying: sh"))
  }

  @Test func aRootFileSystemIsVerifiedByTheAgendasLine() async throws {
    let root = directory.path + "/root.img"
    try Data("root".utf8).write(to: URL(fileURLWithPath: root))
    let ways = DeployWays([.command: ["argv": ["true"]]])
    let deployment = Deployment(root: root, verify: "verify-me")
    board.state.withLock { $0.verifyCode = 1 }
    let refused = try await run([spec("a", deployment)], ways: ways)
    #expect(try refused.outcomes().first??.reason.contains("'verify-me'") == true)
    #expect(try refused.verdicts() == ["failed: target"])
    board.state.withLock { $0.verifyCode = 0 }
    let good = try await run([spec("a", deployment, iterations: 2)], ways: ways)
    #expect(try good.verdicts() == ["ok", "ok"] && board.boots == 3)
  }

  @Test(arguments: [
    (Deployment(way: .uboot, kernel: "K"), "it has no 'uboot'"),
    (Deployment(kernel: "K"), "describes no way"),
    (Deployment(way: .kexec, kernel: "/nowhere/k"), "/nowhere/k: No such file")
  ])
  func whatCannotBeIsAMistakeOfTheConfiguration(given: Deployment, message: String) async throws {
    var deployment = given
    if deployment.kernel == "K" { deployment.kernel = try kernel(0xBB) }
    let result = try await run([spec("a", deployment)])
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.configuration) && outcome.reason.contains(message))
    #expect(board.boots == 1)
  }

  @Test func aKernelForAnotherMachineIsRefused() async throws {
    let path = try kernel(0xBB)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[18] = 183
    try bytes.write(to: URL(fileURLWithPath: path))
    let result = try await run([spec("a", Deployment(way: .kexec, kernel: path))])
    let outcome = try #require(try result.outcomes().first ?? nil)
    #expect(outcome.verdict == .failed(.configuration))
    #expect(outcome.reason.contains("is a kernel for aarch64, and local is x86_64"))
  }

  /// A run that was killed left something in memory; one that deploys nothing does not run on it.
  @Test func whatARunHasLeftInMemoryIsGoneBeforeTheNextJob() async throws {
    board.boot(.init(buildID: 0xBB))
    journal.note(
      DeploymentRecord(
        way: "kexec", image: "{}", buildID: "bb",
        boardBootID: "00000000-0000-4000-8000-000000000002", run: "dead"))
    let result = try await run([spec("a", nil), spec("b", nil)])
    #expect(try result.verdicts() == ["ok", "ok"])
    #expect(board.boots == 3 && journal.last() == nil)
  }
}
