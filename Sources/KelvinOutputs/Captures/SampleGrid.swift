internal import KelvinModel

/// A fixed rate that the samples of channels fit, for formats that know nothing else: sample n stands
/// at origin + n / rate on the meter's clock.
struct SampleGrid {
  /// Whole samples a second.
  var rate: Int
  /// On the meter's clock, in nanoseconds.
  var origin: Int64
  /// Places, of which some may be empty.
  var count: Int
  /// By how much the time of a sample changes at most, in nanoseconds.
  var deviation: Int64

  var step: Double { 1e9 / Double(rate) }

  func place(_ time: Int64) -> Int {
    Int((Double(time &- origin) / step).rounded())
  }

  func time(_ place: Int) -> Int64 { origin &+ Int64((Double(place) * step).rounded()) }

  /// Finds the grid of channels by the distance of their samples.
  ///
  /// - Returns: nil when no whole rate gives each sample a place of its own, or most places were
  ///   empty.
  static func find(_ source: CaptureSource, channels: [Int]) throws -> SampleGrid? {
    var origin: Int64?
    var step: Double?
    for channel in channels {
      var cursor = try source.cursor(channel)
      guard let block = try cursor.next(), let first = block.times.first else { continue }
      origin = min(origin ?? .max, first)
      if let own = try Self.step(block, &cursor) { step = min(step ?? .infinity, own) }
    }
    guard let origin else { return SampleGrid(rate: 1, origin: 0, count: 0, deviation: 0) }
    let exact = 1e9 / (step ?? 1e9)
    guard exact >= 0.5, exact <= 1e9 else { return nil }
    var grid = SampleGrid(
      rate: max(1, Int(exact.rounded())), origin: origin, count: 0, deviation: 0)
    var samples = 0
    for channel in channels {
      var last = -1
      var collides = false
      try source.forEachBlock(channel) { block in
        for time in block.times {
          let place = grid.place(time)
          collides = collides || place <= last
          last = place
          grid.deviation = max(grid.deviation, abs(time - grid.time(place)))
        }
        samples += block.times.count
      }
      if collides { return nil }
      grid.count = max(grid.count, last + 1)
    }
    // As many again may be missing, and a pause of some length.
    guard grid.count <= samples * 2 + 10_000_000 else { return nil }
    return grid
  }

  /// The median distance of the first samples.
  private static func step(
    _ block: SampleBlock, _ cursor: inout any BlockCursor
  ) throws -> Double? {
    if case .regular(_, let step, let count) = block.times, count > 1, step > 0 { return step }
    var times = Array(block.times.prefix(1000))
    while times.count < 1000, let next = try cursor.next() {
      times += next.times.prefix(1000 - times.count)
    }
    let steps = zip(times, times.dropFirst()).map { $1 - $0 }.sorted()
    guard !steps.isEmpty else { return nil }
    // The mean of what is near the median: a period of 333,333 1/3 ns alternates.
    // Of two in the middle the shorter: a missing sample makes distances longer.
    let median = steps[(steps.count - 1) / 2]
    let near = steps.filter { abs($0 - median) <= median / 10 + 1 }
    let mean = Double(near.reduce(0, +)) / Double(near.count)
    return mean > 0 ? mean : nil
  }
}

/// The values of a channel on a grid, a stretch after the other.
///
/// Of a digital channel it may be that only the ends of stretches of one level were kept: between two equal
/// levels without a gap the level was that all the time, and stands at each place.
struct GridReader {
  private var samples: ChannelReader
  private let grid: SampleGrid
  private var place = 0
  private let isDigital: Bool
  /// Times over which no level is known, in their order; those that have been passed are taken away.
  private var gaps: ArraySlice<CaptureEvent>
  private var last: (place: Int, time: Int64, value: Double)?

  init(_ source: CaptureSource, channel: Int, grid: SampleGrid) throws {
    // A grid is on the meter's clock.
    samples = try ChannelReader(
      cursor: source.cursor(channel), channel: source.channels[channel], clock: .host)
    self.grid = grid
    isDigital = source.channels[channel].kind == .logic
    gaps =
      source.events.filter {
        ($0.kind == .gap || $0.kind == .error || $0.kind == .suspend)
          && ($0.channel ?? channel) == channel
      }.sorted { $0.from < $1.from }[...]
  }

  /// The next values; NaN where there is no sample.
  mutating func next(_ count: Int) throws -> [Double] {
    var values = [Double](repeating: .nan, count: count)
    while let time = samples.time, case let index = grid.place(time) - place, index < count {
      if index >= 0 { values[index] = samples.value }
      if isDigital {
        hold(until: time, samples.value, &values)
        last = (index + place, time, samples.value)
      }
      try samples.advance()
    }
    // The stretch goes on behind what was asked for.
    if isDigital, let time = samples.time { hold(until: time, samples.value, &values) }
    place += count
    return values
  }

  /// Fills the places between the last sample and one of the same level.
  private mutating func hold(until time: Int64, _ value: Double, _ values: inout [Double]) {
    guard let last, last.value == value else { return }
    while let gap = gaps.first, gap.to <= last.time { gaps.removeFirst() }
    if let gap = gaps.first, gap.from < time { return }
    let end = min(grid.place(time) - place, values.count)
    var index = max(0, last.place + 1 - place)
    while index < end {
      values[index] = value
      index += 1
    }
  }
}
