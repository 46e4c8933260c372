internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Samples files of this machine on a thread of its own, at absolute deadlines.
///
/// Tick n is due at t0 + n * period, whatever happened to earlier ones: there is no drift. Between
/// start and stop the thread allocates nothing and takes no lock, but after a suspend.
final class LocalSampler: SampleSource {
  private let worker: Worker
  private let thread = Mutex<NamedThread?>(nil)

  init(_ plan: SamplePlan, paths: [String]) { worker = Worker(plan, paths: paths) }

  deinit { worker.stop.raise() }

  func start() async throws(ConnectionFailure) {
    let failure = thread.withLock { thread -> PlainFailure? in
      guard thread == nil else { return nil }
      do throws(PlainFailure) {
        thread = try NamedThread("sampler") { [worker] in worker.run() }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw ConnectionFailure(.system(Errno(EAGAIN)), "\(failure)") }
  }

  func drain() -> [Sample] { worker.ring.drain() }

  func suspensions() -> [Suspension] { worker.suspensions.take() }

  func stop() async -> SampleSummary {
    worker.stop.raise()
    thread.take()?.join()
    return worker.summary.withLock { $0 }
  }
}

/// What the sampling thread owns.
private final class Worker: Sendable {
  let ring: SampleRing
  let stop = Interrupt()
  let suspensions = SuspensionList()
  /// Written once, when the thread ends.
  let summary = Mutex(SampleSummary())
  private let plan: SamplePlan
  // Opened here, used by the sampling thread alone from then on.
  nonisolated(unsafe) private let files: UnsafeMutablePointer<SampledFile>
  private let count: Int

  init(_ plan: SamplePlan, paths: [String]) {
    self.plan = plan
    count = paths.count
    files = .allocate(capacity: count)
    for (index, path) in paths.enumerated() {
      (files + index).initialize(
        to: SampledFile(path: path, channel: UInt16(truncatingIfNeeded: index)))
    }
    ring = SampleRing(capacity: plan.capacity)
  }

  deinit {
    files.deinitialize(count: count)
    files.deallocate()
  }

  func run() {
    _ = kelvin_set_timer_slack(1)
    var summary = SampleSummary()
    becomeRealtime(&summary)
    let cpuBefore = Worker.cpuTime
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
      sample(files, buffer, &summary)
    }
    summary.cpuNanoseconds = Worker.cpuTime - cpuBefore
    summary.lostSamples = Int64(ring.lostCount)
    self.summary.withLock { $0 = summary }
  }

  /// Of the calling thread, in nanoseconds.
  private static var cpuTime: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private func becomeRealtime(_ summary: inout SampleSummary) {
    guard let priority = plan.realtimePriority else { return }
    let status = kelvin_set_fifo(Int32(priority))
    if status == 0 {
      summary.isRealtime = true
    } else {
      summary.note =
        "SCHED_FIFO was not granted (\(Errno(status))), so ticks may be late under load; "
        + "run as root or allow it by 'rtprio' in limits.conf"
    }
  }

  private func sample(
    _ files: UnsafeMutablePointer<SampledFile>, _ buffer: UnsafeMutableRawBufferPointer,
    _ summary: inout SampleSummary
  ) {
    let period = max(1, plan.periodNanoseconds)
    let count = count
    let lateLimit = period / 10
    // Once before the first tick: code and memory that are touched for the first time take milliseconds.
    for index in 0..<count { _ = files[index].sample(buffer) }
    let start = MonotonicTime.now.nanoseconds
    var tick: Int64 = 0
    var taken: Int64 = 0
    var sumOfLateness: Int64 = 0
    var watch = SuspendWatch()
    while sleep(until: start &+ tick &* period) {
      let begin = MonotonicTime.now.nanoseconds
      if let suspension = watch.look(at: begin) { suspensions.add(suspension) }
      let lateness = begin &- (start &+ tick &* period)
      sumOfLateness &+= lateness
      if lateness > summary.maxLateness { summary.maxLateness = lateness }
      if lateness > lateLimit { summary.lateTicks &+= 1 }
      for index in 0..<count { ring.push(files[index].sample(buffer)) }
      taken &+= 1
      tick &+= 1
      // Ticks whose whole period has gone are left out, not made up for in a bunch.
      let end = MonotonicTime.now.nanoseconds
      // In the middle of a tick, too, so that what was read before it is told from what was read after it.
      if let suspension = watch.look(at: end) { suspensions.add(suspension) }
      let passed = (end &- start) / period
      if passed > tick {
        summary.overruns &+= passed &- tick
        tick = passed
      }
    }
    summary.ticks = tick
    summary.meanLateness = taken > 0 ? Double(sumOfLateness) / Double(taken) : 0
  }

  /// - Returns: false when sampling is to stop.
  @inline(__always)
  private func sleep(until due: Int64) -> Bool {
    // Far from the next tick the stop wakes the thread; close to it a tick passes before it is seen.
    while due &- MonotonicTime.now.nanoseconds > 20_000_000 {
      var waiting = pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0)
      let milliseconds = (due &- MonotonicTime.now.nanoseconds) / 1_000_000 &- 10
      poll(&waiting, 1, Int32(clamping: milliseconds))
      if stop.isRaised { return false }
    }
    var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
    while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    return !stop.isRaised
  }
}
