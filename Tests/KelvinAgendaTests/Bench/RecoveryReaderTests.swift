import KelvinAgenda
import KelvinModel
import Testing

/// `recovery` of boards and of profiles.
@Suite struct RecoveryReaderTests {
  private static let board =
    "connection: {ssh: {host: h}}, console: {serial: {path: /dev/ttyS0}}, reset: {dtr: {path: /d}}, "
    + "power: {qmp: {path: /q}}, "

  private func ladder(_ text: String) throws -> [RungPlan] {
    let read = BenchText(board: Self.board + "recovery: \(text)")
    #expect(read.lines == [])
    return try #require(read.bench.boards.first?.recovery).rungs
  }

  @Test func aBoardWithoutOneHasNone() {
    #expect(BenchText(board: "connection: local").bench.boards.first?.recovery == nil)
  }

  @Test func rungsStandInTheOrderWritten() throws {
    let rungs = try ladder("[reconnect, power-cycle, {reset: ~}, reboot]")
    #expect(rungs == [.reconnect, .powerCycle, .reset, .reboot].map { RungPlan($0) })
    #expect(rungs.map(\.count) == [1, 2, 2, 1])
  }

  @Test func eachRungHasItsOptions() throws {
    let rungs = try ladder(
      """
      [{reconnect: {timeout: 30 s, count: 2}}, {sysrq: {keys: eisub}},
      {reset: {pulse: 500 ms}}, {power_cycle: {count: 3, off: 5, timeout: 2 min}},
      {bootloader: {run: lab-rescue rock, count: 1}}]
      """)
    #expect(rungs[0].timeoutSeconds == 30 && rungs[0].count == 2)
    #expect(rungs[1].keys == "eisub" && rungs[1].timeoutSeconds == nil)
    #expect(rungs[2].pulseSeconds == 0.5)
    #expect(rungs[3].count == 3 && rungs[3].offSeconds == 5 && rungs[3].timeoutSeconds == 120)
    #expect(rungs[4].rescue.run == ["lab-rescue", "rock"])
  }

  @Test func aLoopIsSoManyStarts() {
    let read = BenchText(board: "connection: local, boot: {starts: 4}")
    #expect(read.bench.boards.first?.boot.starts == 4)
    #expect(
      BenchText(board: "connection: local, boot: {starts: 1}").lines == [
        "bench.yaml:1:66: error: board 'a': boot: starts: expected between 2 and 1000, found '1'"
      ])
  }

  @Test(arguments: [
    ("power_cycle", "recovery: expected a list of rungs, found 'power_cycle'"),
    ("[]", "recovery: expected a list of rungs, found an empty list"),
    ("[powercycle]", "recovery: unknown rung 'powercycle'; did you mean 'power_cycle'?"),
    ("[quarantine]", "recovery: unknown rung 'quarantine'"),
    ("[{reset: 3}]", "recovery: reset: expected a map of options, found '3'"),
    ("[{reset: {}, reboot: {}}]", "recovery: expected a rung, or one rung with its options"),
    ("[[reset]]", "recovery: expected a rung, or one rung with its options, found a list"),
    (
      "[{power_cycle: {count: 0}}]",
      "recovery: power_cycle: count: expected between 1 and 20, found '0'"
    ),
    ("[{reboot: {off: 3 s}}]", "recovery: reboot: unknown key 'off'"),
    ("[{reconnect: {timeout: 0}}]", "recovery: reconnect: timeout: expected between"),
    ("[{sysrq: {keys: 'S U B'}}]", "recovery: sysrq: keys: expected letters and digits"),
    ("[{sysrq: {keys: ''}}]", "recovery: sysrq: keys: expected letters and digits"),
    ("[reset, reboot, reset]", "recovery: 'reset' is already a rung at bench.yaml:1:"),
    (
      "[{bootloader: {run: [x], flash: {boot: a.img}}}]",
      "recovery: bootloader: 'flash' and 'run' exclude each other"
    )
  ])
  func mistakesAreToldWhereTheyStand(text: String, message: String) {
    let read = BenchText(board: Self.board + "recovery: \(text)")
    #expect(read.lines.count == 1, "\(read.lines)")
    #expect(
      read.lines.first?.contains("error: board 'a': \(message)") == true, "\(read.lines)")
    #expect(read.lines.first?.hasPrefix("bench.yaml:1:") == true)
  }

  @Test(arguments: [
    ("sysrq", "sysrq: it has no console"), ("reset", "reset: it has no reset line; add 'reset'"),
    ("power_cycle", "power_cycle: nothing switches its power; add 'power'"),
    ("bootloader", "bootloader: its boot loader cannot be reached; add 'bootloader'")
  ])
  func aRungWithoutItsEquipmentIsRefused(rung: String, message: String) {
    let read = BenchText(board: "connection: local, recovery: [reconnect, \(rung)]")
    #expect(read.lines.count == 1)
    #expect(
      read.lines.first?.contains("error: board 'a': recovery: \(message)") == true,
      "\(read.lines)")
    #expect(read.lines.first?.hasPrefix("bench.yaml:1:73:") == true, "\(read.lines)")
  }

  @Test func aSupplyThatMeasuresIsNotSwitchedYet() {
    let read = BenchText(
      """
      boards: {a: {profile: rock-5b, connection: local, power: {meter: m}, recovery: [power_cycle]}}
      meters: {m: {driver: ppk2}}
      """)
    #expect(read.lines.first?.contains("its power comes from a meter") == true, "\(read.lines)")
  }

  // MARK: profiles

  private static let profile = "title: x\nplatform: linux\nrecovery: "

  @Test func aProfileHasALadderForItsKind() throws {
    // What a bench of it has is not known.
    let folder = Folder([
      "boards/mine.yaml": Self.profile + "[reconnect, {power_cycle: {off: 10 s}}]"
    ])
    let profile = try HardwareProfiles(roots: [folder.path]).board(named: "mine")
    #expect(profile.recovery?.rungs.map(\.rung) == [.reconnect, .powerCycle])
    #expect(profile.recovery?.rungs.last?.offSeconds == 10)
  }

  @Test func mistakesInAProfileAreToldToo() throws {
    let folder = Folder(["boards/mine.yaml": Self.profile + "[reconnet]"])
    let failure = #expect(throws: ConfigurationFailure.self) {
      _ = try HardwareProfiles(roots: [folder.path]).board(named: "mine")
    }
    #expect(
      failure?.diagnostics.map(\.description).first?.hasSuffix(
        "mine.yaml:3:12: error: board profile 'mine': recovery: unknown rung 'reconnet'; did you "
          + "mean 'reconnect'?") == true)
  }
}
