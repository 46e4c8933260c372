internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Gives out what a Monsoon sends, with its times. Used by one thread at a time.
struct MonsoonWorker: USBFlowWorker {
  private let name: String
  private let sink: any BlockSink
  private var stream: MonsoonStream
  private var clock = StreamClock(period: Double(MonsoonModel.period))
  private var samples: [Int64]
  private var lostTransfers = 0
  /// Of each column, since the last block: the first, the last, and how many.
  private var saturations: [Int: (first: Int64, last: Int64, count: Int64)] = [:]
  /// When something came, or might have come, last; on the host's clock.
  private(set) var newest = MonotonicTime.now.nanoseconds
  /// Why it makes no sense to go on.
  private(set) var failure: MeterFailure?
  /// Whether samples have been given out.
  var hasBegun: Bool { samples[0] > 0 }

  /// Of a transfer: a hundredth of a second's.
  private static let packets = 16

  static var options: USBStream.Options {
    var options = USBStream.Options()
    options.bytesPerTransfer = packets * MonsoonStream.packetSize
    // Ten seconds' worth, for a host that is busy.
    options.queued = 1024
    return options
  }

  /// That must have come before times are known: a tenth of a second's.
  private static let anchor: Int64 = 500
  /// How far a count of dropped packets may take its clock ahead of the host's, in samples.
  private static let ahead: Int64 = 500

  init(
    _ name: String, _ model: MonsoonModel, _ scales: MonsoonScales, sites: [MonsoonSite],
    columns: Int, into sink: any BlockSink
  ) {
    self.name = name
    self.sink = sink
    stream = MonsoonStream(model, scales, sites: sites)
    samples = Array(repeating: 0, count: columns)
  }

  /// Takes what came since the last time.
  mutating func take(_ batch: borrowing USBBatch) {
    if batch.lostTransfers > lostTransfers {
      // The host was too slow; where in between is not known.
      let lost = Int64(batch.lostTransfers - lostTransfers)
      stream.pass(lost * Int64(Self.packets * MonsoonStream.mostObservations))
      lostTransfers = batch.lostTransfers
    }
    var parts: [MonsoonStream.Part] = []
    batch.forEach { bytes, time in take(bytes, arrival: time.nanoseconds, &parts) }
    stream.flush { parts.append($0) }
    give(parts)
  }

  private mutating func take(
    _ bytes: RawSpan, arrival: Int64, _ parts: inout [MonsoonStream.Part]
  ) {
    newest = arrival
    let due = (arrival &- clock.time(stream.number)) / MonsoonModel.period
    let most = clock.isSet ? max(0, due) + Self.ahead : Int64.max
    stream.take(bytes, most: most) { parts.append($0) }
    if clock.isSet {
      clock.observe(number: stream.number - 1, arrival: arrival)
    } else {
      clock.begin(samples: stream.number, arrival: arrival)
      guard stream.number >= Self.anchor else { return }
      clock.set()
      stream.isOpen = true
    }
    if let input = stream.senseless, failure == nil {
      failure = MeterFailure(
        .malfunction, "\(name): its calibration gives currents of no sense",
        evidence:
          "input \(input) of main coarse, main fine, usb coarse, usb fine, aux coarse, aux fine",
        hint: "let Monsoon calibrate it; or leave that channel out of 'channels'")
    }
  }

  private mutating func give(_ parts: [MonsoonStream.Part]) {
    for part in parts {
      switch part {
      case .samples(let first, let codes):
        let times = SampleTimes.regular(
          first: clock.time(first), step: Double(MonsoonModel.period), count: codes[0].count)
        for column in codes.indices { samples[column] += Int64(codes[column].count) }
        sink.take(
          codes.indices.map { SampleBlock(channel: $0, times: times, codes: codes[$0]) })
        tellSaturations()
      case .gap(let after, let before, let count, let note):
        sink.take(
          CaptureEvent(
            .gap, from: clock.time(after), to: clock.time(before), count: count, note: note))
      case .saturation(let column, let number):
        let known = saturations[column] ?? (number, number, 0)
        saturations[column] = (known.first, number, known.count + 1)
      }
    }
  }

  private mutating func tellSaturations() {
    for (column, run) in saturations.sorted(by: { $0.key < $1.key }) {
      sink.take(
        CaptureEvent(
          .saturation, channel: column, from: clock.time(run.first), to: clock.time(run.last),
          count: run.count))
    }
    saturations = [:]
  }

  /// What it came to.
  func summary(_ failure: MeterFailure?, cpu: Int64?) -> CaptureSummary {
    var counts: [String: Value] = ["calibrations": .integer(stream.calibrations)]
    if stream.invalid > 0 { counts["invalid"] = .integer(stream.invalid) }
    if stream.damaged > 0 { counts["damaged packets"] = .integer(stream.damaged) }
    if stream.saturated > 0 { counts["saturated"] = .integer(stream.saturated) }
    if lostTransfers > 0 { counts["transfers lost here"] = .integer(Int64(lostTransfers)) }
    return CaptureSummary(
      samples: samples, lost: stream.lost, witnesses: ["count of dropped packets"],
      clock: clock.fit, hostCPU: cpu, counts: counts, failure: failure ?? self.failure)
  }
}
