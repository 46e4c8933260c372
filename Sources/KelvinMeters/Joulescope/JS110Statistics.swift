internal import CLinux
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Asks a JS110 for what it computes of its samples, and gives out each window once. Used by one thread.
struct JS110StatisticsPoller {
  private let port: JS110Port
  private let sink: any BlockSink
  private let transfer = USBTransfer(capacity: 512)
  private var clock = StreamClock(period: JS110Worker.period)
  private var windows = JS110Windows()
  private var samples: Int64 = 0
  private var lost: Int64 = 0
  private var discarded: (first: UInt32, last: UInt32)?

  /// From one question to the next, in seconds: what its clock is known by.
  private static let pause = 0.02
  /// How long there may be no new window, in seconds.
  private static let patience = 3.0

  init(_ port: JS110Port, into sink: any BlockSink) {
    self.port = port
    self.sink = sink
  }

  static func channels(_ accuracy: [MeterChannel.Kind: Accuracy]) -> [Channel] {
    func channel(
      _ kind: MeterChannel.Kind, _ unit: String, _ scale: Double, isMean: Bool = true
    ) -> Channel {
      Channel(
        name: kind.rawValue, unit: unit, scale: scale, kind: kind, accuracy: accuracy[kind],
        averagingTime: isMean ? 0.5 : nil)
    }
    // Its sums can also fall, as a counter that others would take them for must not.
    return [
      channel(.current, "A", JS110Status.Statistics.current),
      channel(.voltage, "V", JS110Status.Statistics.voltage),
      channel(.power, "W", JS110Status.Statistics.power),
      channel(.charge, "C", JS110Status.Statistics.charge, isMean: false),
      channel(.energy, "J", JS110Status.Statistics.energy, isMean: false)
    ]
  }

  mutating func run(_ isAsked: Interrupt, _ hasBegun: Interrupt) -> CaptureSummary {
    var failure: MeterFailure?
    var newest = MonotonicTime.now.nanoseconds
    var due = Deadline.after(seconds: Self.pause)
    while failure == nil, !isAsked.isRaised {
      do throws(MeterFailure) {
        if try ask() { newest = MonotonicTime.now.nanoseconds }
      } catch { failure = error }
      if samples > 0 { hasBegun.raise() }
      if failure == nil, MonotonicTime.now.nanoseconds - newest > Int64(Self.patience * 1e9) {
        failure = MeterFailure(
          .timedOut, "\(port.name): it computes nothing any more",
          hint: "unplug it and plug it in again; what came before is kept")
      }
      _ = due.ended(by: [isAsked]).wait()
      due = Deadline.after(seconds: Self.pause)
    }
    var counts: [String: Value] = [:]
    if let discarded, discarded.last != discarded.first {
      counts["frames that it discarded"] = .integer(Int64(discarded.last &- discarded.first))
    }
    return CaptureSummary(
      samples: [Int64](repeating: samples, count: 5), lost: lost,
      witnesses: ["its count of samples"], clock: clock.fit, hostCPU: kelvin_cpu_time(1),
      counts: counts, failure: failure)
  }

  /// Whether there was a new window.
  private mutating func ask() throws(MeterFailure) -> Bool {
    let answer: [UInt8]
    do throws(USBFailure) {
      let count = try port.device.controlReadBlocking(
        JS110Request.readStatus, into: transfer, count: JS110Request.mostBytes,
        until: .after(seconds: 2))
      answer = transfer.bytes(count)
    } catch { throw MeterFailure(error, of: port.name) }
    let arrival = MonotonicTime.now.nanoseconds
    guard let status = JS110Status(answer) else { throw port.malformed("status", answer) }
    discarded = (discarded?.first ?? status.discarded, status.discarded)
    guard let statistics = status.statistics else {
      throw MeterFailure(
        .unsupported, "\(port.name): its firmware computes no statistics",
        hint: "update it with Jetperch's software, or have it deliver samples")
    }
    switch windows.take(statistics) {
    case .nothing: return false
    case .first:
      clock.begin(samples: statistics.total, arrival: arrival)
      return true
    case .restart:
      throw MeterFailure(
        .malfunction, "\(port.name): its count of samples has begun anew",
        hint: "did it lose its power? what came before is kept")
    case .window(let missing):
      if clock.isSet {
        clock.observe(number: statistics.total, arrival: arrival)
      } else {
        clock.begin(samples: statistics.total, arrival: arrival)
        clock.set()
      }
      give(statistics, missing)
      return true
    }
  }

  private mutating func give(_ statistics: JS110Status.Statistics, _ missing: Int64) {
    let time = clock.time(statistics.total)
    if missing > 0, samples > 0 {
      lost += missing
      let from = clock.time(statistics.total - statistics.window * (missing + 1))
      sink.take(
        CaptureEvent(
          .gap, from: from, to: time, count: missing, note: "windows that nobody asked for in time")
      )
    }
    let codes = [
      statistics.currentMean, statistics.voltageMean, statistics.powerMean, statistics.chargeSum,
      statistics.energySum
    ]
    samples += 1
    sink.take(
      codes.enumerated().map { SampleBlock(channel: $0.offset, times: [time], codes: [$0.element]) }
    )
  }
}

/// Finds new windows among answers that repeat the last one. Pure.
struct JS110Windows: Sendable {
  enum Finding: Sendable, Hashable {
    case nothing
    /// It may be an old one.
    case first
    /// So many between the last and this one were never seen.
    case window(missing: Int64)
    /// Its count went back.
    case restart
  }

  private var total: Int64?

  mutating func take(_ statistics: JS110Status.Statistics) -> Finding {
    guard statistics.window > 0, statistics.total >= statistics.window else { return .nothing }
    guard let before = total else {
      total = statistics.total
      return .first
    }
    guard statistics.total != before else { return .nothing }
    guard statistics.total > before else { return .restart }
    total = statistics.total
    let others = statistics.total - before - statistics.window
    return .window(missing: max(0, (others + statistics.window / 2) / statistics.window))
  }
}
