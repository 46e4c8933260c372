internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem

/// Waits until all of some conditions hold at the same time: one round trip for each look.
struct ConditionWait {
  let connection: any Connection
  private(set) var conditions: [any BoardCondition]
  /// Seconds from look to look.
  private let period: Double
  /// Of the last look, by condition.
  private(set) var readings: [ConditionReading] = []

  /// Seconds that a board may take to answer one look.
  private static let lookSeconds = 30.0

  /// Prepares a wait; whatever is told from a window is looked at several times in it.
  init(_ conditions: [any BoardCondition], on connection: any Connection, period: Double) {
    self.conditions = conditions
    self.connection = connection
    let shortest = conditions.map(\.window).filter { $0 > 0 }.min()
    self.period = min(period, shortest.map { $0 / 4 } ?? period)
  }

  var isMet: Bool { readings.allSatisfy(\.isMet) }

  /// Looks once.
  ///
  /// - Throws: when the link fails or the interrupt is raised.
  mutating func look(_ interrupt: Interrupt?) async throws(ConnectionFailure) {
    let begin = MonotonicTime.now
    let contents = try await connection.read(
      conditions.flatMap(\.paths),
      until: .after(seconds: ConditionWait.lookSeconds, interrupt: interrupt))
    let time = MonotonicTime(
      nanoseconds: begin.nanoseconds + (MonotonicTime.now - begin) / 2)
    var rest = contents[...]
    readings = conditions.indices.map { index in
      let count = conditions[index].paths.count
      defer { rest = rest.dropFirst(count) }
      return conditions[index].judge(rest.prefix(count), at: time)
    }
  }

  /// Looks again and again until the conditions hold or the time is over; once more at its end.
  ///
  /// - Throws: when the link fails or the interrupt is raised.
  mutating func wait(until deadline: Deadline) async throws(ConnectionFailure) {
    var next = MonotonicTime.now.nanoseconds
    while !isMet, !deadline.hasPassed {
      // A look that took longer than a period is not made up for.
      next = max(next + Int64(period * 1e9), MonotonicTime.now.nanoseconds)
      let due = min(MonotonicTime(nanoseconds: next), deadline.time ?? .init(nanoseconds: next))
      if case .interrupted = Deadline(time: due, interrupt: deadline.interrupt).wait() {
        throw ConnectionFailure(.interrupted, "stopped while waiting")
      }
      try await look(deadline.interrupt)
    }
  }
}
