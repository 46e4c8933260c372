/// Finds conversions that were read more than once: polling a chip faster than it converts gives runs of
/// equal codes. They are no measurements of their own.
public struct RepeatFinder: Sendable, Hashable {
  /// In nanoseconds: how far apart samples are, on average; nil before the second.
  public var pollPeriod: Double? {
    samples > 1 ? Double(lastTime &- firstTime) / Double(samples - 1) : nil
  }
  public private(set) var samples: Int64 = 0
  private var firstTime: Int64 = 0
  private var lastTime: Int64 = 0
  private var lastCode: Int64?
  private var changedAt: Int64?
  private var changedSample: Int64 = 0
  /// Distances between changes of the code, in samples: how many there were of each.
  private var distances = [Int64](repeating: 0, count: RepeatFinder.most + 1)
  private var changes: Int64 = 0
  private var longestRun: Int64 = 0
  private static let most = 4096

  /// What was found.
  public struct Finding: Sendable, Hashable {
    /// In nanoseconds: how often the meter converts.
    public var conversionPeriod: Double
    /// Hertz of conversions that were seen.
    public var effectiveRate: Double
    /// Samples that repeat the one before them.
    public var repeats: Int64
  }

  /// Creates one for one channel.
  public init() {}

  /// Adds samples in the order of time.
  public mutating func add(_ block: SampleBlock) {
    for (index, code) in block.codes.enumerated() where index < block.times.count {
      let time = block.times[index]
      if samples == 0 { firstTime = time }
      samples += 1
      lastTime = time
      guard code != lastCode else { continue }
      if lastCode != nil {
        if changes > 0 {
          let distance = samples - changedSample
          distances[Int(min(Int64(Self.most), distance))] += 1
          longestRun = max(longestRun, distance)
        }
        changes += 1
        changedSample = samples
        changedAt = time
      }
      lastCode = code
    }
  }

  /// Whether the code stayed the same from the first sample to the last: a steady value, or a chip that
  /// has stopped. Only with many samples it means anything.
  public var isStuck: Bool { samples > 1 && changes == 0 }

  /// Nil when each sample looks like a conversion of its own, or too few changes tell.
  ///
  /// Runs of one code are one conversion, or two that came out the same. With a conversion that takes r
  /// polls, changes come at distances near multiples of r, and hardly ever at less than r − 1. So r is
  /// taken as the mean of the shortest of the distances: those below 1.5 times the tenth percentile.
  public var finding: Finding? {
    guard let pollPeriod, pollPeriod > 0 else { return nil }
    let total = distances.reduce(0, +)
    guard total >= 16 else { return nil }
    var seen: Int64 = 0
    let tenth = distances.firstIndex { count in
      seen += count
      return seen * 10 >= total
    }
    guard let tenth, tenth >= 2 else { return nil }
    let limit = min(Self.most, Int((Double(tenth) * 1.5).rounded(.up)))
    var count: Int64 = 0
    var sum: Int64 = 0
    for distance in 1...limit {
      count += distances[distance]
      sum += distances[distance] * Int64(distance)
    }
    let ratio = Double(sum) / Double(count)
    guard ratio >= 1.5 else { return nil }
    let conversion = pollPeriod * ratio
    return Finding(
      conversionPeriod: conversion, effectiveRate: 1e9 / conversion,
      repeats: samples - Int64((Double(samples) / ratio).rounded()))
  }
}
