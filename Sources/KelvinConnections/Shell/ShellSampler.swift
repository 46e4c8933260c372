internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Samples through a shell, all files in one round trip each tick: one of its own, where the target can
/// have several.
///
/// It ticks at absolute deadlines too, but the samples of one tick share one time stamp, the middle
/// of the round trip. The shell reads the numbers itself: no process for each file. A suspend of the board is
/// known by the kernel's count of them, which is read with the rest; how long it was is not.
final class ShellSampler: SampleSource {
  private let plan: SamplePlan
  private let connection: any ScriptRunner
  private let ownsConnection: Bool
  private let reason: String
  private let ring: SampleRing
  private let noticed = SuspensionList()
  private let stopping = Interrupt()
  private let summary = Mutex(SampleSummary())
  private let thread = Mutex<NamedThread?>(nil)

  /// - Parameters:
  ///   - ownsConnection: whether the end of the sampling closes it.
  ///   - reason: why nothing better was done; empty when it was asked for.
  init(
    _ plan: SamplePlan, connection: any ScriptRunner, ownsConnection: Bool = true,
    reason: String = ""
  ) {
    self.plan = plan
    self.reason = reason
    self.connection = connection
    self.ownsConnection = ownsConnection
    ring = SampleRing(capacity: plan.capacity)
  }

  func start() async throws(ConnectionFailure) {
    // Opens the shell now, so that the first tick does not pay for it.
    _ = try connection.run(":", until: .after(seconds: 10))
    let failure = thread.withLock { thread -> PlainFailure? in
      guard thread == nil else { return nil }
      do throws(PlainFailure) {
        thread = try NamedThread("sampler") { self.run() }
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw ConnectionFailure(.system(Errno(EAGAIN)), "\(failure)") }
  }

  func drain() -> [Sample] { ring.drain() }

  func suspensions() -> [Suspension] { noticed.take() }

  func stop() async -> SampleSummary {
    stopping.raise()
    thread.take()?.join()
    if ownsConnection { await connection.close() }
    return summary.withLock { $0 }
  }

  private func run() {
    var summary = SampleSummary()
    summary.note =
      "sampled through a shell: the samples of a tick share one time stamp, true to half a round "
      + "trip, and no real-time scheduling"
    if !reason.isEmpty { summary.note += "; \(reason)" }
    let period = max(1, plan.periodNanoseconds)
    let start = MonotonicTime.now.nanoseconds
    let script = (plan.files.map(ShellSampler.snippet) + [ShellSampler.suspendCount])
      .joined(separator: "\n")
    var watch = SuspendWatch()
    var sleeps = SleepCount()
    var tick: Int64 = 0
    var taken: Int64 = 0
    var sumOfLateness: Int64 = 0
    while waitUntil(start + tick * period) {
      let begin = MonotonicTime.now.nanoseconds
      let lateness = begin - (start + tick * period)
      sumOfLateness += lateness
      summary.maxLateness = max(summary.maxLateness, lateness)
      if lateness > period / 10 { summary.lateTicks += 1 }
      guard
        let reply = try? connection.run(
          script, until: .after(seconds: 10, interrupt: stopping))
      else { break }
      let end = MonotonicTime.now.nanoseconds
      if let suspension = watch.look(at: end) { noticed.add(suspension) }
      let parts = reply.output.split(separator: 0, omittingEmptySubsequences: false)
      if let suspension = sleeps.take(parts.dropFirst(plan.files.count).first, begin, end) {
        noticed.add(suspension)
      }
      push(parts, time: begin + (end - begin) / 2)
      taken += 1
      tick += 1
      let passed = (MonotonicTime.now.nanoseconds - start) / period
      if passed > tick {
        summary.overruns += passed - tick
        tick = passed
      }
    }
    if !sleeps.isKnown {
      summary.note += "; this kernel does not count suspends, so one of the board goes unnoticed"
    }
    summary.ticks = tick
    summary.meanLateness = taken > 0 ? Double(sumOfLateness) / Double(taken) : 0
    summary.lostSamples = Int64(ring.lostCount)
    let final = summary
    self.summary.withLock { $0 = final }
  }

  /// Prints a file's first line, or `!` and an errno, then NUL. Only a file that gives nothing costs
  /// a process, to tell an empty one from one that cannot be read.
  private static func snippet(_ path: TargetPath) -> String {
    let file = ShellWords.quote(path.string)
    return """
      v=; { IFS= read -r v; } 2>/dev/null <\(file)
      if [ "$v" ] || cat -- \(file) >/dev/null 2>&1; then printf '%s\\000' "$v"
      elif [ ! -e \(file) ]; then printf '!\(ENOENT)\\000'
      elif [ ! -r \(file) ]; then printf '!\(EACCES)\\000'
      else printf '!\(EIO)\\000'; fi
      """
  }

  /// Prints how often the board has slept since it booted (Linux, Documentation/ABI/testing/sysfs-power), then NUL;
  /// where the kernel does not count, the NUL alone, without a process.
  private static let suspendCount = """
    v=; { IFS= read -r v; } 2>/dev/null </sys/power/suspend_stats/success
    printf '%s\\000' "$v"
    """

  private func push(_ parts: [ArraySlice<UInt8>], time: Int64) {
    for index in plan.files.indices {
      var sample = Sample(
        nanoseconds: time, mantissa: Int64(EIO), channel: UInt16(truncatingIfNeeded: index),
        status: .unreadable)
      if index < parts.count, parts[index].first == UInt8(ascii: "!") {
        let digits = String(decoding: parts[index].dropFirst(), as: UTF8.self)
        sample.mantissa = Int64(digits) ?? Int64(EIO)
      } else if index < parts.count {
        let bytes = Array(parts[index])
        var number = DecimalNumber()
        let isNumber = bytes.withUnsafeBytes { number.parse($0, count: $0.count) }
        sample.status = isNumber ? .ok : .notNumber
        sample.mantissa = isNumber ? number.mantissa : 0
        sample.decimals = number.decimals
      }
      ring.push(sample)
    }
  }

  private func waitUntil(_ due: Int64) -> Bool {
    while !stopping.isRaised {
      let left = due - MonotonicTime.now.nanoseconds
      guard left > 0 else { return true }
      var waiting = pollfd(fd: stopping.descriptor, events: Int16(POLLIN), revents: 0)
      if left > 2_000_000 {
        poll(&waiting, 1, Int32(clamping: left / 1_000_000 - 1))
      } else {
        var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
      }
    }
    return false
  }
}

/// What a kernel's count of suspends tells from one reading to the next.
struct SleepCount {
  /// Whether there is one.
  private(set) var isKnown = false
  private var last: (count: Int64, time: Int64)?

  /// - Parameters:
  ///   - text: what the file held.
  ///   - begin, end: the host's clock before and after it was read.
  /// - Returns: the suspend since the last reading, if there was one.
  mutating func take(
    _ text: ArraySlice<UInt8>?, _ begin: Int64, _ end: Int64
  ) -> Suspension? {
    guard let text, let count = Int64(String(decoding: text, as: UTF8.self)) else { return nil }
    isKnown = true
    defer { last = (count, begin) }
    guard let last, count > last.count else { return nil }
    return Suspension(.board, from: last.time, to: end, asleep: nil)
  }
}
