internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture by the instrument's own logging owns: samples are numbered, and their times are
/// those of its clock.
struct SCPILogWorker {
  private let session: SCPISession
  private let logger: SCPILogger
  private let channels: [Channel]
  private let sink: any BlockSink
  private let errorQuery: String?
  private let patience: Double
  private var clock: StreamClock
  /// The next sample's; those that are lost count.
  private var number: Int64 = 0
  /// Samples that came before their times are known, channel by channel.
  private var early: [[Int64]]
  private var fetches = 0
  private var samples: [Int64]
  private var lost: Int64 = 0
  /// Values that are none, channel by channel, since the last that is one.
  private var saturated: Int64 = 0

  /// Of one answer: what a queue of 20 s holds of both values at the highest rate is less.
  private static let blockLimit = 16 << 20

  init(
    _ session: SCPISession, _ logger: SCPILogger, _ channels: [Channel], errors: String?,
    patience: Double, into sink: any BlockSink
  ) {
    self.session = session
    self.logger = logger
    self.channels = channels
    self.sink = sink
    errorQuery = errors
    self.patience = patience
    clock = StreamClock(period: logger.period)
    early = channels.map { _ in [] }
    samples = channels.map { _ in 0 }
  }

  private var soon: Deadline { .after(seconds: patience) }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try begin()
      try measure(until: isAsked, hasBegun)
    } catch { failure = error }
    giveEarly(hasBegun)
    if failure?.code != .gone {
      do throws(MeterFailure) {
        try session.send(logger.stop, until: soon)
        // It has ended when that is answered.
        _ = try session.errors(errorQuery, until: soon)
      } catch { failure = failure ?? error }
    }
    var counts: [String: Value] = [
      "fetches": .integer(Int64(fetches)), "realtime": .boolean(isRealtime)
    ]
    if saturated > 0 { counts["saturated"] = .integer(saturated) }
    return CaptureSummary(
      samples: samples, lost: lost, witnesses: ["host clock against sample count"],
      clock: clock.fit, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }

  private mutating func begin() throws(MeterFailure) {
    try session.send(logger.start, until: soon)
    if let query = logger.periodQuery {
      guard let period = try session.number(query, before: [], until: soon), period > 1e-6 else {
        throw MeterFailure(.malfunction, "\(session.name): it does not say at which period it logs")
      }
      // It takes multiples of its own.
      clock = StreamClock(period: period * 1e9)
    }
    if let query = logger.readyQuery { _ = try session.ask(query, until: soon) }
    let errors = try session.errors(errorQuery, until: soon)
    guard errors.isEmpty else {
      throw MeterFailure(
        .malfunction, "\(session.name): it does not take the commands of its logging",
        evidence: errors.map(\.description).joined(separator: "; "),
        hint: "older firmware has none; leave 'logging' out")
    }
    try session.send(logger.begin, until: soon)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var late = Deadline.after(seconds: patience)
    while true {
      let pause = Deadline.after(seconds: logger.pause, interrupt: isAsked)
      if pause.wait() == .interrupted {
        // What it has by now.
        if try isReady() { _ = try fetch(hasBegun) }
        return
      }
      if try isReady(), try fetch(hasBegun) {
        late = .after(seconds: patience)
      } else if late.hasPassed {
        throw MeterFailure(
          .timedOut, "\(session.name): no sample of its logging for \(patience) s",
          hint: "has it been stopped at its keys?")
      }
    }
  }

  private func isReady() throws(MeterFailure) -> Bool {
    guard let query = logger.readyQuery else { return true }
    guard let register = try session.number(query, before: [], until: soon),
      let bits = Int64(exactly: register)
    else { return false }
    return bits & 4096 != 0
  }

  /// - Returns: whether there was a sample.
  private mutating func fetch(_ hasBegun: Interrupt) throws(MeterFailure) -> Bool {
    let bytes = try session.block(logger.fetch, limit: Self.blockLimit, until: soon)
    let arrival = MonotonicTime.now.nanoseconds
    guard let floats = SCPIBlock.floats(bytes, bigEndian: logger.bigEndian),
      floats.count % logger.fields.count == 0
    else {
      throw MeterFailure(
        .malfunction, "\(session.name): \(bytes.count) bytes are no whole number of samples")
    }
    let count = floats.count / logger.fields.count
    guard count > 0 else { return false }
    fetches += 1
    let codes = codes(floats)
    guard clock.isSet else {
      for channel in channels.indices { early[channel] += codes[channel] }
      let whole = Int64(early[0].count)
      clock.begin(samples: whole, arrival: arrival)
      if fetches > 2, Double(whole) * clock.period >= 1e8 { giveEarly(hasBegun) }
      return true
    }
    findLoss(of: Int64(count), arrival)
    give(codes)
    clock.observe(number: number &- 1, arrival: arrival)
    return true
  }

  private mutating func giveEarly(_ hasBegun: Interrupt) {
    guard !clock.isSet, !(early.first ?? []).isEmpty else { return }
    clock.set()
    give(early)
    early = []
    hasBegun.raise()
  }

  private mutating func codes(_ floats: [Float]) -> [[Int64]] {
    let width = logger.fields.count
    let count = floats.count / width
    var codes = channels.map { _ in [Int64](repeating: 0, count: count) }
    for (place, channel) in logger.fields.enumerated() {
      guard let channel else { continue }
      let scale = channels[channel].scale
      for sample in 0..<count {
        let value = Double(floats[sample * width + place])
        // What it cannot measure is a number of its own; as a value it would be absurd.
        guard abs(value) < 1e8 else {
          saturated += 1
          codes[channel][sample] = .min
          continue
        }
        codes[channel][sample] = Int64((value / scale).rounded())
      }
    }
    return codes
  }

  /// Samples that should have come by now, and did not.
  private mutating func findLoss(of count: Int64, _ arrival: Int64) {
    let expected = clock.fit.host(clock.time(number &+ count &- 1))
    let late = Double(arrival &- expected)
    guard late > logger.tolerance else { return }
    let pieces = (late / clock.period / Double(logger.piece)).rounded()
    let missing = Int64(max(1, pieces)) &* logger.piece
    lost += missing
    sink.take(
      CaptureEvent(
        .gap, from: clock.time(number &- 1), to: clock.time(number &+ missing), count: missing,
        note: "by the clock: the instrument overwrites what is not fetched in time"))
    number += missing
  }

  /// Gives samples out, of which those beyond what it measures are left out, and told.
  private mutating func give(_ codes: [[Int64]]) {
    let count = codes.first?.count ?? 0
    let first = clock.time(number)
    let times = SampleTimes.regular(first: first, step: clock.period, count: count)
    var whole: [SampleBlock] = []
    for (channel, all) in codes.enumerated() {
      guard all.contains(.min) else {
        whole.append(SampleBlock(channel: channel, times: times, codes: all))
        samples[channel] += Int64(count)
        continue
      }
      giveParts(channel, all, times)
    }
    if !whole.isEmpty { sink.take(whole) }
    number += Int64(count)
  }

  private mutating func giveParts(_ channel: Int, _ codes: [Int64], _ times: SampleTimes) {
    var place = 0
    while place < codes.count {
      let isNone = codes[place] == .min
      let end = codes[place...].firstIndex { ($0 == .min) != isNone } ?? codes.count
      if isNone {
        let (from, to) = (times[max(0, place - 1)], times[min(end, codes.count - 1)])
        let missing = Int64(end - place)
        lost += missing
        sink.take(CaptureEvent(.saturation, channel: channel, from: from, to: to, count: missing))
        sink.take(
          CaptureEvent(
            .gap, channel: channel, from: from, to: to, count: missing,
            note: "beyond what it measures"))
      } else {
        sink.take([
          SampleBlock(
            channel: channel, times: (place..<end).map { times[$0] },
            codes: Array(codes[place..<end]))
        ])
        samples[channel] += Int64(end - place)
      }
      place = end
    }
  }
}
