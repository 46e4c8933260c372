import Glibc
import KelvinExecution
import KelvinModel
import KelvinSystem
import KelvinTargets
import Testing

/// What a check finds out of a board that a script stands for: its power is the word in a file.
@Suite(.timeLimit(.minutes(1)))
struct BenchCheckTests {
  let scratch: TemporaryDirectory
  let board: BoardEntry
  var supply: String { scratch.path + "/supply" }

  init() throws {
    scratch = try TemporaryDirectory()
    let file = scratch.path + "/supply"
    guard creat(file, 0o600) >= 0 else { throw Errno.current }
    try SmallFile.write("on", to: file)
    let place = SourceLocation(file: "bench.yaml", line: 1, column: 1)
    let shell = { (text: String) in Value.list(["sh", "-c", .text(text)]) }
    let power = DriverChoice(
      "command",
      options: [
        "on": shell("echo on > \(file)"), "off": shell("echo off > \(file)"),
        "state": shell("cat \(file)")
      ], location: place)
    board = BoardEntry(
      name: "rock", profile: "x", console: DriverChoice("socket", location: place),
      power: power, location: place)
  }

  private func check(
    interrupt: Interrupt? = nil, console: @escaping @Sendable (_ supply: String?) throws -> Bool
  ) -> BenchCheck {
    let supply = supply
    var check = BenchCheck(
      profile: { _ in nil }, power: PowerHost(warn: { _ in }),
      probe: { _, _, prompts, _ in
        try console(SmallFile.text(supply)) ? prompts.first : nil
      }, switches: true, seconds: 20, interrupt: interrupt)
    check.offSeconds = 0.1
    return check
  }

  @Test func aBoardWhoseConsoleFollowsItsPowerPasses() async {
    let steps = await check { $0 == "on" }.check(board)
    #expect(steps.map(\.part) == ["console", "power", "switching"])
    #expect(steps.allSatisfy { $0.result == .ok })
    #expect(
      steps.last?.detail
        == "off (commanded) and on (commanded) again; a login prompt seen afterwards")
  }

  @Test func aSwitchThatDoesNothingIsFoundOut() async {
    let steps = await check { _ in true }.check(board)
    #expect(steps.last?.result == .failed)
    #expect(
      steps.last?.detail == "switched off (commanded), but its console still shows a login prompt")
    #expect(SmallFile.text(supply) == "on")
  }

  @Test func aBoardThatDoesNotComeBackFails() async {
    let wasOff = Interrupt()
    let steps = await check { supply in
      if supply == "off" { wasOff.raise() }
      return !wasOff.isRaised
    }.check(board)
    #expect(steps.last?.result == .failed)
    #expect(steps.last?.detail.hasSuffix("but the board did not come back") == true)
    #expect(SmallFile.text(supply) == "on")
  }

  @Test func anInterruptedCheckLeavesNoBoardOff() async {
    let interrupt = Interrupt()
    let steps = await check(interrupt: interrupt) { supply in
      if supply == "off" { interrupt.raise() }
      return supply == "on"
    }.check(board)
    #expect(steps.last?.detail == "interrupted; the board is switched on again")
    #expect(SmallFile.text(supply) == "on")
  }

  @Test func whatWasInterruptedHasNotFailed() async {
    let interrupt = Interrupt()
    let steps = await check(interrupt: interrupt) { _ in
      interrupt.raise()
      throw PlainFailure(.infrastructure, "interrupted")
    }.check(board)
    #expect(steps.isEmpty)
    #expect(SmallFile.text(supply) == "on")
  }
}
