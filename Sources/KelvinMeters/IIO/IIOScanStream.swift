internal import KelvinModel

/// Makes blocks of whole scans, and counts what is missing. Used by one thread.
struct IIOScanStream {
  /// What the scans hold.
  struct Plan: Sendable {
    var layout: IIOScanLayout
    /// For each channel of the meter its field, and which of its repeats.
    var channels: [(field: Int, part: Int)]
    /// The field with the time stamps; nil where there are none, and scans are counted.
    var timestamp: Int?
    /// Nanoseconds from scan to scan, as the device says; must be known without time stamps.
    var period: Double?
  }

  private var plan: Plan
  private let sink: any BlockSink
  private var pace: IIOPace
  private(set) var scans: Int64 = 0
  /// The time of the next scan, where scans are counted.
  private var next: Int64?
  /// The latest scan's time on the meter's clock.
  private(set) var latest: Int64?

  init(_ plan: Plan, into sink: any BlockSink) {
    self.plan = plan
    self.sink = sink
    pace = IIOPace(period: plan.period)
  }

  var lost: Int64 { pace.lost }
  /// Nanoseconds from scan to scan, as measured.
  var period: Double? { pace.period }
  var scanSize: Int { plan.layout.size }

  /// Takes whole scans.
  ///
  /// - Parameters:
  ///   - arrival: when the last of them was there, on the host's clock: scans without time stamps are
  ///     counted from the first arrival on.
  ///   - note: what goes with a gap before or among them.
  mutating func take(_ bytes: RawSpan, arrival: Int64, note: String = "") {
    let size = plan.layout.size
    let count = bytes.byteCount / size
    guard count > 0 else { return }
    let times = times(in: bytes, count: count, arrival: arrival, note: note)
    var blocks: [SampleBlock] = []
    blocks.reserveCapacity(plan.channels.count)
    for (channel, place) in plan.channels.enumerated() {
      let field = plan.layout.fields[place.field]
      let codes = field.codes(in: bytes, count: count, stride: size, part: place.part)
      reportSaturation(of: channel, codes, field.format, times)
      blocks.append(SampleBlock(channel: channel, times: times, codes: codes))
    }
    scans += Int64(count)
    sink.take(blocks)
  }

  private mutating func times(
    in bytes: RawSpan, count: Int, arrival: Int64, note: String
  ) -> SampleTimes {
    if let timestamp = plan.timestamp {
      var times = plan.layout.fields[timestamp].codes(
        in: bytes, count: count, stride: plan.layout.size)
      pace.take(&times, note: note) { [sink] in sink.take($0) }
      latest = times.last
      return .each(times)
    }
    let period = plan.period ?? 1
    let back = arrival &- Int64(Double(count - 1) * period)
    if !note.isEmpty, let next, back > next {
      // Counting goes on where the clock says that it has to.
      sink.take(CaptureEvent(.overrun, from: next, to: back, note: note))
      self.next = back
    }
    let first = next ?? back
    next = first &+ Int64(Double(count) * period)
    latest = first &+ Int64((Double(count - 1) * period).rounded())
    return .regular(first: first, step: period, count: count)
  }

  /// Codes at the end of what the converter can say. The lowest of an unsigned one is plain zero.
  private func reportSaturation(
    of channel: Int, _ codes: [Int64], _ format: IIOElementFormat, _ times: SampleTimes
  ) {
    guard format.bits > 7 else { return }
    let ends = format.codes
    let lowest = format.isSigned ? ends.lowerBound : -1
    var saturated: (first: Int, last: Int, count: Int64)?
    for index in codes.indices where codes[index] >= ends.upperBound || codes[index] <= lowest {
      saturated = (saturated?.first ?? index, index, (saturated?.count ?? 0) + 1)
    }
    guard let saturated else { return }
    sink.take(
      CaptureEvent(
        .saturation, channel: channel, from: times[saturated.first], to: times[saturated.last],
        count: saturated.count))
  }

  /// From now on scans hold something else.
  mutating func change(_ plan: Plan) { self.plan = plan }

  /// Judges the last intervals.
  mutating func finish(note: String = "") { pace.finish(note: note) { [sink] in sink.take($0) } }
}
