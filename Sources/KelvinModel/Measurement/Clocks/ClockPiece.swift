/// Observations of two clocks that run on without a jump.
struct ClockPiece: Sendable {
  struct Point: Sendable {
    /// The meter's time after the first observation, in nanoseconds.
    var x: Double
    /// Host's less meter's time, after that of the first observation, in nanoseconds.
    var y: Double
  }

  struct Line: Sendable {
    var slope: Double
    var height: Double
    /// How far its two supports are apart; 0 for one support.
    var support: Double

    func y(at x: Double) -> Double { height + slope * x }
  }

  /// The lowest and highest observation of a stretch of time.
  private struct Bucket: Sendable {
    var low: Point
    var high: Point
  }

  let origin: Int64
  let offset: Int64
  private(set) var count = 1
  private(set) var lastMeter: Int64
  private(set) var lastX = 0.0
  private var sum = 0.0
  private var hull: [Point]
  private var buckets: [Bucket]
  /// In nanoseconds.
  private var width = 1e6

  private static let mostBuckets = 64
  private static let mostPoints = 4096

  init(meter: Int64, host: Int64) {
    origin = meter
    offset = host &- meter
    lastMeter = meter
    let point = Point(x: 0, y: 0)
    hull = [point]
    buckets = [Bucket(low: point, high: point)]
  }

  func point(meter: Int64, host: Int64) -> Point {
    Point(x: Double(meter &- origin), y: Double((host &- meter) &- offset))
  }

  mutating func add(meter: Int64, host: Int64, greatestSkew: Double) {
    guard meter > lastMeter else { return }
    let new = point(meter: meter, host: host)
    count += 1
    lastMeter = meter
    lastX = new.x
    sum += new.x
    while hull.count >= 2 {
      let (a, b) = (hull[hull.count - 2], hull[hull.count - 1])
      guard (b.y - a.y) * (new.x - a.x) >= (new.y - a.y) * (b.x - a.x) else { break }
      hull.removeLast()
    }
    hull.append(new)
    if hull.count > Self.mostPoints {
      // Every other point of so round a hull moves it by next to nothing.
      hull = hull.enumerated().filter { $0.offset % 2 == 0 || $0.offset == hull.count - 1 }
        .map(\.element)
    }
    addToBucket(new, greatestSkew: greatestSkew)
  }

  private mutating func addToBucket(_ point: Point, greatestSkew: Double) {
    let last = buckets.count - 1
    let slope = line(greatestSkew: greatestSkew)?.slope ?? 0
    if Int(buckets[last].low.x / width) == Int(point.x / width) {
      buckets[last] = Self.joined(
        buckets[last], Bucket(low: point, high: point), slope: slope)
      return
    }
    buckets.append(Bucket(low: point, high: point))
    while buckets.count > Self.mostBuckets {
      width *= 2
      var joined: [Bucket] = []
      for bucket in buckets {
        if let before = joined.last, Int(before.low.x / width) == Int(bucket.low.x / width) {
          joined[joined.count - 1] = Self.joined(before, bucket, slope: slope)
        } else {
          joined.append(bucket)
        }
      }
      buckets = joined
    }
  }

  private static func joined(_ a: Bucket, _ b: Bucket, slope: Double) -> Bucket {
    func height(_ point: Point) -> Double { point.y - slope * point.x }
    return Bucket(
      low: height(a.low) <= height(b.low) ? a.low : b.low,
      high: height(a.high) >= height(b.high) ? a.high : b.high)
  }

  /// The line under all observations that is closest to them in sum; nil for one observation.
  func line(greatestSkew: Double) -> Line? {
    guard count > 1, hull.count > 1 else { return nil }
    let mean = sum / Double(count)
    var (low, high) = (0, hull.count - 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if hull[middle].x <= mean { low = middle } else { high = middle }
    }
    let (a, b) = (hull[low], hull[high])
    let slope = (b.y - a.y) / (b.x - a.x)
    guard abs(slope) > greatestSkew else {
      return Line(slope: slope, height: a.y - slope * a.x, support: b.x - a.x)
    }
    return touching(slope > 0 ? greatestSkew : -greatestSkew)
  }

  private func touching(_ slope: Double) -> Line {
    let height = hull.map { $0.y - slope * $0.x }.min() ?? 0
    return Line(slope: slope, height: height, support: 0)
  }

  func fit(greatestSkew: Double, leastDelay: ClosedRange<Double>) -> ClockFit? {
    guard var line = self.line(greatestSkew: greatestSkew) else { return nil }
    var spread = scatter(over: line)
    // What a line cannot know better than its limit is not fitted at all: a short capture says nothing
    // of the clock's rate.
    let limit = greatestSkew / 3.0.squareRoot()
    var skewUncertainty = line.support > 0 ? 2.0.squareRoot() * spread / line.support : limit
    if line.support == 0 || skewUncertainty >= limit || count < 8 {
      line = touching(0)
      spread = scatter(over: line)
      skewUncertainty = limit
    }
    let middle = lastX / 2
    let atEnds = skewUncertainty * middle
    let delay = (leastDelay.upperBound - leastDelay.lowerBound) / 12.0.squareRoot()
    let residual = buckets.map { max($0.high.y - line.y(at: $0.high.x), 0) }.max() ?? 0
    let constant =
      line.y(at: middle.rounded()) - (leastDelay.lowerBound + leastDelay.upperBound) / 2
    return ClockFit(
      origin: origin &+ Int64(middle.rounded()), offset: offset &+ Int64(constant.rounded()),
      skew: line.slope,
      uncertainty: (spread * spread + atEnds * atEnds + delay * delay).squareRoot(),
      residual: residual, count: count, skewUncertainty: skewUncertainty)
  }

  /// How much the shortest delays of stretches of time differ: the root of their mean square above the line,
  /// which took two of them (or one) for its own.
  private func scatter(over line: Line) -> Double {
    let lows = buckets.map { max(0, $0.low.y - line.y(at: $0.low.x)) }
    let squares = lows.reduce(0) { $0 + $1 * $1 }
    let freedom = max(1, lows.count - (line.support > 0 ? 2 : 1))
    if lows.count < 4 {
      // Too few stretches to tell: all that was seen.
      return buckets.map { max(0, $0.high.y - line.y(at: $0.high.x)) }.max() ?? 0
    }
    return (squares / Double(freedom)).squareRoot()
  }
}
