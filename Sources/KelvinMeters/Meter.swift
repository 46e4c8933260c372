public import KelvinModel
internal import KelvinSystem

/// What measures: one of them, opened and ready. Used by one caller at a time.
public protocol Meter: Sendable {
  /// Which one it is.
  var identity: MeterIdentity { get }
  /// What it measures, in the order in which its blocks number them.
  var channels: [Channel] { get }
  /// Samples of a channel in a second, as it is set; nil when it delivers them as they come.
  var rate: Double? { get }
  /// Raised when the present capture has ended, by itself or not: nothing more comes, and
  /// ``stop(until:)`` tells why. Nil while nothing is captured, and from a meter that cannot tell.
  var isOver: Interrupt? { get }

  /// Begins to measure: from now on blocks go to the sink, until ``stop(until:)``.
  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure)
  /// Ends what was begun, after the last block has gone to the sink. Gives what was counted, also when
  /// the meter has gone meanwhile. Idempotent.
  func stop(until deadline: Deadline) async -> CaptureSummary
  /// Changes what the meter supplies or how it measures; not while it measures unless it says so.
  ///
  /// - Throws: `unsupported` by meters with nothing to set; `invalid` before anything is touched.
  func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure)
  /// How it is: for people.
  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty]
  /// Lets go of it. Idempotent.
  func close() async
}

extension Meter {
  public var isOver: Interrupt? { nil }

  public func set(_ values: [MeterSetting], until deadline: Deadline) async throws(MeterFailure) {
    guard let first = values.first else { return }
    throw MeterFailure(
      .unsupported, "\(identity.name): nothing of this meter can be set, so not '\(first.name)'")
  }

  public func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] { [] }

  public func close() async {}
}

extension Deadline {
  /// The same, which also ends when the meter's present capture does.
  package func ended(with meter: (any Meter)?) -> Deadline {
    guard let isOver = meter?.isOver else { return self }
    return ended(by: [isOver])
  }
}

/// Takes what a meter measures, on the meter's own thread; it must not block for long.
public protocol BlockSink: Sendable {
  /// Blocks in the order of time, each channel by itself. Channels that were sampled together come
  /// together, in blocks of the same times.
  func take(_ blocks: [SampleBlock])
  /// Something that the samples do not show.
  func take(_ event: CaptureEvent)
}

/// What a meter can be told.
public struct MeterSetting: Sendable, Hashable {
  /// As the driver's declaration calls it: `voltage`.
  public var name: String
  public var value: Value

  /// Describes a setting.
  public init(_ name: String, _ value: Value) {
    self.name = name
    self.value = value
  }
}

/// One line of what there is to know of a meter.
public struct MeterProperty: Sendable, Hashable, Codable {
  public var name: String
  public var value: String

  /// Describes a property.
  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// What a capture came to, as its meter counted it.
public struct CaptureSummary: Sendable, Hashable {
  /// That were delivered, of each channel.
  public var samples: [Int64]
  /// That are known to be lost; 0 says so only with a witness.
  public var lost: Int64
  /// What would have shown a loss: `frame counter`, `host clock against sample count`. Empty when
  /// nothing would.
  public var witnesses: [String]
  /// How the meter's times map to the host's monotonic clock.
  public var clock: ClockFit
  /// CPU time on the host, and on the board when something of Kelvin's ran there, in nanoseconds; nil
  /// when it could not be measured.
  public var hostCPU: Int64?
  public var boardCPU: Int64?
  /// What else its sampler counted, for the record.
  public var counts: [String: Value]
  /// What ended it before it was stopped; nil when nothing did.
  public var failure: MeterFailure?

  /// Describes a capture.
  public init(
    samples: [Int64], lost: Int64 = 0, witnesses: [String] = [], clock: ClockFit = .host,
    hostCPU: Int64? = nil, boardCPU: Int64? = nil, counts: [String: Value] = [:],
    failure: MeterFailure? = nil
  ) {
    self.samples = samples
    self.lost = lost
    self.witnesses = witnesses
    self.clock = clock
    self.hostCPU = hostCPU
    self.boardCPU = boardCPU
    self.counts = counts
    self.failure = failure
  }
}
