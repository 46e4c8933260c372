internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore

/// A stretch of time whose energy is asked for, on the host's monotonic clock.
struct EnergyInterval: Sendable, Hashable, Codable {
  /// In nanoseconds.
  var from: Int64
  var to: Int64
  /// Standard uncertainty of each end by itself, in nanoseconds.
  var ends: Double = 0
  /// The meter on whose clock both ends were seen: for its own samples the clocks do not matter.
  var meter: String?

  /// In seconds.
  var duration: Double { Double(to - from) * 1e-9 }
}

/// The energies of intervals from a capture as it stands in a run's database: the same whether the process
/// that took it lives or not. Holds some seconds of it in memory at a time.
struct CaptureFigures {
  let capture: CaptureRecord
  /// Samples of a channel in a second; nil when the meter delivers them as they come.
  var rate: Double?
  var voltage: PowerSource.AssumedVoltage?

  /// Samples of a channel that are read at once.
  private static let sliceSamples = 32_768.0
  /// What is read around the intervals, in seconds: samples on both sides of their ends.
  private static let margin = 30.0

  /// The figures of each interval, site by site.
  ///
  /// - Throws: `configuration` when no energy comes of the capture's channels; what keeps it from being read.
  func figures(
    of intervals: [EnergyInterval], in reader: RunReader
  ) throws -> [[MeterFigures.SiteFigure]] {
    guard let first = intervals.map(\.from).min(), let last = intervals.map(\.to).max() else {
      return []
    }
    let clock = capture.clock ?? .host
    let figures = try MeterFigures(
      capture.meter ?? MeterIdentity(name: capture.source, driver: capture.source),
      capture.channels, rate: rate, assuming: voltage,
      intervals: intervals.map {
        clock.meter($0.from)...max(clock.meter($0.from), clock.meter($0.to))
      },
      ends: intervals.map(\.ends).max() ?? 0)
    let margin = Int64(Self.margin * 1e9) + figures.lag
    try feed(figures, clock.meter(first) - margin...clock.meter(last) + margin, reader)
    var own = clock
    own.uncertainty = 0
    return try figures.finish { interval in
      let isOwn = intervals[interval].meter.map { $0 == capture.meter?.name } ?? false
      return FigureConditions(
        clock: isOwn ? own : clock, alignment: figures.alignment, ends: intervals[interval].ends)
    }
  }

  /// Gives it what was measured in some time, channels side by side.
  private func feed(
    _ figures: MeterFigures, _ interval: ClosedRange<Int64>, _ reader: RunReader
  ) throws {
    let slice = Int64(max(1, rate.map { Self.sliceSamples / $0 } ?? 5) * 1e9)
    var events = try reader.events(ofCapture: capture.id)[...]
    var from = interval.lowerBound
    while from <= interval.upperBound {
      let to = min(interval.upperBound, from + slice - 1)
      while let event = events.first, event.from <= to {
        figures.take(event)
        events.removeFirst()
      }
      var blocks: [SampleBlock] = []
      for channel in capture.channels.indices {
        try reader.forEachBlock(ofCapture: capture.id, channel: channel, in: from...to) {
          blocks.append($0)
        }
      }
      if !blocks.isEmpty { figures.take(blocks) }
      from = to + 1
    }
  }
}
