internal import Glibc

/// Where a pattern of load steps is in a trace of power: by how much the trace is late.
public struct StepAlignment: Sendable, Hashable, Codable {
  /// In nanoseconds, to be added to times of the pattern to find them in the trace: the mean delay of the
  /// response, a lag of the supply or the meter included.
  public var offset: Double
  /// Standard error of ``offset`` in nanoseconds: the scatter of single edges by the root of their number,
  /// and what they have in common.
  public var standardError: Double
  /// The time constant of a first-order lag that is part of ``offset``, in nanoseconds: the spread of the
  /// response in time. 0 when the steps are as sharp as the samples show.
  public var lag: Double
  /// Edges that were used, of all in the pattern.
  public var used: Int
  /// In watts: busy less idle.
  public var contrast: Double

  /// Finds a pattern.
  ///
  /// The energy tells best where it is: it is summed over the pattern's busy times less its idle ones, for
  /// each offset. Then each edge is placed so that the area under it is right: that
  /// needs no model of its shape.
  ///
  /// - Parameters:
  ///   - times: of the trace, mapped to the host's clock; ascending.
  ///   - power: in watts.
  ///   - searching: offsets in nanoseconds.
  /// - Throws: `target` when the pattern is not in the trace.
  public static func find(
    _ pattern: StepPattern, times: [Int64], power: [Double], searching: ClosedRange<Int64>
  ) throws(FigureFailure) -> StepAlignment {
    let edges = pattern.edges
    guard times.count == power.count, times.count >= 16, edges.count >= 4 else {
      throw FigureFailure(
        .configuration,
        "alignment: \(edges.count) edges and \(times.count) samples; it takes 4 and 16")
    }
    guard zip(times, times.dropFirst()).allSatisfy(<), zip(edges, edges.dropFirst()).allSatisfy(<)
    else { throw FigureFailure(.internal, "alignment: times that do not ascend") }
    let trace = CumulativeEnergy(times: times, power: power)
    guard let dwell = zip(edges.dropFirst(), edges).map({ $0 - $1 }).min() else {
      throw FigureFailure(.configuration, "alignment: no edges")
    }
    var offset = try coarse(edges, dwell, trace, searching)
    var found: [Edge] = []
    for _ in 0..<3 {
      found = edges.indices.compactMap { edge($0, edges, dwell, offset, trace) }
      guard found.count >= 4 else { break }
      offset = Self.median(found.map(\.time))
    }
    let contrast = found.isEmpty ? 0 : Self.median(found.map(\.step))
    // What is no step of the load is as often down as up.
    let real = found.filter { $0.step > contrast / 2 }
    guard contrast > 0, real.count >= 4, real.count * 2 >= edges.count else {
      throw FigureFailure(
        .target, "alignment: the pattern of \(edges.count) load steps is not in the trace",
        hint: "check that the meter measures this board, and that the load is felt")
    }
    let middle = Self.median(real.map(\.time))
    let spread = Self.median(real.map { abs($0.time - middle) })
    // Noise has steps everywhere, load steps where the pattern has them.
    guard spread < Double(dwell) / 8 else {
      throw FigureFailure(
        .target, "alignment: steps of power do not follow the pattern of load steps",
        hint: "check that the meter measures this board, and that the load is felt")
    }
    let used = real.filter { abs($0.time - middle) <= max(6 * spread, 1) }
    let n = Double(used.count)
    let mean = used.map(\.time).reduce(0, +) / n
    let variance = used.map { ($0.time - mean) * ($0.time - mean) }.reduce(0, +) / (n - 1)
    let step = Double(times[times.count - 1] - times[0]) / Double(times.count - 1)
    // A step between two samples looks like a ramp from one to the next: a variance of h²/12.
    let width = used.map(\.width).reduce(0, +) / n - step * step / 12
    let lag = max(0, width).squareRoot()
    // Where a sharp step is between two samples cannot be seen; only edges that meet the samples at
    // different places make up for that.
    let common = lag > step ? 0 : step / 12.0.squareRoot() * Self.likeness(used, edges, step)
    let early = lag > step ? used.map { $0.unsettled(lag) }.reduce(0, +) / n : 0
    // Corrected for a lag of first order; another response may need none of it, or twice as much.
    let squares = variance / n + common * common + early * early / 3
    return StepAlignment(
      offset: mean + early, standardError: squares.squareRoot(), lag: lag, used: used.count,
      contrast: contrast)
  }

  /// 0 when edges are spread evenly between samples, 1 when all are at the same place: the length of their
  /// mean on a circle.
  private static func likeness(_ used: [Edge], _ edges: [Int64], _ step: Double) -> Double {
    var (x, y) = (0.0, 0.0)
    for edge in used {
      let place = Double(edges[edge.index] - edges[0]) / step
      let angle = 2 * Double.pi * (place - place.rounded(.down))
      x += cos(angle)
      y += sin(angle)
    }
    return (x * x + y * y).squareRoot() / Double(used.count)
  }

  private struct Edge {
    var index: Int
    /// After its place in the pattern.
    var time: Double
    /// In watts, in the direction of the pattern.
    var step: Double
    /// The variance of the response in time.
    var width: Double
    /// Where the level behind it is taken, in nanoseconds after it.
    var level: (from: Double, to: Double)

    /// By how much a lag of first order makes it seem early, in nanoseconds, because the level behind
    /// it is taken before the response has settled (docs/measurement.md).
    func unsettled(_ lag: Double) -> Double {
      // The response begins one lag before where a sharp step would be.
      let (from, to) = (level.from + lag, level.to + lag)
      let last = exp(-to / lag)
      let missing = lag * (exp(-from / lag) - last) / (to - from)
      return (missing * (to - lag) + lag * last) / (1 - missing)
    }
  }

  private static func coarse(
    _ edges: [Int64], _ dwell: Int64, _ trace: CumulativeEnergy, _ range: ClosedRange<Int64>
  ) throws(FigureFailure) -> Double {
    let step = max(1, Double(dwell) / 8)
    let width = Double(range.upperBound) - Double(range.lowerBound)
    guard width / step <= 1e6 else {
      throw FigureFailure(.configuration, "alignment: the range of offsets is too wide to search")
    }
    var best = (score: -Double.infinity, offset: Double(range.lowerBound))
    for index in 0...Int(width / step) {
      let offset = Double(range.lowerBound) + Double(index) * step
      var score = 0.0
      for (place, pair) in zip(edges, edges.dropFirst()).enumerated() {
        let from = Double(pair.0) + offset
        let to = Double(pair.1) + offset
        let energy = trace.energy(from: from, to: to) - trace.mean * (to - from)
        score += place % 2 == 0 ? energy : -energy
      }
      if score > best.score { best = (score, offset) }
    }
    return best.offset
  }

  /// Places one edge; nil at the ends of the trace or where nothing steps.
  private static func edge(
    _ index: Int, _ edges: [Int64], _ dwell: Int64, _ offset: Double, _ trace: CumulativeEnergy
  ) -> Edge? {
    let at = Double(edges[index]) + offset
    let d = Double(dwell)
    let before = index > 0 ? Double(edges[index] - edges[index - 1]) : 2 * d
    let after = index + 1 < edges.count ? Double(edges[index + 1] - edges[index]) : 2 * d
    // Levels from where the response has settled; of long dwells, not more than is useful.
    let (a0, a1) = (at - min(before * 0.4, 2 * d), at - d * 0.15)
    let (b0, b1) = (at + min(after, 2 * d) * 0.55, at + min(after, 2 * d) * 0.82)
    guard a0 >= trace.start, b1 <= trace.end else { return nil }
    let low = trace.energy(from: a0, to: a1) / (a1 - a0)
    let high = trace.energy(from: b0, to: b1) / (b1 - b0)
    let step = high - low
    guard step != 0 else { return nil }
    // ∫(1 − r) dt from a1 to b1, r the response from 0 to 1: when a sharp step would be.
    let area = (high * (b1 - a1) - trace.energy(from: a1, to: b1)) / step
    guard area.isFinite, abs(area - (at - a1)) < d else { return nil }
    let moment =
      2 * (high * (b1 - a1) * (b1 - a1) / 2 - trace.moment(from: a1, to: b1)) / step
    return Edge(
      index: index, time: area + a1 - Double(edges[index]), step: index % 2 == 0 ? step : -step,
      width: moment - area * area, level: (b0 - at, b1 - at))
  }

  private static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// The integral of a trace, and of its times as well, up to any time; straight lines between samples.
private struct CumulativeEnergy {
  let times: [Int64]
  let power: [Double]
  /// In watts times nanoseconds, after the first sample.
  private let sums: [Double]
  let mean: Double
  var start: Double { Double(times[0]) }
  var end: Double { Double(times[times.count - 1]) }

  init(times: [Int64], power: [Double]) {
    self.times = times
    self.power = power
    var sums = [0.0]
    var sum = CompensatedSum()
    for index in 1..<times.count {
      sum.add((power[index - 1] + power[index]) / 2 * Double(times[index] - times[index - 1]))
      sums.append(sum.value)
    }
    self.sums = sums
    mean = sum.value / Double(times[times.count - 1] - times[0])
  }

  func energy(from: Double, to: Double) -> Double { upTo(to) - upTo(from) }

  /// ∫(t − from)·p dt.
  func moment(from: Double, to: Double) -> Double {
    var sum = 0.0
    var left = from
    while left < to {
      let index = place(left)
      let right = min(to, index + 1 < times.count ? Double(times[index + 1]) : to)
      guard right > left else { break }
      // Simpson's rule is exact for a product of two straight lines.
      let middle = (left + right) / 2
      sum +=
        ((left - from) * value(left, index) + 4 * (middle - from) * value(middle, index)
          + (right - from) * value(right, index)) * (right - left) / 6
      left = right
    }
    return sum
  }

  private func upTo(_ time: Double) -> Double {
    let clamped = min(max(time, start), end)
    let index = place(clamped)
    let left = Double(times[index])
    return sums[index] + (power[index] + value(clamped, index)) / 2 * (clamped - left)
  }

  /// The last sample at or before a time, with one after it.
  private func place(_ time: Double) -> Int {
    let whole = Int64(time.rounded(.down))
    return min(max(0, times.upperBound(whole) - 1), times.count - 2)
  }

  private func value(_ time: Double, _ index: Int) -> Double {
    let span = Double(times[index + 1] - times[index])
    return power[index] + (power[index + 1] - power[index]) * (time - Double(times[index])) / span
  }
}
