internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// What the thread of a capture owns whose tester is asked for each reading.
///
/// A reading's time is halfway between the question and the end of its answer. It is held until the next question
/// finds that nothing more has come: an answer too many is one that came late, or another device's, and then nobody
/// knows which question was answered. Behind whatever goes wrong, nothing is asked before the line has been silent
/// for as long as an answer may take; so an answer that is late by less than twice that is never taken for another's.
struct TesterPoller {
  private let port: TesterPort
  private let language: any TesterLanguage
  private let question: [UInt8]
  /// From question to question, in nanoseconds.
  private let period: Int64
  private var samples: TesterSamples
  private var held: (codes: [Int64], time: Int64)?
  private var faults = Faults()
  private var pace = RoundTimes()
  private var suspends = SuspendWatch()

  /// What has gone wrong.
  private struct Faults {
    var count: Int64 = 0
    /// One behind the other.
    var row = 0
    /// Whether nothing at all came in any of that row.
    var isSilent = true
    var last = TesterFault("")
    var evidence: [UInt8] = []
  }

  private static let tooMuch = TesterFault("more came than was asked for")
  /// Faults in a row after which there is no point in going on.
  private static let mostFaults = 4

  init(
    _ port: TesterPort, _ language: any TesterLanguage, question: [UInt8], rate: Double,
    into sink: any BlockSink
  ) {
    self.port = port
    self.language = language
    self.question = question
    period = Int64((1e9 / rate).rounded())
    samples = TesterSamples(channels: language.channels.count, into: sink)
  }

  mutating func run(until isAsked: Interrupt, hasBegun: Interrupt) -> CaptureSummary {
    let isRealtime = kelvin_set_fifo(40) == 0
    var failure: MeterFailure?
    do throws(MeterFailure) {
      try measure(until: isAsked, hasBegun)
      if try port.strays() > 0 { drop(Self.tooMuch.text) }
    } catch { failure = error }
    confirm(hasBegun)
    samples.finish(at: MonotonicTime.now.nanoseconds)
    return summary(failure, isRealtime)
  }

  private mutating func measure(
    until isAsked: Interrupt, _ hasBegun: Interrupt
  ) throws(MeterFailure) {
    var due = MonotonicTime.now.nanoseconds
    while true {
      let tick = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: isAsked)
      if tick.wait() == .interrupted { return }
      let (next, overrun) = pace.next(after: due, period: period)
      due = next
      if let overrun { samples.take(overrun) }
      let now = MonotonicTime.now.nanoseconds
      if let suspension = suspends.look(at: now) { samples.take(suspension.event) }
      if try port.strays() > 0 {
        drop(Self.tooMuch.text)
        try fail(Self.tooMuch, nil, at: now, isAsked)
        due = MonotonicTime.now.nanoseconds
        continue
      }
      confirm(hasBegun)
      // Not ended by a stop: the answer would be the next one's who asks.
      let answer = try port.ask(question, language.size, until: .never)
      do throws(TesterFault) {
        guard answer.bytes.count <= language.size else { throw Self.tooMuch }
        take(try language.read(answer.bytes[...]), answer)
      } catch {
        try fail(error, answer.bytes, at: answer.came, isAsked)
        due = MonotonicTime.now.nanoseconds
      }
    }
  }

  private mutating func take(_ reading: TesterReading, _ answer: TesterPort.Answer) {
    held = (reading.codes, pace.add(from: answer.asked, to: answer.came))
    (faults.row, faults.isSilent) = (0, true)
  }

  /// Gives out the reading that is held.
  private mutating func confirm(_ hasBegun: Interrupt) {
    guard let reading = held else { return }
    held = nil
    samples.give(reading.codes, at: reading.time)
    hasBegun.raise()
  }

  /// Gives up the reading that is held.
  private mutating func drop(_ note: String) {
    guard let reading = held else { return }
    held = nil
    samples.miss(note, at: reading.time)
  }

  /// - Parameter answer: nil where none was waited for.
  /// - Throws: when it is one too many.
  private mutating func fail(
    _ fault: TesterFault, _ answer: [UInt8]?, at time: Int64, _ isAsked: Interrupt
  ) throws(MeterFailure) {
    faults.count += 1
    faults.row += 1
    let isSilence = answer?.isEmpty == true
    if !isSilence { faults.isSilent = false }
    (faults.last, faults.evidence) = (isSilence ? TesterFault("no answer") : fault, answer ?? [])
    // What came unasked has taken a reading with it, which is told already, or none.
    if answer != nil { samples.miss(faults.last.text, at: time) }
    guard faults.row < Self.mostFaults else { throw giveUp() }
    let limit = Deadline.never.ended(by: [isAsked])
    guard try !port.settle(until: limit), !isAsked.isRaised else { return }
    throw MeterFailure(
      .malfunction, "\(port.name): \(port.line.path): it goes on sending without being asked",
      hint: "does another program speak to it? what came before is kept")
  }

  private func giveUp() -> MeterFailure {
    if faults.isSilent {
      return MeterFailure(
        .timedOut, "\(port.name): \(port.line.path): it does not answer any more",
        hint: "unplug it and plug it in again; what came before is kept")
    }
    return MeterFailure(
      .malfunction,
      "\(port.name): \(port.line.path): its answers are not those of \(language.title): \(faults.last.text)",
      evidence: Excerpt.hex(faults.evidence),
      hint: "does another program speak to it, or has another device this port?")
  }

  private func summary(_ failure: MeterFailure?, _ isRealtime: Bool) -> CaptureSummary {
    var counts: [String: Value] = ["rounds": .integer(pace.count), "realtime": .boolean(isRealtime)]
    if faults.count > 0 { counts["faults"] = .integer(faults.count) }
    if pace.overruns > 0 { counts["overruns"] = .integer(pace.overruns) }
    counts["longest answer"] = pace.longest.map(Value.number)
    return CaptureSummary(
      samples: samples.samples, lost: samples.lost,
      witnesses: ["an answer to each question", language.witness], clock: pace.clock,
      hostCPU: kelvin_cpu_time(1), counts: counts, failure: failure)
  }
}
