internal import CLinux
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem

/// Counters of the kernel that are read at a steady rate, by a thread of its own.
final class PerfMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let sources: [PerfSource]
  private let slot: CaptureSlot

  init(_ identity: MeterIdentity, _ sources: [PerfSource], rate: Double) {
    self.identity = identity
    self.sources = sources
    self.rate = rate
    channels = sources.map(\.channel)
    slot = CaptureSlot(of: identity.name, channels: sources.count)
  }

  var isOver: Interrupt? { slot.isOver }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    try slot.requireIdle()
    let new = try CaptureThread("kelvin-perf", of: identity.name) {
      [sources, name = identity.name, period = Int64(1e9 / (rate ?? 20))] isAsked, _ in
      PerfMeter.measure(sources, name, period, sink, until: isAsked)
    }
    slot.keep(new)
  }

  func stop(until deadline: Deadline) async -> CaptureSummary { slot.end() }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    sources.map { source in
      MeterProperty(
        source.channel.name,
        "\(source.event.name) on CPU \(source.cpu), \(source.event.scale) J a count")
    }
  }

  /// Reads all of them at each tick, and once more at the end. Ticks that have passed are left out: what a
  /// counter counts between two readings is not lost.
  private static func measure(
    _ sources: [PerfSource], _ name: String, _ period: Int64, _ sink: any BlockSink,
    until stopping: Interrupt
  ) -> CaptureSummary {
    var summary = CaptureSummary(
      samples: sources.map { _ in 0 }, witnesses: ["the kernel's own sum"])
    var readers: [PerfReader] = []
    for (channel, source) in sources.enumerated() {
      do throws(Errno) {
        readers.append(try PerfReader(source, channel: channel))
      } catch {
        summary.failure = MeterFailure(
          .malfunction, "\(name): \(source.event.name) cannot be opened", evidence: "\(error)")
        return summary
      }
    }
    var due = MonotonicTime.now.nanoseconds
    var suspends = HostSuspends()
    while summary.failure == nil {
      let isLast = stopping.isRaised
      suspends.look(at: MonotonicTime.now.nanoseconds, latest: nil, sink)
      for reader in readers {
        do throws(Errno) {
          try reader.read(into: sink)
          summary.samples[reader.channel] += 1
        } catch {
          summary.failure = MeterFailure(
            .gone, "\(name): \(reader.source.event.name) can no longer be read",
            evidence: "\(error)", hint: "what was measured until then is kept")
          break
        }
      }
      if isLast { break }
      due += period
      let now = MonotonicTime.now.nanoseconds
      if due <= now { due += (now - due) / period * period + period }
      _ = Deadline(time: MonotonicTime(nanoseconds: due), interrupt: stopping).wait()
    }
    if suspends.count > 0 { summary.counts["suspends"] = .integer(suspends.count) }
    summary.hostCPU = kelvin_cpu_time(1)
    return summary
  }
}

/// One open counter, and what its readings tell. Used by one thread.
private final class PerfReader {
  let source: PerfSource
  let channel: Int
  private let counter: PerfCounter
  private var last: PerfCounter.Reading?

  init(_ source: PerfSource, channel: Int) throws(Errno) {
    self.source = source
    self.channel = channel
    counter = try PerfCounter(source.event, cpu: source.cpu)
  }

  func read(into sink: any BlockSink) throws(Errno) {
    let reading = try counter.read()
    guard let last, reading.time > last.time else {
      if self.last == nil { take(reading, sink) }
      return
    }
    if reading.idle > last.idle {
      // What it did not count meanwhile is lost.
      sink.take(
        CaptureEvent(
          .reset, channel: channel, from: last.time, to: reading.time,
          note: "the counter did not run all the time"))
    }
    take(reading, sink)
  }

  private func take(_ reading: PerfCounter.Reading, _ sink: any BlockSink) {
    last = reading
    sink.take([SampleBlock(channel: channel, times: [reading.time], codes: [reading.count])])
  }
}
