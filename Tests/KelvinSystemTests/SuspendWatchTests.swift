import KelvinModel
import KelvinSystem
import Testing

/// Suspends as two clocks show them: the boottime one runs ahead of the monotonic one by the time asleep.
@Suite struct SuspendWatchTests {
  private static let second: Int64 = 1_000_000_000

  private static func reading(_ monotonic: Int64, ahead: Int64) -> SuspendWatch.Reading {
    SuspendWatch.Reading(monotonic: monotonic, boottime: monotonic + ahead)
  }

  @Test func noticesEachSuspendOnce() {
    let ahead = 500 * Self.second
    var watch = SuspendWatch(Self.reading(10 * Self.second, ahead: ahead))
    #expect(watch.look(Self.reading(11 * Self.second, ahead: ahead)) == nil)
    #expect(
      watch.look(Self.reading(12 * Self.second, ahead: ahead + 4 * Self.second))
        == Suspension(
          .host, from: 11 * Self.second, to: 12 * Self.second, asleep: 4 * Self.second,
          unseen: 4 * Self.second))
    #expect(watch.look(Self.reading(13 * Self.second, ahead: ahead + 4 * Self.second)) == nil)
    let second = watch.look(
      Self.reading(14 * Self.second, ahead: ahead + 4 * Self.second + 20_000_000))
    #expect(second?.asleep == 20_000_000 && second?.from == 13 * Self.second)
    #expect(watch.asleep == 4 * Self.second + 20_000_000)
  }

  /// What lies between two readings, a clock that goes back by a hair, and a thread that was put aside.
  @Test(arguments: [-5_000, 0, 900, 1_000_000] as [Int64])
  func takesNothingElseForOne(change: Int64) {
    var watch = SuspendWatch(Self.reading(0, ahead: 7))
    for time: Int64 in 1...100 {
      #expect(watch.look(Self.reading(time * Self.second, ahead: 7 + change)) == nil)
    }
    #expect(watch.asleep == 0)
  }

  /// Both clocks of this machine, which does not sleep while tests run; a wall clock that is set is neither.
  @Test func thisMachineIsAwake() {
    var watch = SuspendWatch()
    for _ in 0..<100_000 { #expect(watch.look(at: MonotonicTime.now.nanoseconds) == nil) }
    // Who was put aside between two readings looks again.
    #expect(watch.look(at: MonotonicTime.now.nanoseconds - 50_000_000) == nil)
  }

  @Test func aCaptureNotesIt() {
    let event = Suspension(.board, from: 5, to: 9_000_000_000, asleep: 4_002_999_999).event
    #expect(event.kind == .suspend && event.from == 5 && event.to == 9_000_000_000)
    #expect(event.count == nil && event.note == "the board slept for 4.002 s")
    #expect(Suspension(.host, from: 5, to: 9, asleep: 7, unseen: 7).event.count == 7)
    #expect(
      Suspension(.board, from: 5, to: 9, asleep: nil).event.note
        == "the board slept for an unknown time")
  }
}
