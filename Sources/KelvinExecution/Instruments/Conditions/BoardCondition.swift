internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore

/// What is to be waited for, as an agenda says it.
protocol ConditionChoice: Sendable {
  /// Finds what tells it on this target.
  ///
  /// - Parameter earlier: what was found before the target booted anew, which may number its sensors
  ///   otherwise; what was measured then still holds.
  /// - Throws: ``InstrumentUnavailable`` when the target has no such thing; a failure of the link.
  func find(
    on connection: any Connection, after earlier: (any BoardCondition)?, until deadline: Deadline
  ) async throws -> any BoardCondition
}

/// A state of a board that is waited for. Each wait has a copy of its own, which remembers what that
/// wait has seen.
protocol BoardCondition: Sendable {
  /// `cpu-thermal`.
  var subject: String { get }
  /// `at most 45 degC`.
  var wanted: String { get }
  /// What is read for it, each time.
  var paths: [TargetPath] { get }
  /// Seconds that must be seen before it can be told; 0: one reading tells it.
  var window: Double { get }
  /// What its value is in metrics.
  var metric: (name: String, unit: String) { get }

  /// Takes one reading.
  ///
  /// - Parameter contents: of ``paths``, in their order.
  mutating func judge(
    _ contents: ArraySlice<Result<[UInt8], Errno>>, at time: MonotonicTime
  ) -> ConditionReading
}

/// What one reading said.
struct ConditionReading: Sendable, Hashable {
  var isMet: Bool
  /// In the condition's unit; nil when there is none (yet).
  var value: Double?
  /// `51.2 degC`, or what kept it from being read.
  var text: String
}

extension Double {
  /// With one decimal; nothing is minus zero.
  var tenths: String { "\((min(max(self, -1e12), 1e12) * 10).rounded() / 10 + 0)" }
}
