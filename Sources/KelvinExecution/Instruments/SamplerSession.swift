internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets
internal import Synchronization

/// One sampler at work for one attempt: its samples go into a capture of the store while the
/// workload runs.
///
/// The board's thread is blocked then, so a thread of the session's own drains the sampler every
/// 100 ms. It is joined before the sampler is stopped: a source is never used by two threads at
/// once.
final class SamplerSession: Sendable {
  /// What a session came to.
  struct Result: Sendable {
    var summary: SampleSummary
    /// By file.
    var statistics: [SampleStatistics]
    var suspensions: [Suspension]

    /// Records how sampling went with the job.
    func record(in job: JobContext, source: String) {
      summary.record(in: job, source: source)
      guard !suspensions.isEmpty else { return }
      let asleep = suspensions.reduce(0) { $0 &+ ($1.asleep ?? 0) }
      job.record(
        .warning, source: source,
        "\(suspensions.count) suspend(s) in the window, \(Double(asleep / 1_000_000) / 1000) s as far as is known: "
          + "nothing was sampled then")
    }
  }

  let files: [SampledFile]
  let attempt: Int64
  private let source: any SampleSource
  private let store: RunStore
  private let capture: Int64
  private let finish = Interrupt()
  private struct State {
    var collector: SampleCollector
    /// That wait to be stored.
    var events: [CaptureEvent] = []
    var failure: StoreFailure?
  }
  /// The drain thread's until it is joined, then the board thread's.
  private let state: Mutex<State>
  private let thread = BoardConfined<NamedThread?>(nil)
  private let result = BoardConfined<Result?>(nil)

  /// Opens the files and begins the capture; sampling begins at ``start()``.
  init(
    _ files: [SampledFile], period: Int64, realtimePriority: Int?,
    onBoard: SamplePlan.OnBoard = .auto, buffer: Int? = nil, instrument: String,
    _ context: SignalContext
  ) async throws {
    source = try await context.target.connection.sampler(
      SamplePlan(
        files: files.map(\.path), periodNanoseconds: period,
        capacity: SamplerSession.capacity(period: period, files: files.count),
        realtimePriority: realtimePriority, onBoard: onBoard, buffer: buffer))
    attempt = try context.requireJob().attemptID
    store = context.store
    self.files = files
    capture = try store.beginCapture(
      attempt: attempt, source: instrument, channels: files.map(\.channel))
    state = Mutex(State(collector: SampleCollector(files: files)))
  }

  /// Milliseconds between drains.
  private static let drainInterval: Int64 = 100
  /// Samples of a channel that make an append; five times a second what there is goes out in any case, so that a
  /// power cut takes no more than the last second (`RunStore`).
  private static let blockSize = 4096
  private static let drainsPerBlock = 2

  /// Room for four times the samples that come between two drains: at least the seam's default,
  /// at most what the store takes as one block.
  static func capacity(period: Int64, files: Int) -> Int {
    let ticks = drainInterval * 1_000_000 / max(1, period) + 1
    let (samples, overflow) = Int(clamping: ticks).multipliedReportingOverflow(by: files * 4)
    return overflow ? 1 << 20 : min(1 << 20, max(65_536, samples))
  }

  /// Starts sampling and draining.
  func start() async throws {
    try await source.start()
    thread.value = try NamedThread("kelvin-drain") { [self] in drainUntilFinished() }
  }

  private func drainUntilFinished() {
    var drains = 0
    var next = Deadline.after(seconds: 0, interrupt: finish)
    while !finish.isRaised {
      _ = next.wait()
      next = .after(seconds: Double(SamplerSession.drainInterval) / 1000, interrupt: finish)
      drains += 1
      drain(isLast: drains % SamplerSession.drainsPerBlock == 0)
    }
  }

  private func drain(isLast: Bool) {
    let samples = source.drain()
    let suspensions = source.suspensions()
    state.withLock { state in
      state.collector.add(samples, suspensions)
      state.events += suspensions.map(\.event)
      guard isLast || state.collector.waiting >= SamplerSession.blockSize else { return }
      let blocks = state.collector.takeBlocks()
      // After the first failure nothing more is tried: the disk is full or gone.
      guard state.failure == nil, !blocks.isEmpty || !state.events.isEmpty else { return }
      do throws(StoreFailure) {
        try store.append(capture: capture, blocks: blocks, events: state.events)
        state.events = []
      } catch {
        state.failure = error
      }
    }
  }

  /// Stops sampling and puts what is left into the store. Idempotent.
  func stop() async -> Result {
    if let result = result.value { return result }
    finish.raise()
    thread.exchange(nil)?.join()
    let summary = await source.stop()
    drain(isLast: true)
    let result = state.withLock { state in
      Result(
        summary: summary, statistics: state.collector.statistics,
        suspensions: state.collector.suspensions)
    }
    self.result.value = result
    return result
  }

  /// Ends the capture in the store.
  ///
  /// - Throws: what kept samples from being stored, too.
  func end() async throws {
    let result = await stop()
    try store.endCapture(capture, summary: result.summary.record)
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }
}
