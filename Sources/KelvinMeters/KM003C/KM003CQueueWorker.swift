internal import CLinux
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture of the queue owns: asks for what has been queued, and gives it out with its times.
struct KM003CQueueWorker {
  private let session: KM003CSession
  private let options: KM003COptions
  private let sink: any BlockSink
  private var stream: KM003CStream
  /// Its numbers are those of the samples: milliseconds.
  private var clock = StreamClock(period: 1e6)
  /// Before times are known.
  private var early: [KM003CStream.Part] = []
  private var samples: [Int64]
  private var replies: Int64 = 0
  private var damage = KM003CDamage()
  /// Of the last reply that held samples, in nanoseconds.
  private var arrival: Int64?
  /// When something new came, or might have come, last.
  private var newest = MonotonicTime.now.nanoseconds
  private var suspends = HostSuspends()
  /// When the temperature is asked for next, and the meter's time of the last one that was given out.
  private var temperatureDue: Int64 = 0
  private var temperatureTime = Int64.min

  /// Between two requests, in seconds: five samples, but 20 ms to half a second. The maker's program asks each 42 ms
  /// at 1000 Hz, and each 100 to 200 ms at 50 Hz (docs/features/adcqueue.md).
  private let pause: Double
  /// Samples of a reply behind which more may wait: it holds up to 48.
  private static let many: Int64 = 40
  /// How long nothing new may come, in nanoseconds.
  private static let patience: Int64 = 3_000_000_000
  private static let temperaturePeriod: Int64 = 1_000_000_000
  /// That must have come before times are known: so many replies with samples, so many milliseconds.
  private static let anchor: (replies: Int64, milliseconds: Int64) = (3, 100)

  init(_ session: KM003CSession, _ options: KM003COptions, into sink: any BlockSink) {
    self.session = session
    self.options = options
    self.sink = sink
    pause = min(max(0.02, 5 / Double(options.queueRate.hertz)), 0.5)
    samples = options.columns.map { _ in 0 }
    stream = KM003CStream(
      options.queueRate, columns: options.columns.filter { $0 != .temperature },
      isReversed: options.isReversed)
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      while !isAsked.isRaised {
        let count = try poll()
        if samples.contains(where: { $0 > 0 }) { hasBegun.raise() }
        guard count < Self.many else { continue }
        _ = Deadline.after(seconds: pause, interrupt: isAsked).wait()
      }
      // What it has by now.
      _ = try poll()
    } catch { failure = error }
    clock.set()
    giveEarly()
    if failure?.code != .gone {
      do throws(MeterFailure) {
        try session.stopGraph(until: .after(seconds: KM003CSession.patience))
      } catch { failure = failure ?? error }
    }
    return summary(failure, isRealtime)
  }

  /// - Returns: how many samples came.
  private mutating func poll() throws(MeterFailure) -> Int64 {
    var parts: KM003CParts = .queue
    let asked = MonotonicTime.now.nanoseconds
    if options.groups.contains(.temperature), asked >= temperatureDue {
      parts = [.values, .queue]
      temperatureDue = asked &+ Self.temperaturePeriod
    }
    let reply = try session.data(parts, until: .after(seconds: KM003CSession.patience))
    let now = MonotonicTime.now.nanoseconds
    suspends.look(at: now, latest: clock.isSet ? clock.time(stream.number) : nil, sink)
    let before = stream.samples
    try take(reply, now)
    let count = stream.samples &- before
    if count > 0 { newest = now }
    guard now &- newest < Self.patience else {
      throw MeterFailure(
        .timedOut, "\(session.name): it queues no more samples",
        hint: "another program, or its keys, may have stopped it; what came before is kept")
    }
    return count
  }

  private mutating func take(_ reply: [UInt8], _ now: Int64) throws(MeterFailure) {
    let whole: KM003CReply
    do throws(KM003CReply.Mistake) {
      whole = try KM003CReply(reply.span)
    } catch {
      return try damage.take(KM003CDamage.words(error), reply, of: session.name)
    }
    damage.clear()
    replies += 1
    var found: [KM003CStream.Part] = []
    let bytes = reply.span.bytes
    let before = stream.samples
    let elapsed = arrival.map { (now &- $0) / 1_000_000 } ?? 0
    for part in whole.parts where part.attribute == KM003CParts.queue.rawValue {
      stream.take(bytes, part.range, elapsed: elapsed) { found.append($0) }
    }
    if stream.samples > before {
      arrival = now
      time(now)
    }
    give(found)
    for part in whole.parts where part.attribute == KM003CParts.values.rawValue {
      guard let values = KM003CValues(bytes, part.range) else {
        try damage.take("values of \(part.range.count) bytes", reply, of: session.name)
        continue
      }
      giveTemperature(Int64(values.codes[KM003CColumn.temperature.rawValue]))
    }
    guard !stream.hasGoneBack else {
      throw MeterFailure(
        .malfunction, "\(session.name): the numbers of its samples went back",
        hint: "it was reset, or another program has told it something; what came before is kept")
    }
  }

  /// The newest sample was taken at `now` at the latest.
  private mutating func time(_ now: Int64) {
    guard !clock.isSet else { return clock.observe(number: stream.number, arrival: now) }
    clock.begin(samples: stream.number, arrival: now)
    guard replies >= Self.anchor.replies, stream.number >= Self.anchor.milliseconds else { return }
    clock.set()
    giveEarly()
  }

  private mutating func giveEarly() {
    guard clock.isSet else { return }
    let parts = early
    early = []
    give(parts)
  }

  private mutating func give(_ parts: [KM003CStream.Part]) {
    guard clock.isSet else { return early += parts }
    for part in parts {
      switch part {
      case .samples(let first, let codes):
        let times = SampleTimes.regular(
          first: clock.time(first), step: Double(stream.step) * clock.period,
          count: codes[0].count)
        for column in codes.indices { samples[column] += Int64(codes[column].count) }
        sink.take(
          codes.indices.map { SampleBlock(channel: $0, times: times, codes: codes[$0]) })
      case .gap(let after, let before, let count):
        sink.take(
          CaptureEvent(
            .gap, from: clock.time(after), to: clock.time(before), count: count,
            note: "by the samples' numbers"))
      }
    }
  }

  /// It was measured with the newest sample, or just behind it.
  private mutating func giveTemperature(_ code: Int64) {
    let time = clock.time(stream.number)
    guard clock.isSet, time > temperatureTime,
      let column = options.columns.firstIndex(of: .temperature)
    else { return temperatureDue = 0 }
    temperatureTime = time
    samples[column] += 1
    sink.take([SampleBlock(channel: column, times: [time], codes: [code])])
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts: [String: Value] = [
      "replies": .integer(replies), "realtime": .boolean(isRealtime)
    ]
    if stream.repeated > 0 { counts["repeated samples"] = .integer(stream.repeated) }
    if stream.uneven > 0 { counts["uneven steps"] = .integer(stream.uneven) }
    if session.strays > 0 { counts["stray replies"] = .integer(session.strays) }
    if damage.count > 0 { counts["damaged replies"] = .integer(damage.count) }
    return CaptureSummary(
      samples: samples, lost: stream.lost,
      witnesses: ["counter of milliseconds in each sample", "host clock against that counter"],
      clock: suspends.doubt(clock.fit), hostCPU: kelvin_cpu_time(1), counts: counts,
      failure: failure)
  }
}
