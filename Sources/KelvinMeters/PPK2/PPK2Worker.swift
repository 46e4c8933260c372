internal import CLinux
internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture owns.
struct PPK2Worker {
  private let port: PPK2Port
  private let sink: any BlockSink
  private let inputs: [Int]
  private var lines: DigitalLines
  private let millivolts: Int64?
  private let hasBegun: Interrupt
  private var decoder: PPK2Decoder
  private var stream = PPK2Stream()
  private var witness = PPK2LossWitness()
  private var clock = StreamClock(period: Double(PPK2Limits.period))
  /// What came while times were not known.
  private var early: [UInt8] = []
  private var samples: [Int64]
  private var switches: Int64 = 0
  private var saturated: Int64 = 0
  private var foreign = 0

  /// From one look at the port to the next, in nanoseconds: the kernel keeps 4,096 bytes of a line that
  /// nobody reads (drivers/tty/n_tty.c), which is 10 ms of samples.
  private static let pause: Int64 = 3_000_000
  private static let lineSize = 4095
  /// Between those of the samplers and the kernel's own threads.
  private static let priority: Int32 = 40
  /// Of a tenth of a second.
  private static let anchorSize = 40_000
  /// How long nothing may come, in seconds.
  private static let patience = 1.0
  /// Bytes without a sample after which it is no PPK2 that sends them: a second's worth.
  private static let mostUnreadable = 400_000

  init(
    _ port: PPK2Port, _ decoder: PPK2Decoder, inputs: [Int], millivolts: Int64?,
    into sink: any BlockSink, hasBegun: Interrupt
  ) {
    self.port = port
    self.decoder = decoder
    self.inputs = inputs
    lines = DigitalLines(channels: inputs.indices.map { 1 + $0 })
    self.millivolts = millivolts
    samples = Array(repeating: 0, count: 1 + inputs.count + (millivolts == nil ? 0 : 1))
    self.sink = sink
    self.hasBegun = hasBegun
  }

  mutating func run(until isAsked: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(Self.priority) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try port.send(.start, until: .after(seconds: 2))
      try measure(until: isAsked)
    } catch { failure = error }
    if failure == nil { failure = wind() }
    take([], isLast: true, arrival: nil)
    return summary(failure, isRealtime)
  }

  private mutating func measure(until isAsked: Interrupt) throws(MeterFailure) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      switch Deadline.after(seconds: Self.patience, interrupt: isAsked)
        .wait(for: port.line.descriptor)
      {
      case .interrupted: return
      case .passed:
        throw MeterFailure(
          .timedOut, "\(port.name): it sends nothing any more",
          hint: "unplug it and plug it in again; what came before is kept")
      case .ready: break
      }
      let count = try receive(&buffer)
      // Behind: the line was full, and what it could not take is about to be lost.
      guard count < Self.lineSize else { continue }
      // What comes meanwhile is read at once, and costs one call and not twenty.
      var time = timespec(tv_sec: 0, tv_nsec: Int(Self.pause))
      nanosleep(&time, nil)
    }
  }

  /// - Returns: how many bytes came.
  @discardableResult
  private mutating func receive(_ buffer: inout [UInt8]) throws(MeterFailure) -> Int {
    let count: Int
    do throws(DeviceFailure) {
      count = try port.line.read(into: &buffer)
    } catch { throw MeterFailure(error, of: port.name) }
    let arrival = MonotonicTime.now.nanoseconds
    guard count > 0 else { return 0 }
    take(buffer[..<count], isLast: false, arrival: arrival)
    guard stream.unreadable < Self.mostUnreadable else {
      throw MeterFailure(
        .malfunction, "\(port.name): what it sends holds no samples of a PPK2",
        evidence: Excerpt.hex(Array(buffer[..<min(count, 32)])),
        hint: "another program may have changed what it does; unplug it and plug it in again")
    }
    return count
  }

  /// Tells the meter to stop, and takes what it had sent by then.
  private mutating func wind() -> MeterFailure? {
    do throws(MeterFailure) {
      try port.send(.stop, until: .after(seconds: 2))
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let limit = Deadline.after(seconds: 2)
      while limit.limited(toSeconds: 0.05).wait(for: port.line.descriptor) == .ready,
        !limit.hasPassed
      {
        try receive(&buffer)
      }
      return nil
    } catch { return error }
  }

  /// Takes what came. The first tenth of a second waits: it tells when sample 0 was taken.
  private mutating func take(_ bytes: ArraySlice<UInt8>, isLast: Bool, arrival: Int64?) {
    guard !clock.isSet else { return join(bytes, isLast: isLast, arrival: arrival) }
    early += bytes
    if let arrival {
      clock.begin(samples: Int64(early.count / PPK2Word.size), arrival: arrival)
    }
    guard isLast || early.count >= Self.anchorSize else { return }
    clock.set()
    join(early[...], isLast: isLast, arrival: arrival)
    early = []
  }

  /// Puts samples together, and gives them out.
  private mutating func join(_ bytes: ArraySlice<UInt8>, isLast: Bool, arrival: Int64?) {
    // The stream calls back while it is changed: it is taken out meanwhile.
    var stream = self.stream
    self.stream = PPK2Stream()
    let before = stream.number
    stream.take(bytes.span, isLast: isLast) { part, bytes in
      switch part {
      case .samples(let first, let range): give(first, bytes.extracting(range))
      case .gap(let after, let next, let count, let bytes): gap(after, next, count, bytes)
      }
    }
    self.stream = stream
    guard let arrival, stream.number > before else { return }
    // The last whole sample of what came; those that are held back came as well.
    clock.observe(number: stream.newest, arrival: arrival)
    let time = clock.time(stream.newest)
    if let finding = witness.observe(meter: time, host: arrival) { add(finding) }
  }

  private mutating func give(_ first: Int64, _ bytes: Span<UInt8>) {
    let count = bytes.count / PPK2Word.size
    var notes = PPK2Decoder.Notes()
    let codes = [Int64](capacity: count) { output in
      notes = decoder.decode(bytes.bytes, into: &output)
    }
    let times = SampleTimes.regular(
      first: clock.time(first), step: Double(PPK2Limits.period), count: count)
    var blocks = [SampleBlock(channel: 0, times: times, codes: codes)]
    if !inputs.isEmpty { blocks += lines.take(levels(bytes).span, times) }
    if let millivolts {
      // What it is told to supply, or what somebody said; it costs no space, and power needs no pairing.
      blocks.append(
        SampleBlock(
          channel: 1 + inputs.count, times: times,
          codes: [Int64](repeating: millivolts, count: count)))
    }
    for block in blocks { samples[block.channel] += Int64(block.codes.count) }
    sink.take(blocks)
    report(notes, times)
    hasBegun.raise()
  }

  /// The inputs that are recorded, a bit for each, sample by sample.
  private func levels(_ bytes: Span<UInt8>) -> [UInt32] {
    (0..<bytes.count / PPK2Word.size).map { sample in
      let all = UInt32(bytes[sample * PPK2Word.size + 3])
      var chosen: UInt32 = 0
      for (place, input) in inputs.enumerated() {
        chosen |= (all >> UInt32(input) & 1) << UInt32(place)
      }
      return chosen
    }
  }

  private mutating func report(_ notes: PPK2Decoder.Notes, _ times: SampleTimes) {
    if notes.saturated.count > 0 {
      saturated += Int64(notes.saturated.count)
      sink.take(
        CaptureEvent(
          .saturation, channel: 0, from: times[notes.saturated.first],
          to: times[notes.saturated.last], count: Int64(notes.saturated.count)))
    }
    if notes.switched.count > 0 {
      switches += Int64(notes.switched.count)
      sink.take(
        CaptureEvent(
          .rangeSwitch, channel: 0, from: times[notes.switched.first],
          to: times[notes.switched.last], count: Int64(notes.switched.count)))
    }
  }

  private mutating func gap(_ after: Int64, _ next: Int64, _ count: Int64, _ bytes: Int) {
    restart()
    foreign += bytes
    sink.take(
      CaptureEvent(
        .gap, from: clock.time(max(after, 0)), to: clock.time(next), count: count,
        note: "by the counter; the two samples beside the break are left out with it"))
  }

  /// Behind a loss nothing is carried over.
  private mutating func restart() {
    decoder.restart()
    lines.lose()
  }

  private mutating func add(_ finding: PPK2LossWitness.Finding) {
    let from = clock.time(stream.number - 1)
    stream.count(finding.samples)
    let between = "between \(finding.from) and \(finding.to) ns"
    guard finding.samples > 0 else {
      // Times never go back: they are late from the moment on at which they were taken for lost.
      sink.take(
        CaptureEvent(
          .clockStep, from: from, to: from,
          note:
            "\(-finding.samples) samples that the clock told to be lost had been late, \(between)"))
      return
    }
    restart()
    sink.take(
      CaptureEvent(
        .gap, from: from, to: clock.time(stream.number), count: finding.samples,
        note: "by the clock, \(between): a multiple of 64, which the counter cannot show"))
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts: [String: Value] = [
      "range switches": .integer(switches), "realtime": .boolean(isRealtime)
    ]
    if saturated > 0 { counts["saturated"] = .integer(saturated) }
    if stream.stale > 0 { counts["stale bytes"] = .integer(Int64(stream.stale)) }
    let foreign = foreign + stream.unreadable
    if foreign > 0 { counts["foreign bytes"] = .integer(Int64(foreign)) }
    return CaptureSummary(
      samples: samples,
      lost: max(0, stream.lost),
      witnesses: ["six-bit counter", "host clock against sample count"],
      clock: clock.fit, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
