internal import KelvinModel
internal import KelvinSystem

/// This machine's sleep while a board samples for it.
///
/// A board's clock goes on while this machine sleeps, and its CLOCK_MONOTONIC does not: so boards' clocks are compared
/// with a time that goes on, too, and what comes of it is put back on the monotonic clock. Without a suspend both are
/// the same.
struct HostSleep: Sendable {
  private var watch: SuspendWatch
  /// On the time that goes on: awake before, awake after, and how much of that the monotonic clock did not count.
  private var sleeps: [(from: Int64, to: Int64, asleep: Int64)] = []
  private(set) var suspensions: [Suspension] = []

  init(_ first: SuspendWatch.Reading = .precise()) { watch = SuspendWatch(first) }

  /// The time that goes on, now.
  mutating func now() -> Int64 {
    let before = watch.asleep
    let time = MonotonicTime.now.nanoseconds
    if let suspension = watch.look(at: time) { note(suspension, after: before) }
    return time &+ watch.asleep
  }

  /// Looks at clocks; for whoever has read them.
  mutating func look(_ reading: SuspendWatch.Reading) {
    let before = watch.asleep
    if let suspension = watch.look(reading) { note(suspension, after: before) }
  }

  private mutating func note(_ suspension: Suspension, after before: Int64) {
    suspensions.append(suspension)
    sleeps.append(
      (suspension.from &+ before, suspension.to &+ watch.asleep, watch.asleep &- before))
  }

  /// The suspends that were noticed since the last call.
  mutating func takeSuspensions() -> [Suspension] {
    defer { suspensions = [] }
    return suspensions
  }

  /// A time on the monotonic clock. Between two looks nobody knows when this machine fell asleep: there times are
  /// pressed together, so that they keep their order.
  func monotonic(_ time: Int64) -> Int64 {
    var counted: Int64 = 0
    for sleep in sleeps {
      if time <= sleep.from { break }
      if time < sleep.to {
        let whole = Double(sleep.to &- sleep.from)
        let share = Double(time &- sleep.from) / whole
        return sleep.from &- counted &+ Int64(share * (whole - Double(sleep.asleep)))
      }
      counted &+= sleep.asleep
    }
    return time &- counted
  }
}
