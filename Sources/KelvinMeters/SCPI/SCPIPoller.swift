internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture by question and answer owns.
///
/// All values of a round have one time: halfway between its first question and its last answer, ± half of what is
/// between them, since the instrument measured at some moment in between.
struct SCPIPoller {
  private let session: SCPISession
  private let identity: SCPIIdentity
  private let plan: SCPIPlan
  /// Nanoseconds from round to round; nil: as fast as it answers.
  private let period: Int64?
  private let patience: Double
  private var rounds: PolledRounds
  private var pace = RoundTimes()
  private var bad = 0
  private var suspends = SuspendWatch()
  private var straysBefore = 0

  /// How often answers are looked at, in nanoseconds, at first and later: values are held as long.
  private static let confirmation: (first: Int64, longest: Int64) = (50_000_000, 500_000_000)
  /// Answers in a row that hold no number, after which there is no point in going on.
  private static let mostBad = 8

  init(
    _ session: SCPISession, _ identity: SCPIIdentity, _ plan: SCPIPlan, rate: Double?,
    patience: Double, into sink: any BlockSink
  ) {
    self.session = session
    self.identity = identity
    self.plan = plan
    period = rate.map { Int64((1e9 / $0).rounded()) }
    self.patience = patience
    rounds = PolledRounds(plan.channels, into: sink)
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    straysBefore = session.strays
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try measure(until: isAsked, hasBegun)
      rounds.finish()
      try confirm()
      hasBegun.raise()
    } catch {
      failure = error
      rounds.finish()
      // What had come by then is whole, unless answers had begun to get out of step.
      if error.code != .malfunction, session.strays == straysBefore {
        rounds.confirm()
      } else {
        rounds.discard("answers that may belong to other questions")
      }
    }
    return summary(failure, isRealtime)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var due = MonotonicTime.now.nanoseconds
    var (confirmed, interval) = (Int64.min, Self.confirmation.first)
    while true {
      if let period {
        let tick = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: isAsked)
        if tick.wait() == .interrupted { return }
        let (next, overrun) = pace.next(after: due, period: period)
        due = next
        if let overrun { rounds.take(overrun) }
      } else if isAsked.isRaised {
        return
      }
      try round()
      let now = MonotonicTime.now.nanoseconds
      guard confirmed == .min || now &- confirmed > interval else { continue }
      if confirmed != .min { interval = min(2 * interval, Self.confirmation.longest) }
      try confirm()
      hasBegun.raise()
      confirmed = now
    }
  }

  private mutating func round() throws(MeterFailure) {
    var values = plan.channels.map { _ in PolledRounds.Value.none("no answer") }
    let begin = MonotonicTime.now.nanoseconds
    for question in plan.questions {
      let answer = try session.ask(
        question.text, before: question.before, until: .after(seconds: patience))
      try read(answer, question, &values)
    }
    let end = MonotonicTime.now.nanoseconds
    if let suspension = suspends.look(at: end) { rounds.take(suspension.event) }
    rounds.take(values, at: pace.add(from: begin, to: end))
  }

  private mutating func read(
    _ answer: [UInt8], _ question: SCPIPlan.Question, _ values: inout [PolledRounds.Value]
  ) throws(MeterFailure) {
    let fields = SCPIFields.split(answer) ?? []
    let isWhole = fields.count == question.fields.count
    for (place, channel) in question.fields.enumerated() {
      guard let channel else { continue }
      values[channel] = isWhole ? value(fields[place], channel) : .none("no such answer")
    }
    let isRight = question.fields.allSatisfy { channel in
      if let channel, case .none = values[channel] { false } else { true }
    }
    bad = isRight ? 0 : bad + 1
    guard bad < Self.mostBad else {
      var failure = session.malformed(question.text, answer, "no number, \(bad) times in a row")
      // What it has to say of that.
      if let query = errorQuery,
        let errors = try? session.errors(query, until: .after(seconds: patience)), !errors.isEmpty
      {
        failure = MeterFailure(
          failure.code, failure.message,
          evidence: failure.evidence + "; its errors: "
            + errors.map(\.description).joined(separator: "; "))
      }
      throw failure
    }
  }

  /// Asks for the queue of errors, when answers are none; nil where there is no queue.
  var errorQuery: String?

  private func value(_ field: [UInt8], _ channel: Int) -> PolledRounds.Value {
    switch SCPINumber(field) {
    case .value(let number, _):
      let code = (number / plan.channels[channel].scale).rounded()
      guard let code = Int64(exactly: code) else { return .none("\(number)") }
      return .code(code)
    case .overload: return .overload
    case .notANumber: return .none("not a number")
    case nil: return .none("no number")
    }
  }

  private mutating func confirm() throws(MeterFailure) {
    guard !rounds.isEmpty else { return }
    guard try session.isConfirmed(as: identity, until: .after(seconds: patience)) else {
      throw MeterFailure(
        .malfunction, "\(session.name): its answers do not belong to the questions any more",
        hint: "does another program speak to it over this connection? "
          + "what came since it was in step is left out")
    }
    rounds.confirm()
    straysBefore = session.strays
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts: [String: Value] = [
      "rounds": .integer(pace.count), "realtime": .boolean(isRealtime)
    ]
    if session.strays > 0 { counts["stray answers"] = .integer(Int64(session.strays)) }
    if pace.overruns > 0 { counts["overruns"] = .integer(pace.overruns) }
    counts["longest round"] = pace.longest.map(Value.number)
    return CaptureSummary(
      samples: rounds.samples, lost: rounds.lost, witnesses: ["an answer to each question"],
      clock: pace.clock, hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
