internal import Glibc
internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import Synchronization

/// Meters at work for one attempt: what they measure goes into captures of the store, several times a second.
///
/// The board's thread is blocked while the workload runs, so a thread of the session's own stores. Used by
/// the board's thread, in the order begin, start, stop, end.
final class EnergySession: Sendable {
  /// One meter and its capture.
  struct Part: Sendable {
    let meter: any Meter
    let recorder: CaptureRecorder
    /// After it was stopped.
    var summary: CaptureSummary?
    /// What kept it from measuring.
    var failure: MeterFailure?
  }

  let attempt: Int64
  private let parts: Mutex<[Part]>
  private let finish = Interrupt()
  private let thread = Mutex<NamedThread?>(nil)
  private let storeFailure = Mutex<StoreFailure?>(nil)
  private let isStopped = Once()
  private let isEnded = Once()

  /// Seconds between the beginnings of two times that what has come is stored.
  private static let pause = 0.25
  /// How long a meter may take to give its first sample, in seconds.
  private static let patience = 15.0

  /// Begins a capture for each meter, which it closes at the end.
  init(_ meters: [any Meter], attempt: Int64, into store: RunStore, source: String) throws {
    self.attempt = attempt
    parts = Mutex(
      try meters.map { meter in
        Part(
          meter: meter,
          recorder: try CaptureRecorder(
            meter, into: store, attempt: attempt, source: "\(source): \(meter.identity.name)"))
      })
  }

  /// The meters, and what became of them.
  var state: [Part] { parts.withLock { $0 } }

  /// Starts all meters, and waits until each has measured. One that does not is told by its part.
  func start(until deadline: Deadline) async throws {
    let parts = state
    for (index, part) in parts.enumerated() {
      do throws(MeterFailure) {
        try await part.meter.start(
          into: part.recorder, until: deadline.limited(toSeconds: Self.patience))
      } catch {
        fail(index, error)
      }
    }
    let storing = try NamedThread("kelvin-energy") { [self] in
      while !finish.isRaised {
        let next = Deadline.after(seconds: Self.pause, interrupt: finish)
        flush()
        _ = next.wait()
      }
    }
    thread.withLock { $0 = storing }
    let soon = deadline.limited(toSeconds: Self.patience)
    for (index, part) in state.enumerated() where part.failure == nil {
      // One whose capture has ended already tells why when it is stopped.
      if !wait(for: .min, part, soon), !soon.isInterrupted, part.meter.isOver?.isRaised != true {
        fail(
          index,
          MeterFailure(
            .timedOut, "\(part.meter.identity.name): it gave no sample in \(Self.patience) s",
            hint: "'kelvin meter live' shows what its channels give"))
      }
    }
  }

  /// Stops all meters when each has measured beyond a time of the host's clock, and notes marks. Idempotent.
  func stop(after time: Int64, marks: [PhaseMark], until deadline: Deadline) async {
    guard isStopped.begin() else { return }
    for part in state where part.failure == nil {
      // The sample after the end, so that the end lies between two; a meter that has gone gives none.
      let timing = MeterTiming(part.meter.channels)
      let seconds = 2 + 3 / (part.meter.rate ?? 1) + 2 * Double(timing.lag) / 1e9
      _ = wait(for: time + timing.lag, part, deadline.limited(toSeconds: seconds))
    }
    for (index, part) in state.enumerated() {
      let summary = await part.meter.stop(until: .after(seconds: Self.patience))
      for mark in marks {
        let time = summary.clock.meter(mark.time)
        part.recorder.take(
          CaptureEvent(.mark, from: time, to: time, note: mark.name ?? "end"))
      }
      parts.withLock { parts in
        parts[index].summary = summary
        if parts[index].failure == nil { parts[index].failure = summary.failure }
      }
    }
    finish.raise()
    thread.take()?.join()
    flush()
    for part in state {
      guard let summary = part.summary else { continue }
      do throws(StoreFailure) {
        try part.recorder.finish(summary)
      } catch {
        storeFailure.withLock { $0 = $0 ?? error }
      }
    }
  }

  /// Lets go of the meters. Idempotent.
  ///
  /// - Throws: what kept samples from being stored.
  func end() async throws {
    guard isEnded.begin() else { return }
    await stop(after: .min, marks: [], until: .after(seconds: 0))
    for part in state { await part.meter.close() }
    if let failure = storeFailure.withLock({ $0 }) { throw failure }
  }

  private func flush() {
    // After the first failure nothing more is tried: the disk is full or gone.
    guard storeFailure.withLock({ $0 == nil }) else { return }
    for part in state {
      do throws(StoreFailure) {
        try part.recorder.flush()
      } catch {
        storeFailure.withLock { $0 = $0 ?? error }
      }
    }
  }

  private func fail(_ index: Int, _ failure: MeterFailure) {
    parts.withLock { $0[index].failure = failure }
  }

  /// Waits until a meter has measured up to a time, on its own clock, or its capture has ended. Blocks.
  private func wait(for time: Int64, _ part: Part, _ deadline: Deadline) -> Bool {
    let limit = deadline.ended(with: part.meter)
    while part.recorder.reached.map({ $0 < time }) ?? true {
      guard !limit.hasPassed, !limit.isInterrupted else { return false }
      _ = limit.limited(toSeconds: 0.01).wait()
    }
    return true
  }
}
