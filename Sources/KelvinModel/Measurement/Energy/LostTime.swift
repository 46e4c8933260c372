/// Time of a figure in which power was not measured, and what could have been used in it.
public struct LostTime: Sendable, Hashable, Codable {
  public var kind: Kind
  /// On the meter's clock, in nanoseconds; within the figure's interval.
  public var from: Int64
  public var to: Int64
  /// Samples that should have been there, or that do not count; nil when it is not known.
  public var samples: Int64?
  /// By a straight line between the samples around, or the nearest one held: in joules. It is in no
  /// measured energy. 0 over a suspend: what is drawn asleep, no sample tells.
  public var interpolated: Double

  /// Why it was lost.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Samples are missing.
    case gap
    /// The meter was at the end of its range.
    case saturation
    /// The meter was changing its range.
    case rangeSwitch = "range switch"
    /// The interval begins before the first sample, or ends after the last.
    case edge
    /// The machine or board was suspended.
    case suspend
    /// A clock was set.
    case clockStep = "clock step"
    /// The meter or a counter started anew, or a counter went backwards.
    case reset
    /// A counter may have gone around more often than can be seen.
    case wrap
    /// Values could not be read.
    case error
  }

  /// Describes a loss.
  public init(
    _ kind: Kind, from: Int64, to: Int64, samples: Int64? = nil, interpolated: Double = 0
  ) {
    self.kind = kind
    self.from = from
    self.to = to
    self.samples = samples
    self.interpolated = interpolated
  }

  /// In nanoseconds.
  public var duration: Int64 { to - from }
}

/// All lost time of a figure.
public struct Losses: Sendable, Hashable, Codable {
  /// In the order of time, neighbors of one kind joined; the first ``limit`` of them.
  public private(set) var spans: [LostTime] = []
  /// How many there were, also those that are not in ``spans``.
  public private(set) var count = 0
  /// In nanoseconds.
  public private(set) var time: [LostTime.Kind: Int64] = [:]
  public private(set) var samples: Int64 = 0
  /// In joules.
  public private(set) var interpolated = 0.0
  /// In nanoseconds, of the time of suspends: what is in no span, since the clock of the interval stood still.
  public private(set) var unseen: Int64 = 0
  private var last: LostTime?

  /// Spans that are kept one by one.
  public static let limit = 1000

  /// Creates what has lost nothing.
  public init() {}

  /// In nanoseconds, what is ``unseen`` included.
  public var duration: Int64 { time.values.reduce(0, &+) }

  /// Adds time of a suspend that the interval's clock did not count.
  mutating func add(unseen nanoseconds: Int64) {
    // Nine years at most, whatever a damaged capture says.
    let nanoseconds = max(0, min(nanoseconds, (1 << 58) - unseen))
    time[.suspend, default: 0] &+= nanoseconds
    unseen &+= nanoseconds
  }

  /// By how much the interpolation of the lost time may be off where power was between what was measured, in
  /// joules. A machine that sleeps draws less than any of its samples: from nothing to the most.
  func likely(least: Double, greatest: Double) -> Double {
    let asleep = Double(time[.suspend] ?? 0) * 1e-9
    let other = Double(duration) * 1e-9 - asleep
    return other * (greatest - least) + asleep * max(abs(least), abs(greatest))
  }

  /// Adds a span that begins where the last one ended, or later.
  public mutating func add(_ span: LostTime) {
    guard span.to > span.from else { return }
    time[span.kind, default: 0] += span.duration
    samples += span.samples ?? 0
    interpolated += span.interpolated
    if var joined = last, joined.kind == span.kind, joined.to == span.from {
      joined.to = span.to
      joined.interpolated += span.interpolated
      if let more = span.samples { joined.samples = (joined.samples ?? 0) + more }
      last = joined
      if count <= Self.limit { spans[count - 1] = joined }
      return
    }
    last = span
    count += 1
    if count <= Self.limit { spans.append(span) }
  }

  /// Makes energies those of another clock's seconds.
  mutating func scale(by factor: Double) {
    interpolated *= factor
    for index in spans.indices { spans[index].interpolated *= factor }
    last?.interpolated *= factor
  }
}
