internal import CLinux
internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// How a meter streams over a serial line.
struct StreamPlan: Sendable {
  /// The meter's name, for messages.
  var name: String
  /// What kind of meter it is: 'a PPK2'.
  var title: String
  /// Raw, and this program's alone.
  var line: SerialPort
  /// From one sample to the next, in nanoseconds.
  var period: Double
  /// What tells of losses beside the clock: 'six-bit counter'.
  var counter: String
  /// How long nothing may come, in seconds.
  var patience: Double
  /// How many channels it has.
  var channels: Int
  /// Makes it send.
  var start: @Sendable () throws(MeterFailure) -> Void
  /// Makes it stop; what it has sent by then still comes.
  var stop: @Sendable () throws(MeterFailure) -> Void
}

/// What the thread of a capture owns whose meter sends numbered samples over a serial line: it reads them in
/// batches, puts them together, gives them out with their times, and tells of what is missing.
struct StreamWorker<Framing: NumberedFraming, Decoder: FrameDecoder> {
  private let plan: StreamPlan
  private let framing: Framing
  private let sink: any BlockSink
  private let hasBegun: Interrupt
  private var decoder: Decoder
  private var stream: NumberedStream<Framing>
  private var witness: LossWitness
  private var clock: StreamClock
  /// What came while times were not known.
  private var early: [UInt8] = []
  private var samples: [Int64]
  private var lost: Int64 = 0
  private var foreign = 0
  /// When what is looked at had arrived.
  private var arrival: Int64?
  /// Whether the numbers of the samples went back: nothing that comes then has a time.
  private var hasGoneBack = false

  /// From one look at the port to the next, in nanoseconds: the kernel keeps 4,096 bytes of a line that
  /// nobody reads (drivers/tty/n_tty.c), which is 10 ms at 400 kB/s.
  private static var pause: Int { 3_000_000 }
  private static var lineSize: Int { 4095 }
  /// Between those of the samplers and the kernel's own threads.
  private static var priority: Int32 { 40 }
  /// Of samples by whose arrival the first one's time is told, in nanoseconds.
  private static var anchor: Double { 1e8 }
  /// By how much a sample's time can be ahead of its arrival before its number cannot be right, in nanoseconds.
  private static var ahead: Int64 { 500_000_000 }

  init(
    _ plan: StreamPlan, _ framing: Framing, _ decoder: Decoder, into sink: any BlockSink,
    hasBegun: Interrupt
  ) {
    self.plan = plan
    self.framing = framing
    self.decoder = decoder
    self.sink = sink
    self.hasBegun = hasBegun
    stream = NumberedStream(framing)
    witness = LossWitness(modulus: Int64(framing.modulus), period: plan.period)
    clock = StreamClock(period: plan.period)
    samples = Array(repeating: 0, count: plan.channels)
  }

  /// Captures until it is asked to end, or cannot go on.
  mutating func run(until isAsked: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(Self.priority) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try plan.start()
      try measure(until: isAsked)
    } catch { failure = error }
    if failure == nil { failure = wind() }
    take([], isLast: true, arrival: nil)
    return summary(failure, isRealtime)
  }

  private mutating func measure(until isAsked: Interrupt) throws(MeterFailure) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      switch Deadline.after(seconds: plan.patience, interrupt: isAsked)
        .wait(for: plan.line.descriptor)
      {
      case .interrupted: return
      case .passed:
        throw MeterFailure(
          .timedOut, "\(plan.name): it sends nothing any more",
          hint: "unplug it and plug it in again; what came before is kept")
      case .ready: break
      }
      let count = try receive(&buffer)
      // Behind: the line was full, and what it could not take is about to be lost.
      guard count < Self.lineSize else { continue }
      // What comes meanwhile is read at once, and costs one call and not twenty.
      var time = timespec(tv_sec: 0, tv_nsec: Self.pause)
      nanosleep(&time, nil)
    }
  }

  /// - Returns: how many bytes came.
  @discardableResult
  private mutating func receive(_ buffer: inout [UInt8]) throws(MeterFailure) -> Int {
    let count: Int
    do throws(DeviceFailure) {
      count = try plan.line.read(into: &buffer)
    } catch { throw MeterFailure(error, of: plan.name) }
    let arrival = MonotonicTime.now.nanoseconds
    guard count > 0 else { return 0 }
    take(buffer[..<count], isLast: false, arrival: arrival)
    // A second's worth.
    guard Double(stream.unreadable) < 1e9 / plan.period * Double(framing.size) else {
      throw MeterFailure(
        .malfunction, "\(plan.name): what it sends holds no samples of \(plan.title)",
        evidence: Excerpt.hex(Array(buffer[..<min(count, 32)])),
        hint: "another program may have changed what it does; unplug it and plug it in again")
    }
    guard !hasGoneBack else {
      throw MeterFailure(
        .malfunction, "\(plan.name): the numbers of its samples went back",
        hint: "it was reset, or another program has told it something; what came before is kept")
    }
    return count
  }

  /// Tells the meter to stop, and takes what it had sent by then.
  private mutating func wind() -> MeterFailure? {
    do throws(MeterFailure) {
      try plan.stop()
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let limit = Deadline.after(seconds: 2)
      while limit.limited(toSeconds: 0.05).wait(for: plan.line.descriptor) == .ready,
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
    let count = early.count / framing.size
    if let arrival { clock.begin(samples: Int64(count), arrival: arrival) }
    guard isLast || Double(count) * plan.period >= Self.anchor else { return }
    clock.set()
    join(early[...], isLast: isLast, arrival: arrival)
    early = []
  }

  /// Puts samples together, and gives them out.
  private mutating func join(_ bytes: ArraySlice<UInt8>, isLast: Bool, arrival: Int64?) {
    self.arrival = arrival
    // The stream calls back while it is changed: it is taken out meanwhile.
    var stream = self.stream
    self.stream = NumberedStream(framing)
    let before = stream.number
    stream.take(bytes.span, isLast: isLast) { part, bytes in
      switch part {
      case .samples(let first, let range): give(first, bytes.extracting(range))
      case .gap(let after, let next, let count, let bytes): gap(after, next, count, bytes)
      }
    }
    self.stream = stream
    guard let arrival, stream.number > before, !hasGoneBack else { return }
    // The last whole sample of what came; those that are held back came as well.
    clock.observe(number: stream.newest, arrival: arrival)
    let time = clock.time(stream.newest)
    if let finding = witness.observe(meter: time, host: arrival) { add(finding) }
  }

  private mutating func give(_ first: Int64, _ frames: Span<UInt8>) {
    guard !hasGoneBack else { return }
    let times = SampleTimes.regular(
      first: clock.time(first), step: plan.period, count: frames.count / framing.size)
    let decoded = decoder.decode(frames, at: times)
    for block in decoded.blocks { samples[block.channel] += Int64(block.codes.count) }
    sink.take(decoded.blocks)
    for event in decoded.events { sink.take(event) }
    hasBegun.raise()
  }

  private mutating func gap(_ after: Int64, _ next: Int64, _ count: Int64, _ bytes: Int) {
    decoder.restart()
    foreign += bytes
    let (from, to) = (clock.time(max(after, 0)), clock.time(next))
    // A number that seems to be far ahead is behind: no sample comes before it was taken.
    if let arrival, to > arrival + Self.ahead { hasGoneBack = true }
    guard !hasGoneBack else {
      return sink.take(
        CaptureEvent(.reset, from: from, to: from, note: "the samples' numbers went back"))
    }
    lost += count
    sink.take(
      CaptureEvent(
        .gap, from: from, to: to, count: count,
        note: "by the counter; the two samples beside the break are left out with it"))
  }

  private mutating func add(_ finding: LossWitness.Finding) {
    let from = clock.time(stream.number - 1)
    stream.count(finding.samples)
    lost += finding.samples
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
    decoder.restart()
    sink.take(
      CaptureEvent(
        .gap, from: from, to: clock.time(stream.number), count: finding.samples,
        note:
          "by the clock, \(between): a multiple of \(framing.modulus), which the counter cannot show"
      ))
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts = decoder.counts
    counts["realtime"] = .boolean(isRealtime)
    if stream.stale > 0 { counts["stale bytes"] = .integer(Int64(stream.stale)) }
    let foreign = foreign + stream.unreadable
    if foreign > 0 { counts["foreign bytes"] = .integer(Int64(foreign)) }
    return CaptureSummary(
      samples: samples, lost: max(0, lost),
      witnesses: [plan.counter, "host clock against sample count"],
      clock: clock.fit, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
