/// A run of samples of one channel: raw codes, and when they were taken.
public struct SampleBlock: Sendable, Hashable {
  /// Index into the meter's or the capture's channels.
  public var channel: Int
  /// On the meter's own clock.
  public var times: SampleTimes
  public var codes: [Int64]

  /// Creates a block; as many times as codes, ascending.
  public init(channel: Int, times: SampleTimes, codes: [Int64]) {
    self.channel = channel
    self.times = times
    self.codes = codes
  }

  /// Creates a block of samples that each have their own time, in nanoseconds.
  public init(channel: Int, times: [Int64], codes: [Int64]) {
    self.init(channel: channel, times: .each(times), codes: codes)
  }
}

/// When the samples of a block were taken, in nanoseconds of one clock.
public enum SampleTimes: Sendable, Hashable, RandomAccessCollection {
  case each([Int64])
  /// Sample n was taken at first + round(n·step). A meter that counts its own samples says so, and
  /// its times cost nothing.
  case regular(first: Int64, step: Double, count: Int)

  public var count: Int {
    switch self {
    case .each(let times): times.count
    case .regular(_, _, let count): count
    }
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }

  /// The time of a sample.
  public subscript(index: Int) -> Int64 {
    switch self {
    case .each(let times): times[index]
    case .regular(let first, let step, _): first &+ Int64((Double(index) * step).rounded())
    }
  }

  /// All of them, one by one.
  public var array: [Int64] {
    switch self {
    case .each(let times): times
    case .regular(_, _, let count): (0..<count).map { self[$0] }
    }
  }
}
