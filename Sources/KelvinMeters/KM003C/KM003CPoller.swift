internal import CLinux
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture of values owns: asks for those of the moment at a steady pace.
///
/// All values of a reply have one time: halfway between question and answer, ± half of what is between them, since
/// the meter took them at some moment in between; how long before it had measured them nobody tells.
struct KM003CPoller {
  private let session: KM003CSession
  private let sink: any BlockSink
  private let columns: [(place: Int, sign: Int64)]
  /// Nanoseconds from one question to the next.
  private let period: Int64
  private var times: [Int64] = []
  private var codes: [[Int64]]
  /// When they were given out last.
  private var given = MonotonicTime.now.nanoseconds
  private var samples: Int64 = 0
  private var lost: Int64 = 0
  private var damage = KM003CDamage()
  private var suspends = HostSuspends()
  private var pace = RoundTimes()

  /// How long values are held at most, in nanoseconds.
  private static let batch: Int64 = 50_000_000

  init(_ session: KM003CSession, _ options: KM003COptions, into sink: any BlockSink) {
    self.session = session
    self.sink = sink
    period = Int64((1e9 / options.rate).rounded())
    columns = options.columns.map {
      ($0.rawValue, options.isReversed && $0 == .current ? -1 : 1)
    }
    codes = options.columns.map { _ in [] }
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      var due = MonotonicTime.now.nanoseconds
      while true {
        let tick = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: isAsked)
        if tick.wait() == .interrupted { break }
        let (next, overrun) = pace.next(after: due, period: period)
        due = next
        if let overrun {
          give()
          sink.take(overrun)
        }
        try ask()
        if samples > 0 { hasBegun.raise() }
      }
    } catch { failure = error }
    give()
    return summary(failure, isRealtime)
  }

  private mutating func ask() throws(MeterFailure) {
    let begin = MonotonicTime.now.nanoseconds
    let reply = try session.data(.values, until: .after(seconds: KM003CSession.patience))
    let end = MonotonicTime.now.nanoseconds
    let time = begin &+ (end &- begin) / 2
    suspends.look(at: end, latest: nil, sink)
    let part: KM003CReply.Part?
    do throws(KM003CReply.Mistake) {
      part = try KM003CReply(reply.span).parts.first {
        $0.attribute == KM003CParts.values.rawValue
      }
    } catch {
      return try miss(KM003CDamage.words(error), reply, time)
    }
    let bytes = reply.span.bytes
    guard let part, let values = KM003CValues(bytes, part.range) else {
      return try miss("it holds no values", reply, time)
    }
    damage.clear()
    times.append(pace.add(from: begin, to: end))
    for (column, source) in columns.enumerated() {
      codes[column].append(source.sign * Int64(values.codes[source.place]))
    }
    samples += 1
    if end &- given >= Self.batch || period >= Self.batch { give() }
  }

  private mutating func miss(
    _ what: String, _ reply: [UInt8], _ time: Int64
  ) throws(MeterFailure) {
    give()
    lost += 1
    sink.take(CaptureEvent(.error, from: time, to: time, count: 1, note: what))
    try damage.take(what, reply, of: session.name)
  }

  private mutating func give() {
    given = MonotonicTime.now.nanoseconds
    guard !times.isEmpty else { return }
    sink.take(
      codes.indices.map { SampleBlock(channel: $0, times: times, codes: codes[$0]) })
    times.removeAll(keepingCapacity: true)
    for column in codes.indices { codes[column].removeAll(keepingCapacity: true) }
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts: [String: Value] = ["realtime": .boolean(isRealtime)]
    if pace.overruns > 0 { counts["overruns"] = .integer(pace.overruns) }
    if session.strays > 0 { counts["stray replies"] = .integer(session.strays) }
    if damage.count > 0 { counts["damaged replies"] = .integer(damage.count) }
    counts["longest question"] = pace.longest.map(Value.number)
    return CaptureSummary(
      samples: codes.map { _ in samples }, lost: lost, witnesses: ["an answer to each question"],
      clock: pace.clock, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
