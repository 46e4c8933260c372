internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// What the thread of a ``BoardSampler`` does: takes what the board says until it is to stop.
final class BoardSamplerWorker: Sendable {
  let stopping = Interrupt()
  let suspensions = SuspensionList()
  private let plan: SamplePlan
  /// The thread's while it runs, the caller's before.
  private let work: Mutex<Work>
  private let arrived = Mutex(Arrived())
  private let summary = Mutex(SampleSummary())

  private struct Work {
    var link: SamplerLink
    var hello: SamplerMessage.Hello
    var clock = BoardClock()
    /// Samples and suspends on the board's clock that wait for the last reading of it.
    var kept: [Sample] = []
    var keptSuspends: [SamplerMessage.Suspend] = []
    /// Suspends of the board that were told.
    var suspends: Int64 = 0
    var end: SamplerMessage.End?
    var delivered: Int64 = 0
    var live = LiveClock()
  }

  private struct Arrived {
    var samples: [Sample] = []
    var lost: Int64 = 0
  }

  /// How many questions make a reading of the clock, of which the quickest counts.
  private static let burst = 8

  /// Waits for the program's first word.
  init(
    _ plan: SamplePlan, _ link: SamplerLink, until deadline: Deadline
  ) throws(ConnectionFailure) {
    self.plan = plan
    var link = link
    do throws(ConnectionFailure) {
      guard case .hello(let hello)? = try link.next(until: deadline)?.message else {
        throw ConnectionFailure(.timedOut, "\(link.name): the sampler did not begin in time")
      }
      guard hello.bufferBytes > 0 else {
        throw ConnectionFailure(
          .system(Errno(ENOMEM)),
          "\(link.name): the board has no \(plan.buffer ?? SamplerLink.linkBuffer) bytes for samples",
          hint: "a smaller buffer, or a longer period, needs less")
      }
      work = Mutex(Work(link: link, hello: hello))
    } catch {
      link.link.abandon()
      throw error
    }
  }

  /// The program sees the end of its input, and ends.
  func abandon() { work.withLock { $0.link.link.abandon() } }

  /// After the end of the thread.
  var result: SampleSummary { summary.withLock { $0 } }

  func drain() -> [Sample] {
    arrived.withLock { arrived in
      defer { arrived.samples = [] }
      return arrived.samples
    }
  }

  /// Compares the clocks, and has the sampling begin.
  func begin(until deadline: Deadline) throws(ConnectionFailure) {
    try work.withLock { work throws(ConnectionFailure) in
      work.clock.add(try work.link.readClock(times: BoardSamplerWorker.burst, until: deadline))
      work.live.begin(work.clock)
      try work.link.send("s", until: deadline)
    }
  }

  // MARK: The thread

  func run() {
    let begin = MonotonicTime.now
    let result = work.withLock { work -> SampleSummary in
      var failure: ConnectionFailure?
      do throws(ConnectionFailure) {
        try takeSamples(&work)
        try work.link.send("e", until: .after(seconds: 10))
        try takeRest(&work)
        work.clock.add(
          try work.link.readClock(times: BoardSamplerWorker.burst, until: .after(seconds: 10)))
        // It has done all; whether it hears this makes no difference to what is known.
        _ = try? work.link.send("q", until: .after(seconds: 1))
      } catch {
        failure = error
      }
      work.link.link.abandon()
      noteHostSleep(&work)
      deliverKept(&work)
      return conclude(work, begin: begin, failure: failure)
    }
    summary.withLock { $0 = result }
  }

  /// Until it is to stop.
  private func takeSamples(_ work: inout Work) throws(ConnectionFailure) {
    var question: (nonce: Int64, sent: Int64)?
    var interval = 1.0
    var nextQuestion = plan.buffer == nil ? Deadline.after(seconds: interval) : .never
    while !stopping.isRaised {
      // It looks after this machine's own sleep each second, too.
      let deadline = Deadline(time: nextQuestion.time, interrupt: stopping).limited(toSeconds: 1)
      let next = try work.link.next(until: deadline)
      noteHostSleep(&work)
      if let (message, time) = next {
        if case .clock(let answer) = message, let asked = question, asked.nonce == answer.nonce {
          question = nil
          let reading = ClockReading(
            sent: asked.sent, boardReceived: answer.received, boardSent: answer.sent,
            received: time)
          if reading.isPlausible {
            work.clock.add([reading])
            work.live.follow(work.clock)
          }
        }
        take(message, &work)
      }
      if plan.buffer == nil, nextQuestion.hasPassed {
        question = try work.link.askClock(until: .after(seconds: 10))
        interval = min(30, interval * 1.5)
        nextQuestion = .after(seconds: interval)
      }
    }
  }

  /// Everything that the board still has; as long as something comes.
  private func takeRest(_ work: inout Work) throws(ConnectionFailure) {
    while work.end == nil {
      guard let (message, _) = try work.link.next(until: .after(seconds: 15)) else {
        throw ConnectionFailure(.timedOut, "\(work.link.name): the sampler does not answer")
      }
      take(message, &work)
    }
  }

  private func take(_ message: SamplerMessage, _ work: inout Work) {
    switch message {
    case .hello, .clock: break
    case .end(let end): work.end = end
    case .suspend(let suspend):
      work.suspends += 1
      if plan.buffer != nil {
        work.keptSuspends.append(suspend)
      } else {
        deliver(suspend, work, work.live.host)
      }
    case .data(let data):
      work.delivered += Int64(data.samples.count)
      if plan.buffer != nil {
        work.kept += data.samples
      } else {
        var samples = data.samples
        work.live.map(&samples)
        for index in samples.indices {
          samples[index].nanoseconds = work.link.sleep.monotonic(samples[index].nanoseconds)
        }
        deliver(samples, limit: plan.capacity)
      }
    }
  }

  private func deliver(_ samples: [Sample], limit: Int) {
    arrived.withLock { arrived in
      let room = max(0, limit - arrived.samples.count)
      arrived.samples += samples.prefix(room)
      arrived.lost += Int64(max(0, samples.count - room))
    }
  }

  /// A sleep of the board, before the samples that follow it.
  private func deliver(
    _ suspend: SamplerMessage.Suspend, _ work: Work, _ host: (Int64) -> Int64
  ) {
    suspensions.add(
      Suspension(
        .board, from: work.link.sleep.monotonic(host(suspend.from)),
        to: work.link.sleep.monotonic(host(suspend.to)), asleep: suspend.asleep))
  }

  private func noteHostSleep(_ work: inout Work) {
    _ = work.link.sleep.now()
    for suspension in work.link.sleep.takeSuspensions() { suspensions.add(suspension) }
  }

  private func deliverKept(_ work: inout Work) {
    guard let fit = work.clock.fit else { return }
    for suspend in work.keptSuspends { deliver(suspend, work, fit.safeHost) }
    work.keptSuspends = []
    for index in work.kept.indices {
      let time = fit.safeHost(work.kept[index].nanoseconds)
      work.kept[index].nanoseconds = work.link.sleep.monotonic(time)
    }
    deliver(work.kept, limit: .max)
    work.kept = []
  }

  // MARK: The end

  private func conclude(
    _ work: Work, begin: MonotonicTime, failure: ConnectionFailure?
  ) -> SampleSummary {
    var summary = SampleSummary()
    var notes: [String] = []
    let unheard = arrived.withLock { $0.lost }
    if let end = work.end {
      summary.ticks = end.ticks
      summary.lateTicks = end.late
      summary.overruns = end.overruns
      summary.meanLateness = end.taken > 0 ? Double(end.sumOfLateness) / Double(end.taken) : 0
      summary.maxLateness = end.maxLateness
      summary.cpuNanoseconds = end.cpu
      summary.lostSamples = max(0, end.samples - work.delivered) + unheard
      summary.probe = ProbeEffect(end)
    } else {
      // What it would have sampled is known, what it did is not.
      summary.ticks = (MonotonicTime.now - begin) / max(1, plan.periodNanoseconds) + 1
      let due = summary.ticks * Int64(plan.files.count)
      summary.lostSamples = max(0, due - work.delivered) + unheard
    }
    if let failure {
      notes.append("the sampler on the board was lost, with what it still had: \(failure.message)")
    }
    if let fit = work.clock.fit {
      summary.clock = fit
      let (bound, overflow) = work.clock.bound(of: fit)
        .addingReportingOverflow(work.live.greatestDistance(from: fit))
      summary.clockBound = overflow ? .max : bound
      if work.clock.readings.count == 1 {
        notes.append("the clocks were compared before the window alone, so drift is not known")
      }
    }
    summary.isRealtime = plan.realtimePriority != nil && work.hello.realtimeError == 0
    if plan.realtimePriority != nil, !summary.isRealtime {
      notes.append(
        "SCHED_FIFO was not granted on the board (\(Errno(Int32(clamping: work.hello.realtimeError)))), "
          + "so ticks may be late under load")
    }
    if work.hello.lockError != 0 {
      notes.append(
        "its memory was not locked (\(Errno(Int32(clamping: work.hello.lockError))))")
    }
    if !work.hello.noticesSuspends {
      notes.append(
        "a suspend of the board would go unnoticed: its sampler or its kernel is too old")
    } else if let end = work.end, end.suspends > work.suspends {
      notes.append(
        "\(end.suspends - work.suspends) suspend(s) of the board are not marked: what told of them was lost"
      )
    }
    if work.link.frames.damaged > 0 {
      notes.append("\(work.link.frames.damaged) frame(s) arrived damaged")
    }
    summary.note = notes.joined(separator: "; ")
    return summary
  }
}
