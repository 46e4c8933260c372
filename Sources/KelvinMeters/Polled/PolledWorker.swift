internal import CLinux
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture owns that asks a meter for its values at a steady rate.
///
/// All values of a round have one time: halfway between question and answer, ± half of what is between them. A question
/// without an answer is a gap; only when there has been none for `patience` the capture ends.
struct PolledWorker {
  private let source: any PolledSource
  private let period: Int64
  private let patience: Double
  private var rounds: PolledRounds
  private var repeats: [(last: Int64?, count: Int64)]
  private var finders: [RepeatFinder]
  private var times: (first: Int64, last: Int64)?
  private var pace = RoundTimes()
  private var unanswered: Int64 = 0
  private var suspends = SuspendWatch()
  private let sink: any BlockSink

  /// - Parameter rate: rounds in a second.
  init(_ source: any PolledSource, rate: Double, patience: Double, into sink: any BlockSink) {
    self.source = source
    self.patience = patience
    self.sink = sink
    period = Int64((1e9 / rate).rounded())
    rounds = PolledRounds(source.channels, into: sink)
    repeats = source.channels.map { _ in (nil, 0) }
    finders = source.channels.map { _ in RepeatFinder() }
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try measure(until: isAsked, hasBegun)
    } catch { failure = error }
    rounds.finish()
    rounds.confirm()
    tellRepeats()
    return summary(failure)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var due = MonotonicTime.now.nanoseconds
    var late = Deadline.after(seconds: patience)
    // What began the silence says more than what ends it.
    var first: MeterFailure?
    while true {
      let tick = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: isAsked)
      if tick.wait() == .interrupted { return }
      let (next, overrun) = pace.next(after: due, period: period)
      due = next
      if let overrun { rounds.take(overrun) }
      do throws(MeterFailure) {
        try round(until: late)
        rounds.confirm()
        hasBegun.raise()
        late = .after(seconds: patience)
        first = nil
      } catch {
        guard [.timedOut, .gone, .connection].contains(error.code) else { throw error }
        guard !late.hasPassed else { throw first ?? error }
        first = first ?? error
        unanswered += 1
        let none = PolledRounds.Value.none("no answer: \(error.message)")
        if times != nil {
          rounds.take(source.channels.map { _ in none }, at: MonotonicTime.now.nanoseconds)
        }
      }
    }
  }

  private mutating func round(until late: Deadline) throws(MeterFailure) {
    let begin = MonotonicTime.now.nanoseconds
    // So that one lost packet does not cost all of the patience.
    let limit = min(late.remainingNanoseconds ?? .max, Int64(patience * 5e8))
    let values = try source.read(
      until: Deadline(time: MonotonicTime(nanoseconds: begin &+ limit), interrupt: nil))
    let end = MonotonicTime.now.nanoseconds
    if let suspension = suspends.look(at: end) { rounds.take(suspension.event) }
    let time = pace.add(from: begin, to: end)
    rounds.take(zip(source.channels, values).map { coded($0, $1) }, at: time)
    look(at: values, time)
  }

  private func coded(_ channel: Channel, _ value: Double?) -> PolledRounds.Value {
    guard let value, let code = Int64(exactly: (value / channel.scale).rounded()) else {
      return .none("no value")
    }
    return .code(code)
  }

  /// A counter that stands still is no repeat.
  private mutating func look(at values: [Double?], _ time: Int64) {
    times = (times?.first ?? time, time)
    for (place, channel) in source.channels.enumerated() where channel.wrap == nil {
      guard case .code(let code) = coded(channel, values[place]) else { continue }
      if repeats[place].last == code { repeats[place].count += 1 }
      repeats[place].last = code
      finders[place].add(SampleBlock(channel: place, times: [time], codes: [code]))
    }
  }

  /// Asked more often than it converts, a meter gives the same conversion again: its data sheet says so, or its
  /// values do.
  private func tellRepeats() {
    guard let times else { return }
    for (place, channel) in source.channels.enumerated() {
      var (conversion, count) = (channel.averagingTime ?? 0, repeats[place].count)
      if conversion * 1e9 <= Double(period) * 1.01 {
        guard let finding = finders[place].finding else { continue }
        (conversion, count) = (finding.conversionPeriod / 1e9, finding.repeats)
      }
      guard count > 0 else { continue }
      sink.take(
        CaptureEvent(
          .repeats, channel: place, from: times.first, to: times.last, count: count,
          note: "converted each \(conversion * 1000) ms"))
    }
  }

  private func summary(_ failure: MeterFailure?) -> CaptureSummary {
    var counts: [String: Value] = ["rounds": .integer(pace.count)]
    if unanswered > 0 { counts["unanswered"] = .integer(unanswered) }
    if pace.overruns > 0 { counts["overruns"] = .integer(pace.overruns) }
    counts["longest round"] = pace.longest.map(Value.number)
    return CaptureSummary(
      samples: rounds.samples, lost: rounds.lost, witnesses: ["an answer to each question"],
      clock: pace.clock, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
