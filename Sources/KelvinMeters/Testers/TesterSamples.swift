internal import KelvinModel

/// Gives out readings, and tells what is missing between them. Used by one thread.
struct TesterSamples {
  private let channels: Int
  private let sink: any BlockSink
  /// Readings that were given out.
  private(set) var count: Int64 = 0
  /// Readings that are known to be missing.
  private(set) var lost: Int64 = 0
  private var last: Int64?
  private var missing: (from: Int64, count: Int64, note: String)?

  init(channels: Int, into sink: any BlockSink) {
    self.channels = channels
    self.sink = sink
  }

  /// Gives out a reading of all channels.
  mutating func give(_ codes: [Int64], at time: Int64) {
    let time = max(time, (last ?? .min) &+ (last == nil ? 0 : 1))
    tell(until: time)
    sink.take(
      codes.indices.map { SampleBlock(channel: $0, times: [time], codes: [codes[$0]]) })
    count += 1
    last = time
  }

  /// A reading that should have come at a time did not.
  mutating func miss(_ note: String, at time: Int64) {
    lost += 1
    missing = (missing?.from ?? last ?? time, (missing?.count ?? 0) + 1, missing?.note ?? note)
  }

  /// Something else, behind what was given out.
  mutating func take(_ event: CaptureEvent) { sink.take(event) }

  /// Tells what is still missing at the end.
  mutating func finish(at time: Int64) { tell(until: time) }

  private mutating func tell(until time: Int64) {
    guard let missing else { return }
    sink.take(
      CaptureEvent(
        .gap, from: missing.from, to: max(time, missing.from), count: missing.count,
        note: missing.note))
    self.missing = nil
  }

  /// For the capture's summary, channel by channel.
  var samples: [Int64] { [Int64](repeating: count, count: channels) }
}
