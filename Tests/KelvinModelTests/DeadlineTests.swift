import Glibc
import KelvinModel
import Testing

/// Deadlines and what interrupts them.
@Suite struct DeadlineTests {
  @Test func limitsOnlyEverShorten() {
    let long = Deadline.after(seconds: 100)
    let short = long.limited(toSeconds: 1)
    #expect(short.remainingNanoseconds ?? .max <= 1_000_000_000)
    let still = short.limited(toSeconds: 50)
    #expect(still.time == short.time)
    #expect(Deadline.never.limited(toSeconds: 2).time != nil)
    #expect(Deadline.never.pollMilliseconds == -1)
  }

  @Test func passesWhenItsTimeIsOver() {
    let past = Deadline(time: MonotonicTime(nanoseconds: 1))
    #expect(past.hasPassed)
    #expect(past.pollMilliseconds == 0)
    #expect(!Deadline.after(seconds: 60).hasPassed)
  }

  @Test func durationsBeyondReasonMeanNever() {
    #expect(Deadline.after(seconds: .infinity).time == nil)
    #expect(Deadline.after(seconds: -5).hasPassed)
  }

  @Test func aRaisedInterruptWakesEveryWaiterAndStaysRaised() {
    let interrupt = Interrupt()
    var waiting = pollfd(fd: interrupt.descriptor, events: Int16(POLLIN), revents: 0)
    #expect(poll(&waiting, 1, 0) == 0)
    #expect(!Deadline(time: nil, interrupt: interrupt).isInterrupted)
    interrupt.raise()
    interrupt.raise()
    for _ in 0..<3 {
      #expect(poll(&waiting, 1, 0) == 1)
      #expect(Deadline(time: nil, interrupt: interrupt).isInterrupted)
    }
  }
}
