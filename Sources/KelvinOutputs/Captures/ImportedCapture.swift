public import KelvinModel

/// A capture that was read from a file: what a run keeps of one, and what the file did not say.
public struct ImportedCapture: Sendable, Hashable {
  public var name: String
  public var meter: MeterIdentity?
  public var channels: [Channel]
  public var clock = ClockFit.host
  public var reference: ClockReference?
  public var events: [CaptureEvent] = []
  /// One list a channel, ascending in time.
  public var blocks: [[SampleBlock]]
  /// What reading changed or left out, for a person.
  public var notes: [String] = []
  /// Why reading ended early; what had been read by then is here. Nil for a whole file.
  public var damage: CaptureFileFailure?

  /// Describes a capture without samples.
  public init(name: String, channels: [Channel], meter: MeterIdentity? = nil) {
    self.name = name
    self.channels = channels
    self.meter = meter
    blocks = Array(repeating: [], count: channels.count)
  }

  /// Samples of all channels together.
  public var count: Int { blocks.joined().reduce(0) { $0 + $1.times.count } }

  /// The most samples that a block gets.
  static let blockCount = 1 << 16

  /// Appends samples of a channel, in blocks of bounded size.
  mutating func append(channel: Int, times: [Int64], codes: [Int64]) {
    var start = 0
    while start < codes.count {
      let end = min(codes.count, start + Self.blockCount)
      blocks[channel].append(
        SampleBlock(
          channel: channel, times: Array(times[start..<end]), codes: Array(codes[start..<end])))
      start = end
    }
  }

  /// Puts the ends of a channel's known gaps onto the samples at a fixed rate that they stand between;
  /// gaps behind what was read of a damaged file are left out.
  mutating func alignGaps(channel: Int, to run: SampleRun) {
    let last = blocks[channel].last?.times.last
    alignGaps(channel: channel) { time in
      let place = (Double(time &- run.origin) / run.step).rounded()
      guard let last, place.magnitude < 0x1p53, case let time = run.time(Int(place)), time <= last
      else { return nil }
      return time
    }
  }

  /// Puts the ends of a channel's known gaps onto the nearest of its samples.
  mutating func alignGaps(channel: Int, to times: [Int64]) {
    alignGaps(channel: channel) { time in
      var low = 0
      var high = times.count
      while low < high {
        let middle = (low + high) / 2
        if times[middle] < time { low = middle + 1 } else { high = middle }
      }
      let near = times[max(0, low - 1)..<min(times.count, low + 1)]
      return near.min { ($0 - time).magnitude < ($1 - time).magnitude }
    }
  }

  private mutating func alignGaps(channel: Int, _ align: (Int64) -> Int64?) {
    events = events.compactMap { event in
      guard event.kind == .gap, event.channel == channel else { return event }
      guard let from = align(event.from), let to = align(event.to), from < to else { return nil }
      var event = event
      (event.from, event.to) = (from, to)
      return event
    }
  }

  /// Appends samples that are a fixed step apart, in nanoseconds, counted from `origin` on.
  mutating func append(
    channel: Int, origin: Int64, step: Double, index: Int, codes: ArraySlice<Int64>
  ) {
    var start = codes.startIndex
    while start < codes.endIndex {
      let end = min(codes.endIndex, start + Self.blockCount)
      let place = Double(index + start - codes.startIndex) * step
      blocks[channel].append(
        SampleBlock(
          channel: channel,
          times: .regular(
            first: origin &+ Int64(place.rounded()), step: step, count: end - start),
          codes: Array(codes[start..<end])))
      start = end
    }
  }
}
