public import KelvinModel

/// A capture as the file formats see it: what was measured, when, and a way to its samples.
///
/// Formats read this and nothing else. Times of blocks and events are on the meter's clock, which
/// ``clock`` maps to the host's monotonic one; those of spans are on the host's.
public struct CaptureSource: Sendable {
  /// What took the samples: an instrument, a meter.
  public var name: String
  public var meter: MeterIdentity?
  public var channels: [Channel]
  public var clock: ClockFit
  public var events: [CaptureEvent]
  /// Readings of the host's clocks at one moment; nil when nobody took them.
  public var reference: ClockReference?
  /// Jobs and their stages during the capture.
  public var spans: [CaptureSpan]
  private let open: @Sendable (Int) throws -> any BlockCursor
  /// A walk that is cheaper where nothing else is read meanwhile; nil when there is none.
  private let walk: (@Sendable (Int, (SampleBlock) throws -> Void) throws -> Void)?

  /// Describes a capture.
  ///
  /// - Parameters:
  ///   - walk: calls its second argument with each block of a channel; nil to walk by `blocks`.
  ///   - blocks: opens a walk over a channel's blocks, in ascending order of time.
  public init(
    name: String, channels: [Channel], meter: MeterIdentity? = nil, clock: ClockFit = .host,
    events: [CaptureEvent] = [], reference: ClockReference? = nil, spans: [CaptureSpan] = [],
    walk: (@Sendable (Int, (SampleBlock) throws -> Void) throws -> Void)? = nil,
    blocks: @escaping @Sendable (Int) throws -> any BlockCursor
  ) {
    self.name = name
    self.channels = channels
    self.meter = meter
    self.clock = clock
    self.events = events
    self.reference = reference
    self.spans = spans
    self.walk = walk
    open = blocks
  }

  /// Describes a capture whose blocks are in memory, one list a channel.
  public init(_ capture: ImportedCapture) {
    let blocks = capture.blocks
    self.init(
      name: capture.name, channels: capture.channels, meter: capture.meter, clock: capture.clock,
      events: capture.events, reference: capture.reference,
      blocks: { ListCursor(blocks[$0]) })
  }

  /// Begins a walk over a channel's blocks.
  func cursor(_ channel: Int) throws -> any BlockCursor { try open(channel) }

  /// Calls `body` with each block of a channel, in ascending order of time; one is in memory at a time.
  func forEachBlock(_ channel: Int, _ body: (SampleBlock) throws -> Void) throws {
    if let walk { return try walk(channel, body) }
    var cursor = try open(channel)
    while let block = try cursor.next() { try body(block) }
  }

  /// The same capture with its events on the host's clock, for formats whose times are the host's: how
  /// uncertain the mapping was stays in the clock.
  var describedOnHostClock: CaptureSource {
    var source = self
    source.clock = ClockFit(
      origin: 0, offset: 0, skew: 0, uncertainty: clock.uncertainty, residual: clock.residual,
      count: clock.count, skewUncertainty: clock.skewUncertainty)
    for index in events.indices {
      source.events[index].from = clock.host(events[index].from)
      source.events[index].to = clock.host(events[index].to)
    }
    return source
  }

  /// When the first sample of any channel was taken, on the host's clock; nil when there is none.
  func firstTime() throws -> Int64? {
    var first: Int64?
    for channel in channels.indices {
      var cursor = try open(channel)
      while let block = try cursor.next() {
        guard let time = block.times.first else { continue }
        first = min(first ?? .max, clock.host(time))
        break
      }
    }
    return first
  }

  /// Wall time of a time of the host's monotonic clock; nil when it cannot be told.
  func wall(_ host: Int64) -> Int64? {
    reference.map { host &- $0.monotonic &+ $0.wall }
  }
}

/// A walk over the blocks of a channel.
public protocol BlockCursor {
  /// The next block; nil at the end.
  mutating func next() throws -> SampleBlock?
}

/// A walk over blocks that are in memory.
struct ListCursor: BlockCursor {
  private var rest: ArraySlice<SampleBlock>

  init(_ blocks: [SampleBlock]) { rest = blocks[...] }

  mutating func next() -> SampleBlock? { rest.popFirst() }
}

/// The host's clocks, read together, in nanoseconds.
public struct ClockReference: Sendable, Hashable {
  public var monotonic: Int64
  public var boottime: Int64
  /// Since 1970 in UTC.
  public var wall: Int64

  /// Describes readings.
  public init(monotonic: Int64, boottime: Int64, wall: Int64) {
    self.monotonic = monotonic
    self.boottime = boottime
    self.wall = wall
  }
}

/// A job, an attempt or a stage: what went on from one time to another.
public struct CaptureSpan: Sendable, Hashable {
  public var name: String
  /// 0 for jobs, 1 for what is inside them.
  public var depth: Int
  /// On the host's monotonic clock, in nanoseconds.
  public var from: Int64
  public var to: Int64

  /// Describes a span.
  public init(name: String, depth: Int, from: Int64, to: Int64) {
    self.name = name
    self.depth = depth
    self.from = from
    self.to = to
  }
}
