import Glibc
import Testing

@testable import KelvinSystem

/// Nothing is signaled here but by the null signal.
struct SignalGuardTests {
  @Test func initAndGroupsAreNeverSignaled() {
    for processID: Int32 in [.min, -2, -1, 0, 1] {
      #expect(!SignalGuard().allows(processID, startTicks: nil))
      #expect(!SignalGuard().allows(processID, startTicks: 7))
      #expect(!ProcessIdentity(processID: processID, startTicks: 7).signal(0))
    }
  }

  @Test func thisProcessAndAllAboveItAreNeverSignaled() throws {
    var entry = try #require(ProcessEntry(processID: getpid()))
    var count = 0
    while true {
      #expect(!SignalGuard().allows(entry.identity))
      #expect(!SignalGuard().allows(entry.processID, startTicks: nil))
      #expect(!entry.identity.signal(0))
      count += 1
      guard entry.parent > 1, let parent = ProcessEntry(processID: entry.parent) else { break }
      entry = parent
    }
    #expect(count > 1)
  }

  /// A board's process may have a number of this machine's.
  @Test func anotherWithTheSameNumberMayBeSignaled() throws {
    let own = try #require(ProcessEntry(processID: getpid()))
    #expect(SignalGuard().allows(own.processID, startTicks: own.startTicks + 1))
    #expect(SignalGuard().allows(9_999_999, startTicks: nil))
  }

  @Test(.timeLimit(.minutes(1))) func aChildMayBeSignaledAsLongAsItIsTheSame() throws {
    var child: pid_t = 0
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
    defer { words.forEach { free($0) } }
    try #require(posix_spawnp(&child, "sleep", nil, nil, &words, nil) == 0)
    let process = try #require(ProcessIdentity(processID: child))
    #expect(SignalGuard().allows(process))
    // Of another of this number, which is gone.
    #expect(ProcessIdentity(processID: child, startTicks: process.startTicks + 1).signal(SIGKILL))
    #expect(process.isAlive)
    #expect(process.signal(SIGKILL))
    var status: Int32 = 0
    #expect(waitpid(child, &status, 0) == child)
    #expect(status & 0x7f == SIGKILL)
  }
}
