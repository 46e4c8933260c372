internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Gives out what a FNIRSI tester sends, with its times. Used by one thread at a time.
struct FNIRSIWorker: Sendable {
  private let name: String
  private let isChecked: Bool
  private let sink: any BlockSink
  private var clock = FNIRSIClock()
  private var samples: Int64 = 0
  private var lost: Int64 = 0
  private var reports: Int64 = 0
  private var damaged: Int64 = 0
  private var foreign: Int64 = 0
  private var last: Int64?
  private var suspends = SuspendWatch()
  /// When samples came last, on the host's clock.
  private(set) var newest = MonotonicTime.now.nanoseconds
  /// How often it had to be told anew to send.
  var restarts: Int64 = 0
  /// Why it makes no sense to go on.
  private(set) var failure: MeterFailure?
  var hasBegun: Bool { samples > 0 }

  /// Of the first reports of samples, which hold what nobody understands (baryluk/fnirsi-usb-power-data-logger).
  private static let passed = 1
  /// Reports that are none, before a good one comes, after which there is no point in going on: a second's worth.
  private static let most: Int64 = 25

  init(_ name: String, isChecked: Bool, into sink: any BlockSink) {
    self.name = name
    self.isChecked = isChecked
    self.sink = sink
  }

  /// Takes what came since the last time.
  mutating func take(_ batch: borrowing USBBatch) {
    batch.forEach { bytes, time in take(bytes, at: time.nanoseconds) }
  }

  /// Takes one report.
  mutating func take(_ bytes: RawSpan, at arrival: Int64) {
    if let suspension = suspends.look(at: arrival) { sink.take(suspension.event) }
    switch FNIRSIReport.read(bytes, isChecked: isChecked) {
    case .samples(let report):
      newest = arrival
      reports += 1
      guard reports > Self.passed, let placed = clock.take(report, at: arrival) else { return }
      give(placed)
      while let another = clock.takeAnother() { give(another) }
    case .other: break
    case .damaged: damaged += 1
    case .foreign: foreign += 1
    }
    guard reports == 0, damaged + foreign >= Self.most, failure == nil else { return }
    failure = MeterFailure(
      .malfunction, "\(name): what it sends is not what a FNIRSI tester does",
      evidence: damaged > 0 ? "the checksum of \(damaged) reports is wrong" : "\(foreign) reports",
      hint: damaged > 0
        ? "one whose firmware sends no checksum is read with 'checksum: false'"
        : "is it one of FNB48, FNB48S, FNB58, C1?")
  }

  private mutating func give(_ placed: FNIRSIClock.Placed) {
    let (count, period) = (Int64(FNIRSIReport.samples), FNIRSIReport.period)
    var first = placed.time &- (count &- 1) &* period
    // What is followed of its lateness never takes a sample before the one before it.
    if let last { first = max(first, last &+ period / 2) }
    if placed.missing > 0, let last {
      lost += placed.missing &* count
      sink.take(
        CaptureEvent(
          .gap, from: last, to: first, count: placed.missing &* count, note: "by the host's clock"))
    }
    let times = SampleTimes.regular(
      first: first, step: Double(period), count: FNIRSIReport.samples)
    let codes = placed.report.codes
    sink.take(codes.indices.map { SampleBlock(channel: $0, times: times, codes: codes[$0]) })
    last = first &+ (count &- 1) &* period
    samples += count
  }

  /// Gives out what waits.
  mutating func finish() {
    for placed in clock.flush() { give(placed) }
  }

  /// What it came to.
  func summary(_ failure: MeterFailure?, cpu: Int64?) -> CaptureSummary {
    var counts: [String: Value] = ["reports": .integer(reports)]
    if damaged > 0 { counts["damaged reports"] = .integer(damaged) }
    if foreign > 0 { counts["foreign reports"] = .integer(foreign) }
    if restarts > 0 { counts["told anew to send"] = .integer(restarts) }
    var fit = ClockFit.host
    // Samples are told by the host when a report of four has come; within a step of them, rectangular.
    fit.uncertainty = Double(FNIRSIReport.period) / 3.0.squareRoot()
    fit.residual = clock.greatest
    return CaptureSummary(
      samples: [Int64](repeating: samples, count: FNIRSIReport.channels.count), lost: lost,
      witnesses: ["a checksum of 8 bits", "the host's clock; no number"], clock: fit,
      hostCPU: cpu, counts: counts, failure: failure ?? self.failure)
  }
}
