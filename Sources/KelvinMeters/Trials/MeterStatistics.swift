public import KelvinModel
internal import Synchronization

/// What a meter's values are like, channel by channel: the sink of its trials. Bounded memory.
public final class MeterStatistics: BlockSink {
  /// Of one channel, in its unit.
  public struct ChannelFigures: Sendable, Hashable {
    public var channel: Channel
    public var count: Int64 = 0
    public var mean = 0.0
    public var least = Double.infinity
    public var greatest = -Double.infinity
    /// On the meter's clock, in nanoseconds.
    public var first: Int64 = 0
    public var last: Int64 = 0
    public var longestStep: Int64 = 0
    /// Values at an end of the channel's range; a lower end of 0 is no end.
    public var atEnds: Int64 = 0
    /// Readings of a counter that were less than the one before.
    public var wentBack: Int64 = 0
    /// What a counter counted between its first and its last reading, as far as it went forward.
    public var counted = 0.0
    public var isStuck = false
    /// Conversions that were read again; nil when none were.
    public var repeats: RepeatFinder.Finding?
    fileprivate var squares = 0.0

    /// The standard deviation of one value; 0 for less than two.
    public var deviation: Double {
      count > 1 ? (squares / Double(count - 1)).squareRoot() : 0
    }
    /// The standard uncertainty of ``mean`` by the scatter: of conversions, where values repeat.
    public var meanUncertainty: Double {
      guard count > 1 else { return 0 }
      let share = repeats.map { Double(count - $0.repeats) / Double(count) } ?? 1
      return deviation / max(1, Double(count) * share).squareRoot()
    }
    /// Values a second; nil for less than two.
    public var rate: Double? {
      count > 1 && last > first ? Double(count - 1) / (Double(last - first) * 1e-9) : nil
    }
    /// Of an energy counter: watts; nil for anything else.
    public var meanPower: Double? {
      guard channel.kind == .energy, channel.wrap != nil, last > first else { return nil }
      return counted / (Double(last - first) * 1e-9)
    }
  }

  private struct State {
    var figures: [ChannelFigures]
    var finders: [RepeatFinder]
    var lastCodes: [Int64]
    var events: [CaptureEvent] = []
    var forgotten = 0
  }
  private let state: Mutex<State>
  private static let mostEvents = 10_000

  /// Begins without a value.
  public init(_ channels: [Channel]) {
    state = Mutex(
      State(
        figures: channels.map { ChannelFigures(channel: $0) },
        finders: channels.map { _ in RepeatFinder() }, lastCodes: channels.map { _ in 0 }))
  }

  public func take(_ blocks: [SampleBlock]) {
    state.withLock { state in
      for block in blocks where state.figures.indices.contains(block.channel) {
        state.finders[block.channel].add(block)
        for (place, code) in block.codes.enumerated() where place < block.times.count {
          let last = state.lastCodes[block.channel]
          state.figures[block.channel].add(code, after: last, at: block.times[place])
          state.lastCodes[block.channel] = code
        }
      }
    }
  }

  public func take(_ event: CaptureEvent) {
    state.withLock { state in
      if state.events.count < MeterStatistics.mostEvents {
        state.events.append(event)
      } else {
        state.forgotten += 1
      }
    }
  }

  /// Values of the channel that has the fewest.
  public var fewest: Int64 { state.withLock { $0.figures.map(\.count).min() ?? 0 } }

  /// The figures so far, in the order of the channels.
  public var figures: [ChannelFigures] {
    state.withLock { state in
      state.figures.indices.map { index in
        var figures = state.figures[index]
        figures.isStuck = state.finders[index].isStuck
        figures.repeats = state.finders[index].finding
        return figures
      }
    }
  }

  /// The first events.
  public var events: [CaptureEvent] { state.withLock { $0.events } }
}

extension MeterStatistics.ChannelFigures {
  fileprivate init(channel: Channel) { self.channel = channel }

  /// B. P. Welford, "Note on a method for calculating corrected sums of squares and products",
  /// Technometrics 4 (1962).
  fileprivate mutating func add(_ code: Int64, after before: Int64, at time: Int64) {
    let value = channel.value(of: code)
    if count == 0 {
      first = time
    } else {
      longestStep = max(longestStep, time &- last)
      if channel.wrap != nil {
        if code < before {
          wentBack += 1
        } else {
          counted += Double(code &- before) * channel.scale
        }
      }
    }
    last = time
    count += 1
    let distance = value - mean
    mean += distance / Double(count)
    squares += distance * (value - mean)
    least = min(least, value)
    greatest = max(greatest, value)
    if let range = channel.range,
      value >= range.upperBound || value <= range.lowerBound && range.lowerBound != 0
    {
      atEnds += 1
    }
  }
}
