import KelvinModel
import Testing

@testable import KelvinStore

struct ZoomTests {
  /// What zooms must come to, from the samples themselves.
  private struct Truth {
    let times: [Int64]
    let values: [Double]

    /// The integral over time in unit seconds and the time covered in seconds, gaps left out.
    func integral(_ gaps: [ClosedRange<Int64>] = []) -> (Double, Double) {
      var (integral, covered) = (0.0, 0.0)
      for index in times.indices.dropFirst() {
        let (a, b) = (times[index - 1], times[index])
        if gaps.contains(where: { $0.lowerBound < b && $0.upperBound > a }) { continue }
        integral += (values[index] + values[index - 1]) / 2 * Double(b - a) / 1e9
        covered += Double(b - a) / 1e9
      }
      return (integral, covered)
    }
  }

  private static func close(_ a: Double, _ b: Double, _ scale: Double = 1) -> Bool {
    abs(a - b) <= 1e-9 * Swift.max(abs(a), abs(b), scale)
  }

  /// 300,000 samples, three levels: whatever the number of points, count, extremes, integral and time
  /// of all of them together are those of the samples, and each border is true to three eighths of a point.
  @Test(.timeLimit(.minutes(1)), arguments: [true, false])
  func agreesWithTheSamples(isRegular: Bool) throws {
    let run = try CaptureRun()
    var generator = SeededGenerator(seed: 21)
    let count = 300_000
    var times: [Int64] = []
    var codes: [Int64] = []
    times.reserveCapacity(count)
    codes.reserveCapacity(count)
    for index in 0..<count {
      times.append(
        Int64(index) * 1000 + (isRegular ? 0 : Int64.random(in: 0...499, using: &generator)))
      codes.append(Int64(index / 1000 % 7) * 100 + Int64.random(in: -50...50, using: &generator))
    }
    for start in stride(from: 0, to: count, by: 40_001) {
      let range = start..<min(start + 40_001, count)
      let part: SampleTimes =
        isRegular
        ? .regular(first: Int64(start) * 1000, step: 1000, count: range.count)
        : .each(Array(times[range]))
      try run.append(SampleBlock(channel: 0, times: part, codes: Array(codes[range])))
    }
    let truth = Truth(times: times, values: codes.map { Double($0) * 0.5 + 1 })
    let (integral, covered) = truth.integral()
    let reader = try run.reader()
    for points in [1, 3, 7, 10, 100, 1000, 1100] {
      let zoom = try reader.zoom(
        capture: run.capture, channel: 0, from: times[0], to: times[count - 1], points: points)
      try #require(zoom.count == points)
      #expect(zoom.first?.from == times[0] && zoom.last?.to == times[count - 1])
      #expect(zoom.reduce(0) { $0 + $1.count } == Int64(count))
      #expect(zoom.map(\.min).min() == truth.values.min())
      #expect(zoom.map(\.max).max() == truth.values.max())
      #expect(Self.close(zoom.reduce(0) { $0 + $1.integral }, integral))
      #expect(Self.close(zoom.reduce(0) { $0 + $1.covered }, covered))
      let total = zoom.reduce(0) { $0 + $1.mean * Double($1.count) }
      #expect(Self.close(total, truth.values.reduce(0, +)))
      for (before, point) in zip(zoom, zoom.dropFirst()) { #expect(before.to == point.from) }
      let each = Double(count) / Double(points)
      for point in zoom {
        #expect(abs(Double(point.count) - each) <= each * 0.75 + 1, "\(points): \(point.count)")
      }
    }
    // Near enough for single samples, every point is exact.
    for start in [0, 5000, 131_000, 299_000] {
      let (from, to) = (times[start], times[start + 999])
      let zoom = try reader.zoom(
        capture: run.capture, channel: 0, from: from, to: to, points: 50)
      var counted = 0
      for point in zoom {
        let inside = (start..<start + 1000).filter {
          times[$0] >= point.from && (times[$0] < point.to || point.to == to)
        }
        // A time within a nanosecond of a border may fall on either side.
        #expect(abs(Int(point.count) - inside.count) <= 1)
        counted += Int(point.count)
      }
      #expect(counted == 1000)
      let part = truth.values[start..<start + 1000]
      #expect(zoom.map(\.min).min() == part.min())
      #expect(zoom.map(\.max).max() == part.max())
    }
  }

  /// Gaps show as points without samples, and add nothing to the integral.
  @Test(arguments: [true, false]) func showsGaps(isRegular: Bool) throws {
    let run = try CaptureRun()
    var times: [Int64] = []
    var gaps: [ClosedRange<Int64>] = []
    var now: Int64 = 0
    for round in 0..<6 {
      let count = 9000 + round * 777
      let part =
        isRegular
        ? SampleTimes.regular(first: now, step: 1000, count: count)
        : .each((0..<count).map { now + Int64($0) * 1000 + Int64($0 % 3) })
      var events: [CaptureEvent] = []
      if let last = times.last {
        gaps.append(last...now)
        events.append(CaptureEvent(.gap, channel: round % 2 == 0 ? 0 : nil, from: last, to: now))
      }
      try run.store.append(
        capture: run.capture,
        blocks: [
          SampleBlock(channel: 0, times: part, codes: Array(repeating: Int64(round), count: count))
        ], events: events)
      times += part.array
      now = (times.last ?? 0) + 20_000_000
    }
    let reader = try run.reader()
    let (codes, end) = (try run.samples().codes, try #require(times.last))
    let truth = Truth(times: times, values: codes.map { Double($0) * 0.5 + 1 })
    let (integral, covered) = truth.integral(gaps)
    for points in [20, 200, 2000] {
      let zoom = try reader.zoom(
        capture: run.capture, channel: 0, from: 0, to: end, points: points)
      #expect(zoom.reduce(0) { $0 + $1.count } == Int64(times.count))
      #expect(Self.close(zoom.reduce(0) { $0 + $1.integral }, integral))
      #expect(Self.close(zoom.reduce(0) { $0 + $1.covered }, covered))
      for point in zoom {
        let isInGap = gaps.contains { $0.lowerBound < point.from && $0.upperBound > point.to }
        if isInGap {
          #expect(point.count == 0 && point.mean.isNaN && point.integral == 0, "\(point)")
        } else if !gaps.contains(where: { $0.overlaps(point.from...point.to) }) {
          #expect(point.count > 0, "\(point)")
        }
      }
    }
  }

  /// What was written in rows of summaries is what the samples come to, entry by entry.
  @Test func writesRowsOfSummaries() throws {
    let run = try CaptureRun()
    let count = 8192 * 257
    for start in stride(from: 0, to: count, by: 1 << 20) {
      let size = min(1 << 20, count - start)
      try run.append(
        SampleBlock(
          channel: 0, times: .regular(first: Int64(start) * 10, step: 10, count: size),
          codes: (start..<start + size).map { Int64($0 >> 7) }))
    }
    let rows = try run.rows()
    // 64 entries of 1024 samples, 64 of 8192, 64 of 65,536: 257 blocks are 32, 4 and half a row.
    #expect(rows.map(\.level) == Array(repeating: 1, count: 32) + [2, 2, 2, 2])
    for row in rows {
      #expect(Pyramid.isWhole(row.data))
      let samples = Pyramid.samples(level: row.level)
      for index in 0..<Pyramid.entriesPerRow {
        let start = (Int64(row.ordinal) * 64 + Int64(index)) * samples
        let entry = Pyramid.entry(index, of: row.data)
        #expect(entry.first == start * 10 && entry.last == (start + samples - 1) * 10)
        #expect(entry.min == start >> 7 && entry.max == (start + samples - 1) >> 7)
        let mean = Double(start >> 7) + Double(samples / 128 - 1) / 2
        #expect(entry.sum == mean * Double(samples))
        #expect(entry.covered == UInt64(samples * 10 - (start == 0 ? 10 : 0)))
      }
    }
  }

  @Test func answersAnyInterval() throws {
    let run = try CaptureRun()
    let reader = try run.reader()
    func zoom(_ from: Int64, _ to: Int64, _ points: Int = 4) throws -> [ZoomPoint] {
      try reader.zoom(capture: run.capture, channel: 0, from: from, to: to, points: points)
    }
    #expect(try zoom(0, 10).map(\.count) == [0, 0, 0, 0])
    try run.append(SampleBlock(channel: 0, times: [10, 20, 30], codes: [1, 2, 3]))
    #expect(try zoom(0, 40).map(\.count) == [0, 1, 1, 1])
    #expect(try zoom(20, 10).isEmpty)
    #expect(try zoom(0, 10, 0).isEmpty)
    #expect(try zoom(.min, .max).reduce(0) { $0 + $1.count } == 3)
    #expect(try zoom(31, 40).map(\.count) == [0, 0, 0, 0])
    #expect(try zoom(0, 9).map(\.count) == [0, 0, 0, 0])
    let middle = try zoom(15, 25, 1)[0]
    #expect(middle.count == 1 && middle.mean == 2 && middle.min == 2 && middle.max == 2)
    expectFailure(.misuse) {
      try reader.zoom(capture: run.capture, channel: 1, from: 0, to: 1, points: 1)
    }
  }

  /// Runs of older versions have none of this, and are read sample by sample.
  @Test(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"), arguments: 1...5)
  func readsRunsOfEachVersion(version: Int) throws {
    let directory = TemporaryDirectory()
    _ = shell(
      """
      mkdir \(directory("run")) && sqlite3 \(directory("run"))/run.db \
      < \(SchemaTests.fixtures)/v\(version).sql
      """)
    let reader = try RunReader(directory: directory("run"))
    let zoom = try reader.zoom(capture: 1, channel: 0, from: 10, to: 31, points: 3)
    #expect(zoom.map(\.count) == [1, 1, 1])
    #expect(zoom.map(\.mean) == [40, 40.5, 39])
    #expect(try reader.interval(ofCapture: 1, channel: 0) == 10...31)
    #expect(abs(zoom.reduce(0) { $0 + $1.integral } - 839.75e-9) < 1e-12)
  }
}
