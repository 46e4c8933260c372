import Foundation
import Testing

/// Faults in the stages of a job's life, from before its settings to when they are put back: one attempt is
/// lost at most, with a reason, and the board is as it was. All stages and faults: `scripts/bench --only
/// stages`, of which these are a part.
@Suite(.serialized, .needsGuests, .guest("x86-b"), .timeLimit(.minutes(10)))
struct StageFaultTests {
  @Test(arguments: [
    "settings:reboot", "run:ssh-killed", "run:console-unplugged", "restoring:reboot"
  ])
  func oneAttemptIsLostAtMost(stageAndFault: String) throws {
    let board = try #require(VirtualGuest.current)
    let done = try VirtualGuest.program(
      "/usr/bin/python3",
      [
        VirtualGuest.root + "/Benchmarks/stages.py", "rock=\(board.folder)", "--kelvin",
        VirtualGuest.root + "/.build/debug/kelvin", "--case", stageAndFault
      ])
    #expect(done.code == 0, "\(done)")
    #expect(done.output.contains("1 cases, 0 bad"), "\(done)")
  }
}
