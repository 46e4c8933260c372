internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Gives out what a JS110 streams, with its times. Used by one thread at a time.
struct JS110Worker: USBFlowWorker {
  private let name: String
  private let sink: any BlockSink
  private var stream: JS110Stream
  private var clock = StreamClock(period: Self.period)
  private var lines: DigitalLines?
  private var samples: [Int64]
  private var lostTransfers = 0
  private var begun: Int64?
  private var marks: [JS110Stream.Mark: (from: Int64, to: Int64, count: Int64)] = [:]
  private(set) var newest = MonotonicTime.now.nanoseconds
  private(set) var failure: MeterFailure?
  var hasBegun: Bool { samples[0] > 0 }

  /// In nanoseconds, of 2,000,000 samples a second (pyjoulescope, driver.py, SAMPLING_FREQUENCY).
  static let period = 500.0
  static let rate = 2e6
  /// What must have come, or how long, before times are known: samples, and nanoseconds.
  private static let anchor: (samples: Int64, time: Int64) = (200_000, 100_000_000)
  /// How far numbers of packets may take its clock ahead of the host's, in samples.
  private static let ahead: Int64 = 200_000
  /// Beyond it, numbers of packets, which begin again after 4.1 s, could hide a loss; in nanoseconds.
  private static let longestSilence: Int64 = 3_000_000_000

  static var options: USBStream.Options {
    var options = USBStream.Options()
    // 4 ms, and a second's worth for a host that is busy.
    options.bytesPerTransfer = 64 * JS110Stream.packetSize
    options.queued = 256
    options.batchSeconds = 0.01
    return options
  }

  /// - Parameter stream: whose columns are current, voltage and, if it has them, both inputs.
  init(_ name: String, _ stream: JS110Stream, hasInputs: Bool, into sink: any BlockSink) {
    self.name = name
    self.stream = stream
    self.sink = sink
    lines = hasInputs ? DigitalLines(channels: [2, 3]) : nil
    samples = Array(repeating: 0, count: hasInputs ? 4 : 2)
  }

  mutating func take(_ batch: borrowing USBBatch) {
    // What the host lost shows by the packets' numbers.
    lostTransfers = batch.lostTransfers
    var parts: [JS110Stream.Part] = []
    batch.forEach { bytes, time in take(bytes, arrival: time.nanoseconds, &parts) }
    stream.flush { parts.append($0) }
    give(parts)
  }

  private mutating func take(
    _ bytes: RawSpan, arrival: Int64, _ parts: inout [JS110Stream.Part]
  ) {
    guard failure == nil else { return }
    guard begun == nil || arrival - newest < Self.longestSilence else {
      failure = MeterFailure(
        .timedOut, "\(name): it sent nothing for \((arrival - newest) / 1_000_000) ms",
        hint: "more may be missing than its numbers of packets tell; what came before is kept")
      return
    }
    newest = arrival
    let due = (Double(arrival &- clock.time(stream.number)) / Self.period).rounded()
    let most = clock.isSet ? Int64(max(0, due)) + Self.ahead : Int64.max
    stream.take(bytes, most: most) { parts.append($0) }
    observe(arrival)
    if stream.isBroken {
      failure = MeterFailure(
        .malfunction, "\(name): its packets' numbers have begun anew",
        hint: "how many samples are missing cannot be told; what came before is kept")
    }
  }

  private mutating func observe(_ arrival: Int64) {
    if clock.isSet { return clock.observe(number: stream.number - 1, arrival: arrival) }
    begun = begun ?? arrival
    clock.begin(samples: stream.number, arrival: arrival)
    let time = arrival - (begun ?? arrival)
    guard stream.number >= Self.anchor.samples || time >= Self.anchor.time else { return }
    clock.set()
    stream.isOpen = true
  }

  // MARK: giving out

  private mutating func give(_ parts: [JS110Stream.Part]) {
    for part in parts {
      switch part {
      case .samples(let first, let current, let voltage, let inputs):
        give(first, current, voltage, inputs)
      case .gap(let after, let before, let count):
        lines?.lose()
        sink.take(
          CaptureEvent(
            .gap, from: clock.time(after), to: clock.time(before), count: count,
            note: "missing on the way from its converters"))
      case .marks(let mark, let from, let to, let count):
        let known = marks[mark] ?? (from, to, 0)
        marks[mark] = (known.from, to, known.count + count)
      }
    }
    tellMarks()
  }

  private mutating func give(
    _ first: Int64, _ current: [Int64], _ voltage: [Int64], _ inputs: [UInt32]
  ) {
    let times = SampleTimes.regular(
      first: clock.time(first), step: Self.period, count: current.count)
    var blocks = [
      SampleBlock(channel: 0, times: times, codes: current),
      SampleBlock(channel: 1, times: times, codes: voltage)
    ]
    if lines != nil { blocks += lines?.take(inputs.span, times) ?? [] }
    for block in blocks { samples[block.channel] += Int64(block.codes.count) }
    sink.take(blocks)
  }

  private mutating func tellMarks() {
    for (mark, run) in marks.sorted(by: { $0.value.from < $1.value.from }) {
      let (from, to) = (clock.time(run.from), clock.time(run.to))
      let event =
        switch mark {
        case .currentSaturated:
          CaptureEvent(.saturation, channel: 0, from: from, to: to, count: run.count)
        case .voltageSaturated:
          CaptureEvent(.saturation, channel: 1, from: from, to: to, count: run.count)
        case .switched:
          CaptureEvent(.rangeSwitch, channel: 0, from: from, to: to, count: run.count)
        case .unsteady:
          CaptureEvent(
            .error, from: from, to: to, count: run.count,
            note: "the bit that is another in each sample was not: some may be missing there")
        }
      sink.take(event)
    }
    marks = [:]
  }

  mutating func summary(_ failure: MeterFailure?, cpu: Int64?) -> CaptureSummary {
    var parts: [JS110Stream.Part] = []
    stream.finish { parts.append($0) }
    give(parts)
    var counts: [String: Value] = ["range switches": .integer(stream.switched)]
    if stream.replaced > 0 { counts["replaced at switches"] = .integer(stream.replaced) }
    if stream.saturated > 0 { counts["saturated"] = .integer(stream.saturated) }
    if stream.unsteady > 0 { counts["out of step"] = .integer(stream.unsteady) }
    if stream.damaged > 0 { counts["damaged packets"] = .integer(stream.damaged) }
    if lostTransfers > 0 { counts["transfers lost here"] = .integer(Int64(lostTransfers)) }
    return CaptureSummary(
      samples: samples, lost: stream.lost,
      witnesses: ["numbers of packets", "a code for missing samples", "an alternating bit"],
      clock: clock.fit, hostCPU: cpu, counts: counts, failure: self.failure ?? failure)
  }
}
