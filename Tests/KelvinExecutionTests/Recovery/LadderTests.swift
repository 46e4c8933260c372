import Foundation
import KelvinConnections
import KelvinModel
import KelvinTargets
import Synchronization
import Testing

@testable import KelvinExecution

/// The ladder of recovery on a board that is played: which rungs, in which order, and what each says when
/// it does not help.
@Suite(.timeLimit(.minutes(3)))
struct LadderTests {
  let board: FakeBoard
  var equipment = BoardEquipment(offSeconds: 0, bootSeconds: 0.5)

  init() throws { board = try FakeBoard() }

  private func ladder(
    consoleLog: String? = nil, note: @escaping (String) -> Void = { _ in }
  ) -> Ladder {
    Ladder(
      target: Target(name: "rock", connection: board, runID: "test-ladder"), equipment: equipment,
      bootID: FakeBoard.bootID(1), consoleLog: consoleLog, reconnectSeconds: 0.1, note: note)
  }

  private mutating func use(_ rungs: RungPlan...) { equipment.ladder = RecoveryLadder(rungs) }

  private func climb(
    _ ladder: Ladder, from first: Rung = .reconnect
  ) async throws
    -> [RecoveryStep]
  {
    try await ladder.climb(ladder.rungs(from: first), interrupt: Interrupt())
  }

  // MARK: Which rungs

  @Test func whatABenchLacksIsPassedOver() throws {
    #expect(ladder().rungs(from: .reconnect).map(\.rung) == [.reconnect, .reboot])
    // Where there is nothing harder, the mild ones are all there is.
    #expect(ladder().rungs(from: .sysrq).map(\.rung) == [.reconnect, .reboot])
  }

  @Test mutating func theBenchFilesOrderIsTheLaddersOwn() throws {
    equipment.power = try board.control(on: ["true"])
    equipment.reset = try board.control(on: ["true"], .reset)
    use(RungPlan(.reconnect), RungPlan(.powerCycle), RungPlan(.reset, count: 5))
    #expect(ladder().rungs(from: .reconnect).map(\.rung) == [.reconnect, .powerCycle, .reset])
    #expect(ladder().rungs(from: .sysrq).map(\.rung) == [.powerCycle, .reset])
    #expect(ladder().rungs(above: .powerCycle).map(\.rung) == [.reset])
    #expect(ladder().rungs(above: .reset).map(\.rung) == [.reset])
    #expect(ladder().rungs(above: nil).map(\.rung) == [.powerCycle, .reset])
    #expect(ladder().rungsThatBoot.map(\.rung) == [.powerCycle, .reset])
  }

  @Test mutating func aRebootThatIsWantedNeedsNoRung() {
    use(RungPlan(.reconnect))
    #expect(ladder().rungsThatBoot == [RungPlan(.reboot)])
  }

  @Test mutating func aLadderOfNothingBringsNoBoardBack() async throws {
    use(RungPlan(.reset))
    let steps = try await climb(ladder())
    #expect(steps.isEmpty && !steps.isBack)
  }

  @Test func theShippedLadderWritesToNoStorage() {
    let standard = RecoveryLadder.standard.rungs
    #expect(standard.map(\.rung) == Rung.allCases)
    #expect(standard.allSatisfy { $0.rescue == RungPlan.Rescue() })
    #expect(RungPlan.Rescue().flash.isEmpty && RungPlan.Rescue().commands.isEmpty)
  }

  // MARK: Climbing

  @Test mutating func aRungIsTriedAsOftenAsItSays() async throws {
    equipment.power = try board.control(on: ["true"])
    var power = RungPlan(.powerCycle, count: 3)
    power.timeoutSeconds = 0.2
    use(power)
    let said = Recorder()
    let steps = try await climb(ladder { said.say($0) })
    #expect(steps.map(\.rung) == [.powerCycle, .powerCycle, .powerCycle] && !steps.isBack)
    #expect(said.all.filter { $0 == "recovery: power_cycle" }.count == 3)
  }

  @Test mutating func theRungThatBringsItBackIsTheLast() async throws {
    equipment.power = try board.control(on: board.bootingWords(2))
    equipment.bootSeconds = 30
    let keys = Mutex<[UInt8]>([])
    equipment.sysRq = { sent, _ in
      keys.withLock { $0 = sent }
      throw PlainFailure(.target, "rock: its console stays silent at SysRq")
    }
    var sysRq = RungPlan(.sysrq)
    sysRq.keys = "eib"
    use(RungPlan(.reboot), sysRq, RungPlan(.powerCycle))
    let steps = try await climb(ladder(), from: .sysrq)
    #expect(steps.map(\.rung) == [.sysrq, .powerCycle] && steps.isBack)
    #expect(keys.withLock { $0 } == Array("eib".utf8))
    #expect(steps[0].problem?.contains("stays silent") == true)
  }

  // MARK: By itself

  /// What the ladder says when it has nothing left to do.
  private static let lastWord =
    "recovery: reconnect: nothing else boots rock; it has the time of a boot for that"

  @Test(arguments: [Rung.reconnect, .sysrq])
  mutating func aBoardThatNothingBootsHasTheTimeOfABoot(first: Rung) async throws {
    equipment.bootSeconds = 3600
    board.isAway.isSet = true
    let ladder = ladder { [board] said in
      guard said == Self.lastWord else { return }
      board.boot(2)
      board.isAway.isSet = false
    }
    let steps = try await ladder.bringBack(ladder.rungs(from: first), interrupt: Interrupt())
    #expect(steps.map(\.rung) == [.reconnect, .reboot, .reconnect] && steps.isBack, "\(steps)")
  }

  @Test mutating func aBoardThatDoesNotComeByItselfIsGivenUpThen() async throws {
    equipment.bootSeconds = 1
    board.isAway.isSet = true
    let ladder = ladder()
    let begin = MonotonicTime.now
    let steps = try await ladder.bringBack(ladder.rungs(from: .sysrq), interrupt: Interrupt())
    #expect(steps.map(\.rung) == [.reconnect, .reboot, .reconnect] && !steps.isBack, "\(steps)")
    #expect(MonotonicTime.now - begin >= 1_000_000_000)
    #expect(steps.last?.problem?.contains("the link is away") == true, "\(steps)")
  }

  /// Where a silent console is all there is, its silence is no reason to give up.
  @Test mutating func aSilentConsoleIsNotTheEnd() async throws {
    equipment.bootSeconds = 1
    equipment.sysRq = { _, _ in
      throw PlainFailure(.target, "rock: its console stays silent at SysRq")
    }
    board.isAway.isSet = true
    let ladder = ladder()
    let steps = try await ladder.bringBack(ladder.rungs(from: .sysrq), interrupt: Interrupt())
    #expect(steps.map(\.rung) == [.sysrq, .reconnect] && !steps.isBack, "\(steps)")
  }

  /// It is waited for no longer where somebody says how long, or where its power did not help.
  @Test(arguments: [true, false])
  mutating func whatIsSaidOrHarderIsTheEnd(isSaid: Bool) async throws {
    equipment.bootSeconds = 3600
    var reconnect = RungPlan(.reconnect)
    if isSaid { reconnect.timeoutSeconds = 0.2 }
    var power = RungPlan(.powerCycle, count: 1)
    power.timeoutSeconds = 0.1
    if !isSaid { equipment.power = try board.control(on: ["true"]) }
    use(reconnect, power)
    board.isAway.isSet = true
    let ladder = ladder()
    let steps = try await ladder.bringBack(ladder.rungs(from: .reconnect), interrupt: Interrupt())
    #expect(steps.map(\.rung) == (isSaid ? [.reconnect] : [.reconnect, .powerCycle]), "\(steps)")
  }

  @Test mutating func aBoardThatLoopsIsNotWaitedFor() async throws {
    let log = try TemporaryDirectory()
    let name = "/00000000000000000000.bytes"
    try log.write("", to: name)
    // Nothing but the loop ends this within the test's time.
    equipment.bootSeconds = 3600
    board.isAway.isSet = true
    // Over and over: what the console said before this wait is of no boot of it.
    let loop = Process()
    loop.executableURL = URL(fileURLWithPath: "/bin/sh")
    loop.arguments = [
      "-c",
      #"while [ -e "$0" ]; do printf 'U-Boot 2023.01\r\n' >>"$0"; sleep 0.05; done"#,
      log.path + name
    ]
    try loop.run()
    defer { loop.terminate() }
    let ladder = ladder(consoleLog: log.path)
    let steps = try await ladder.bringBack(ladder.rungs(from: .reconnect), interrupt: Interrupt())
    #expect(
      steps.last?.problem?.contains("rock: boots in a loop: its console said 'U-Boot 2023.01'")
        == true, "\(steps)")
  }

  // MARK: What is wrong

  @Test mutating func aProbeThatNeverSucceedsIsSaid() async throws {
    equipment.power = try board.control(on: board.bootingWords(2))
    equipment.bootProbe = "exit 1"
    use(RungPlan(.powerCycle, count: 1))
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(
      problem.contains("rock: answers, but has not booted to the end: the probe fails"),
      "\(problem)")
  }

  @Test(arguments: [["true"], ["sh", "-c", "exit 0"]] as [[Value]])
  mutating func aBoardWhoseBootIDNeverChangesIsSaid(on: [Value]) async throws {
    equipment.power = try board.control(on: on)
    use(RungPlan(.powerCycle, count: 1))
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(problem.contains("rock: not back in time: it answers"), "\(problem)")
    #expect(problem.contains("its boot id is still \(FakeBoard.bootID(1))"), "\(problem)")
  }

  @Test mutating func aBoardThatBootedUnderAnOldBootIDIsSaidAtOnce() async throws {
    // Up for less long than the wait goes on, and with the boot id of before.
    try board.tree.write(["/proc/uptime": "0.00 0.00\n"])
    equipment.power = try board.control(on: ["true"])
    equipment.bootSeconds = 600
    use(RungPlan(.powerCycle, count: 1))
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(
      problem.contains("rock: has rebooted under the boot id of before, \(FakeBoard.bootID(1))"),
      "\(problem)")
  }

  @Test mutating func aSwitchThatLiesIsSaid() async throws {
    equipment.power = try board.control(on: ["true"], state: ["echo", "off"])
    use(RungPlan(.powerCycle, count: 1))
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(
      problem.contains("power of 'rock' (command): switched on, but it reads off (commanded)"),
      "\(problem)")
  }

  // MARK: Boot loops

  @Test mutating func aBootLoopEndsTheWaitAndIsSaid() async throws {
    let log = try TemporaryDirectory()
    let file = log.path + "/00000000000000000000.bytes"
    try log.write("", to: "/00000000000000000000.bytes")
    let boot = #"printf 'U-Boot 2023.01\r\nHit any key to stop autoboot:  1\r\n' >> "#
    equipment.power = try board.control(
      on: ["sh", "-c", .text("for i in 1 2 3; do \(boot) \(file); done")])
    // Nothing but the loop ends this within the test's time.
    equipment.bootSeconds = 3600
    use(RungPlan(.powerCycle, count: 1))
    let problem = try await climb(ladder(consoleLog: log.path)).last?.problem ?? ""
    #expect(problem.contains("rock: boots in a loop: its console said 'U-Boot 2023.01' 3 times"))
  }

  // MARK: The boot loader

  @Test mutating func aCommandOfThisHostIsTheRescue() async throws {
    var rescue = RungPlan(.bootloader)
    rescue.rescue.run = board.bootingWords(2, also: "test $KELVIN_BOARD = rock").compactMap(\.text)
    use(rescue)
    equipment.bootSeconds = 30
    #expect(try await climb(ladder()).isBack)
    rescue.rescue.run = ["sh", "-c", "echo no image >&2; exit 3"]
    use(rescue)
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(problem.contains("failed: exit code 3") && problem.contains("no image"), "\(problem)")
  }

  @Test mutating func aBoardThatIsNotInFastbootIsSaid() async throws {
    // Nobody listens there.
    equipment.bootLoader = .fastboot(.tcp(try #require(HostAndPort("127.0.0.1:1", defaultPort: 1))))
    var rescue = RungPlan(.bootloader)
    rescue.timeoutSeconds = 1
    use(rescue)
    let problem = try await climb(ladder()).last?.problem ?? ""
    #expect(problem.contains("rock: is not in its boot loader"), "\(problem)")
  }
}

/// Starts of boot loaders and kernels in what a console says.
struct BootCountTests {
  @Test(arguments: [
    ("", 0),
    // One boot has each of them once.
    (
      "U-Boot SPL 2023.01\r\nU-Boot 2023.01 (Jan)\r\nHit any key to stop autoboot:  2 \r\n"
        + "[    0.000000] Booting Linux on physical CPU 0x0\n[    0.000000] Linux version 6.1\n", 1
    ),
    ("[    0.000000] Linux version 6.1\n[    1.000000] x\n[    0.000000] Linux version 6.1\n", 2),
    ("U-Boot 2023.01\rU-Boot 2023.01\nU-Boot 2023.01\n", 3),
    // All that a quiet kernel says in a loop; a boot's panic has an end, too.
    (
      String(
        repeating: "[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n"
          + "[    1.3] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---\n",
        count: 3), 3
    ),
    // A program that prints a version is no boot.
    ("[   12.000000] Linux version 6.1\nlogin: U-Boot 2023.01 is old\n", 0),
    (String(repeating: "x", count: 5000) + "\nU-Boot 2023.01\n", 1)
  ])
  func countsWhatABootDoesOnce(said: String, count: Int) {
    var boots = BootCount()
    // In pieces of any size.
    for byte in said.utf8 { boots.take([byte]) }
    #expect(boots.most?.count ?? 0 == count)
    var whole = BootCount()
    whole.take(Array(said.utf8))
    #expect(whole.most?.count ?? 0 == count)
  }
}
