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
