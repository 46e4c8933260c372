/// A time in which the machine that samples slept.
///
/// CLOCK_MONOTONIC stands still meanwhile and CLOCK_BOOTTIME does not (clock_gettime(2)): what their difference
/// grew by is the time asleep.
public struct Suspension: Sendable, Hashable {
  /// The machine was awake then, before and after; on the clock of the samples, in nanoseconds.
  public var from: Int64
  public var to: Int64
  /// Nanoseconds; nil when that it slept is all that is known.
  public var asleep: Int64?
  /// Nanoseconds of that which are not between ``from`` and ``to``: the clock of the samples stood still. 0 where
  /// it went on, as the host's does while a board sleeps.
  public var unseen: Int64
  public var sleeper: Sleeper

  /// Who slept.
  public enum Sleeper: String, Sendable {
    case host = "this machine"
    case board = "the board"
  }

  /// Describes a sleep.
  public init(
    _ sleeper: Sleeper, from: Int64, to: Int64, asleep: Int64?, unseen: Int64 = 0
  ) {
    self.sleeper = sleeper
    self.from = from
    self.to = max(from, to)
    self.asleep = asleep
    self.unseen = max(0, unseen)
  }

  /// What a capture notes of it, for all channels.
  public var event: CaptureEvent {
    let time = asleep.map { "for \(Double($0 / 1_000_000) / 1000) s" } ?? "for an unknown time"
    return CaptureEvent(
      .suspend, from: from, to: to, count: unseen > 0 ? unseen : nil,
      note: "\(sleeper.rawValue) slept \(time)")
  }
}
