internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A meter whose values are in files of a kernel, which are read at a steady rate by whatever samples
/// best on that board.
///
/// A thread of its own drains the sampler and hands blocks to the sink every 50 ms.
final class FileMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let files: [TargetPath]
  private let connection: any Connection
  private let properties: [MeterProperty]
  private let run = Mutex<Run?>(nil)

  /// What goes on between start and stop.
  private struct Run: Sendable {
    var source: any SampleSource
    var stopping: Interrupt
    var thread: NamedThread?
    var drain: Drain
  }

  /// - Parameters:
  ///   - files: as many as channels; each holds a whole number, the channel's code.
  ///   - rate: in hertz.
  init(
    _ identity: MeterIdentity, channels: [Channel], files: [TargetPath], rate: Double,
    properties: [MeterProperty], through connection: any Connection
  ) {
    self.identity = identity
    self.channels = channels
    self.rate = rate
    self.files = files
    self.connection = connection
    self.properties = properties
  }

  var isOver: Interrupt? { run.withLock { $0?.drain.isOver } }

  private static let drainMilliseconds: Int32 = 50

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    let period = Int64((1e9 / (rate ?? 1)).rounded())
    guard run.withLock({ $0 == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let drain = Drain(
      name: identity.name, channels: channels, files: files, period: period, sink: sink)
    var new: Run
    do throws(ConnectionFailure) {
      let source = try await connection.sampler(
        SamplePlan(
          files: files, periodNanoseconds: period,
          // Ten times what comes between two drains.
          capacity: max(65_536, files.count * Int(500_000_000 / period + 1))))
      new = Run(source: source, stopping: Interrupt(), thread: nil, drain: drain)
      try await source.start()
    } catch {
      throw MeterFailure(error, of: identity.name)
    }
    do throws(PlainFailure) {
      new.thread = try NamedThread("kelvin-meter") {
        [source = new.source, stopping = new.stopping] in
        var wait = pollfd(fd: stopping.descriptor, events: Int16(POLLIN), revents: 0)
        while !stopping.isRaised {
          _ = poll(&wait, 1, FileMeter.drainMilliseconds)
          drain.take(source)
        }
      }
    } catch {
      _ = await new.source.stop()
      throw MeterFailure(.malfunction, "\(identity.name): \(error.message)")
    }
    let begun = new
    run.withLock { $0 = begun }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let run = run.take() else {
      return CaptureSummary(samples: channels.map { _ in 0 })
    }
    run.stopping.raise()
    run.thread?.join()
    let counted = await run.source.stop()
    run.drain.take(run.source)
    return run.drain.summary(counted)
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] { properties }
}

extension FileMeter {
  /// Sorts what a sampler gives into blocks, and notes what is missing from it.
  ///
  /// Used by the meter's thread until that is joined, then by whoever stops it.
  final class Drain: Sendable {
    private let name: String
    private let channels: [Channel]
    private let files: [TargetPath]
    private let period: Int64
    private let sink: any BlockSink
    private let state: Mutex<State>
    /// Raised when files have gone, and none gives a value any more.
    let isOver = Interrupt()

    private struct State {
      var counts: [Int64]
      /// The last good sample of each channel.
      var last: [(time: Int64, code: Int64)?]
      /// Samples with the code of the one before, and what a pattern in them tells.
      var repeats: [Int64]
      var finders: [RepeatFinder]
      var first: Int64?
      /// Since when a channel cannot be read, how often, and why.
      var errors: [(from: Int64, to: Int64, count: Int64, why: String)?]
      /// Suspends that samples to come may lie around, and how often and how long there were any.
      var suspensions: [Suspension] = []
      var suspends: Int64 = 0
      var asleep: Int64 = 0
      var failure: MeterFailure?
    }

    init(
      name: String, channels: [Channel], files: [TargetPath], period: Int64, sink: any BlockSink
    ) {
      self.name = name
      self.channels = channels
      self.files = files
      self.period = period
      self.sink = sink
      state = Mutex(
        State(
          counts: channels.map { _ in 0 }, last: channels.map { _ in nil },
          repeats: channels.map { _ in 0 }, finders: channels.map { _ in RepeatFinder() },
          errors: channels.map { _ in nil }))
    }

    /// Takes what has come since the last time.
    func take(_ source: any SampleSource) {
      // In this order: those of the samples are there when the samples are.
      let samples = source.drain()
      take(samples, source.suspensions())
    }

    func take(_ samples: [Sample], _ suspensions: [Suspension] = []) {
      guard !samples.isEmpty || !suspensions.isEmpty else { return }
      state.withLock { state in
        for suspension in suspensions {
          sink.take(suspension.event)
          state.suspends += 1
          state.asleep &+= suspension.asleep ?? 0
        }
        state.suspensions += suspensions
        defer {
          let reached = state.last.compactMap { $0?.time }.min() ?? .min
          state.suspensions.removeAll { $0.to < reached }
        }
        var times: [[Int64]] = channels.map { _ in [] }
        var codes = times
        for sample in samples {
          let channel = Int(sample.channel)
          guard channel < channels.count else { continue }
          guard sample.status == .ok, sample.decimals == 0 else {
            fail(sample, channel, &state)
            continue
          }
          endError(channel, &state)
          if let last = state.last[channel] {
            let missing = (sample.nanoseconds - last.time + period / 2) / period - 1
            // Who sleeps leaves nothing out.
            let slept = state.suspensions.contains {
              $0.from < sample.nanoseconds && $0.to > last.time
            }
            if missing > 0, !slept {
              sink.take(
                CaptureEvent(
                  .overrun, channel: channel, from: last.time, to: sample.nanoseconds,
                  count: missing))
            }
            if last.code == sample.mantissa { state.repeats[channel] += 1 }
          }
          state.last[channel] = (sample.nanoseconds, sample.mantissa)
          if state.first == nil { state.first = sample.nanoseconds }
          state.counts[channel] += 1
          times[channel].append(sample.nanoseconds)
          codes[channel].append(sample.mantissa)
        }
        let blocks = channels.indices.filter { !times[$0].isEmpty }.map {
          SampleBlock(channel: $0, times: times[$0], codes: codes[$0])
        }
        for block in blocks { state.finders[block.channel].add(block) }
        if !blocks.isEmpty { sink.take(blocks) }
        if state.failure != nil, blocks.isEmpty { isOver.raise() }
      }
    }

    private func fail(_ sample: Sample, _ channel: Int, _ state: inout State) {
      let errno = Errno(Int32(truncatingIfNeeded: sample.mantissa))
      let why = sample.status == .unreadable ? "\(errno)" : "not a whole number"
      var error = state.errors[channel] ?? (sample.nanoseconds, sample.nanoseconds, 0, why)
      error.to = sample.nanoseconds
      error.count += 1
      state.errors[channel] = error
      guard sample.status == .unreadable, state.failure == nil else { return }
      if errno.rawValue == ENODEV || errno.rawValue == ENOENT {
        state.failure = MeterFailure(
          .gone, "\(name): \(files[channel]) has gone", evidence: why,
          hint: "look whether the device is still there; what was measured until then is kept")
      }
    }

    private func endError(_ channel: Int, _ state: inout State) {
      guard let error = state.errors[channel] else { return }
      state.errors[channel] = nil
      sink.take(
        CaptureEvent(
          .error, channel: channel, from: error.from, to: error.to, count: error.count,
          note: error.why))
    }

    /// Tells what is still to be told, and sums up.
    func summary(_ counted: SampleSummary) -> CaptureSummary {
      state.withLock { state in
        for channel in channels.indices {
          endError(channel, &state)
          guard let first = state.first, let last = state.last[channel] else { continue }
          // A meter that converts more slowly than it is read gives the same conversion again: it says so
          // itself, or its values do.
          var (conversion, count) = (channels[channel].averagingTime ?? 0, state.repeats[channel])
          if conversion * 1e9 <= Double(period) * 1.01 {
            guard let finding = state.finders[channel].finding else { continue }
            (conversion, count) = (finding.conversionPeriod / 1e9, finding.repeats)
          }
          if count > 0 {
            sink.take(
              CaptureEvent(
                .repeats, channel: channel, from: first, to: last.time, count: count,
                note: "converted each \(conversion * 1000) ms"))
          }
        }
        var summary = CaptureSummary(
          samples: state.counts, lost: counted.overruns + counted.lostSamples,
          witnesses: ["time stamp of each value"], clock: counted.hostClock,
          hostCPU: counted.probe == nil ? counted.cpuNanoseconds : nil,
          boardCPU: counted.probe == nil ? nil : counted.cpuNanoseconds,
          counts: [
            "ticks": .integer(counted.ticks), "late ticks": .integer(counted.lateTicks),
            "overruns": .integer(counted.overruns), "lost samples": .integer(counted.lostSamples),
            "max lateness": .integer(counted.maxLateness),
            "realtime": .boolean(counted.isRealtime)
          ], failure: state.failure)
        if state.suspends > 0 {
          summary.counts["suspends"] = .integer(state.suspends)
          summary.counts["asleep"] = .integer(state.asleep)
        }
        if !counted.note.isEmpty { summary.counts["note"] = .text(counted.note) }
        summary.counts.merge(counted.boardRecord) { first, _ in first }
        let still = channels.indices.filter {
          state.counts[$0] > 100 && state.finders[$0].isStuck
        }
        if !still.isEmpty {
          summary.counts["unchanged"] = .list(still.map { .text(channels[$0].name) })
        }
        if summary.failure == nil, state.counts.allSatisfy({ $0 == 0 }), counted.ticks > 0 {
          summary.failure = MeterFailure(
            .malfunction, "\(name): not one value could be read in \(counted.ticks) tries")
        }
        return summary
      }
    }
  }
}
