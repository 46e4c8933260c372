/// What happened in a capture that its samples do not show, or that makes them worth less. Nothing is
/// ever filled in for it.
public struct CaptureEvent: Sendable, Hashable, Codable {
  public var kind: Kind
  /// Index into the capture's channels; nil for all of them.
  public var channel: Int?
  /// When it began and ended, on the meter's own clock, in nanoseconds; equal for a moment.
  public var from: Int64
  public var to: Int64
  /// Of samples that were lost, repeated or saturated, or of times that a counter wrapped; of a suspend the
  /// nanoseconds that are not between ``from`` and ``to``, since the clock of the samples stood still. Nil
  /// when it is not known.
  public var count: Int64?
  /// For people; for a mark, its name.
  public var note: String

  /// What it is.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Samples were lost: between these two times, which were measured, nothing was.
    case gap
    /// The same conversion was read again: samples that are no measurements of their own.
    case repeats
    /// The meter could not tell values beyond its range apart.
    case saturation
    /// The meter changed its range, and what it measured meanwhile may be wrong.
    case rangeSwitch = "range switch"
    /// The reader came too late, and left out what was due.
    case overrun
    /// A counter started again from 0 at its end.
    case wrap
    /// A counter, or the meter itself, started anew.
    case reset
    /// This machine, or the board, was suspended: ``Suspension``.
    case suspend
    /// The clock of the samples, or the wall clock, was set.
    case clockStep = "clock step"
    /// A value could not be read.
    case error
    /// Somebody marked the moment: a phase of a workload, an edge of a digital input.
    case mark

    /// Whether nothing was sampled from its beginning to its end.
    public var isGap: Bool { self == .gap || self == .suspend }
  }

  /// Describes an event.
  public init(
    _ kind: Kind, channel: Int? = nil, from: Int64, to: Int64, count: Int64? = nil,
    note: String = ""
  ) {
    self.kind = kind
    self.channel = channel
    self.from = from
    self.to = to
    self.count = count
    self.note = note
  }
}
