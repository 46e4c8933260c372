/// What a channel's samples between two times come to, in the channel's unit.
public struct ZoomPoint: Sendable, Hashable {
  /// On the meter's clock, in nanoseconds: a part of the interval that was asked for.
  public var from: Int64
  public var to: Int64
  /// Samples in it; 0 where nothing was measured, and then all that follows is not-a-number or 0.
  public var count: Int64
  public var min: Double
  /// Every sample counts alike; over time it is ``integral`` by ``covered``.
  public var mean: Double
  public var max: Double
  /// Of the value over time, in units times seconds: joules of a channel in watts. By trapezoids, those
  /// over gaps left out.
  public var integral: Double
  /// The time that the integral covers, in seconds.
  public var covered: Double
}

/// Sorts summaries and samples into points at equal distances.
struct ZoomCollector {
  /// The greatest part of a point that a summary may be long and yet count for one point alone. Below 1,
  /// so that summaries in close sequence leave no point empty.
  static let share = 0.75

  let from: Int64
  let to: Int64
  private let width: Double
  private var sums: [Sum]

  private struct Sum {
    var count: Int64 = 0
    var min = Int64.max
    var max = Int64.min
    var total = 0.0
    var integral = 0.0
    var covered: UInt64 = 0
  }

  /// Prepares `points` points between two times, which differ.
  init(from: Int64, to: Int64, points: Int) {
    self.from = from
    self.to = to
    width = Double(UInt64(bitPattern: to &- from)) / Double(points)
    sums = Array(repeating: Sum(), count: points)
  }

  /// How many points.
  var count: Int { sums.count }

  /// The point that a time belongs to; nil outside.
  private func index(_ time: Int64) -> Int? {
    guard time >= from, time <= to else { return nil }
    return Swift.min(sums.count - 1, Int(Double(UInt64(bitPattern: time &- from)) / width))
  }

  /// Whether a summary can be taken whole: it lies within one point, or is so short that it makes
  /// little difference where its ends belong.
  func fits(_ summary: SampleSummary) -> Bool {
    Double(UInt64(bitPattern: summary.last &- summary.first)) <= width * ZoomCollector.share
      || index(summary.first).map { $0 == index(summary.last) } ?? false
  }

  /// Whether any of it lies in the interval.
  func touches(_ summary: SampleSummary) -> Bool { summary.last >= from && summary.first <= to }

  /// Counts a summary at its middle.
  mutating func add(_ summary: SampleSummary, count: Int64) {
    let half = UInt64(bitPattern: summary.last &- summary.first) / 2
    guard let index = index(summary.first &+ Int64(half)) else { return }
    sums[index].count += count
    sums[index].min = Swift.min(sums[index].min, summary.min)
    sums[index].max = Swift.max(sums[index].max, summary.max)
    sums[index].total += summary.sum
    sums[index].integral += summary.integral
    sums[index].covered &+= summary.covered
  }

  /// Counts samples one by one, and the trapezoids between them and from the one before, when there is
  /// one, but for those over gaps.
  mutating func add(
    times: Span<Int64>, codes: Span<Int64>, after previous: SamplePoint?, gaps: [Gap]
  ) {
    var before = previous
    var position = 0
    while position < times.count {
      guard let index = index(times[position]) else {
        before = SamplePoint(time: times[position], code: codes[position])
        position += 1
        continue
      }
      var sum = sums[index]
      // The samples of one point in a loop of their own, up to its end.
      let end =
        index + 1 == sums.count ? to : from &+ Int64(bitPattern: UInt64(Double(index + 1) * width))
      repeat {
        let point = SamplePoint(time: times[position], code: codes[position])
        sum.count &+= 1
        sum.min = Swift.min(sum.min, point.code)
        sum.max = Swift.max(sum.max, point.code)
        sum.total += Double(point.code)
        if let before, gaps.isEmpty || !gaps.touch(from: before.time, to: point.time) {
          sum.integral += before.area(to: point)
          sum.covered &+= UInt64(bitPattern: point.time &- before.time)
        }
        before = point
        position &+= 1
      } while position < times.count && times[position] < end
      sums[index] = sum
    }
  }

  /// The points, in units: value = code · scale + offset.
  func points(scale: Double, offset: Double) -> [ZoomPoint] {
    sums.enumerated().map { index, sum in
      let start = from &+ Int64(bitPattern: UInt64(Double(index) * width))
      let end =
        index + 1 == sums.count ? to : from &+ Int64(bitPattern: UInt64(Double(index + 1) * width))
      guard sum.count > 0 else {
        return ZoomPoint(
          from: start, to: end, count: 0, min: .nan, mean: .nan, max: .nan, integral: 0,
          covered: 0)
      }
      let ends = [Double(sum.min) * scale + offset, Double(sum.max) * scale + offset]
      return ZoomPoint(
        from: start, to: end, count: sum.count, min: Swift.min(ends[0], ends[1]),
        mean: sum.total / Double(sum.count) * scale + offset, max: Swift.max(ends[0], ends[1]),
        integral: (sum.integral * scale + offset * Double(sum.covered)) / 1e9,
        covered: Double(sum.covered) / 1e9)
    }
  }
}
