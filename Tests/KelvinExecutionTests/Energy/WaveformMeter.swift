import Glibc
import KelvinConnections
import KelvinMeters
import KelvinModel
import KelvinSystem
import Synchronization

/// A kind of meter whose power follows what a test says.
struct WaveformDriver: MeterDriver {
  /// Its sites, each with its power in watts at a time of the host's clock.
  var sites: [(name: String, power: @Sendable (Int64) -> Double)] = []
  /// Digital inputs, each with its level at a time of the host's clock.
  var lines: [(name: String, isHigh: @Sendable (Int64) -> Bool)] = []
  /// By how much its clock is ahead of the host's, in nanoseconds, and how well that is known.
  var clockOffset: Int64 = 0
  var clockUncertainty = 0.0
  var rate = 500.0
  var accuracy: Accuracy? = Accuracy(gain: 0.001, offset: 0.001)
  var range: ClosedRange<Double>?
  /// Seconds after its start: it gives nothing between, and says so or not.
  var pause: ClosedRange<Double>?
  var tellsPause = false
  /// Whether it slept in the pause; and how long this machine's clock stood still besides, in seconds.
  var sleeps: Double?
  /// Why it cannot be opened.
  var obstacle: MeterFailure?
  /// Seconds after its start at which it goes.
  var goesAfter: Double?
  var isFound = true
  /// Whether it measures from outside of the board.
  var isOutside = false
  var name = "wave"

  var declaration: Declaration { Declaration(.meter, name, summary: "Test.") }

  func needsLink(_ options: [String: Value]) -> Bool { !isOutside }

  func find(
    through connection: any Connection, until deadline: Deadline
  ) async throws(MeterFailure) -> [FoundMeter] {
    guard isFound else { return [] }
    return [FoundMeter(name: name, driver: name, options: [:], summary: "", channels: channels)]
  }

  func open(
    name: String, options: [String: Value], through connection: any Connection,
    until deadline: Deadline
  ) async throws(MeterFailure) -> any Meter {
    if let obstacle { throw obstacle }
    return WaveformMeter(name: name, driver: self)
  }

  var channels: [Channel] {
    sites.map { name, _ in
      Channel(
        name: "\(name).power", unit: "W", scale: 1e-6, site: name, kind: .power, range: range,
        accuracy: accuracy)
    } + lines.map { Channel(name: $0.name, unit: "", kind: .logic) }
  }
}

final class WaveformMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let driver: WaveformDriver
  private let stopping = Interrupt()
  private let thread = Mutex<NamedThread?>(nil)
  private let counted = Mutex<(samples: Int64, failure: MeterFailure?)>((0, nil))

  init(name: String, driver: WaveformDriver) {
    identity = MeterIdentity(name: name, driver: driver.name, serial: name)
    channels = driver.channels
    rate = driver.rate
    self.driver = driver
  }

  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    let started: NamedThread
    do throws(PlainFailure) {
      started = try NamedThread("wave") { [self] in measure(into: sink) }
    } catch {
      throw MeterFailure(.malfunction, error.message)
    }
    thread.withLock { $0 = started }
  }

  private func measure(into sink: any BlockSink) {
    let first = MonotonicTime.now.nanoseconds
    let step = 1e9 / driver.rate
    var next = 0.0
    var isTold = false
    while !stopping.isRaised {
      var wait = pollfd(fd: stopping.descriptor, events: Int16(POLLIN), revents: 0)
      _ = poll(&wait, 1, 5)
      let now = MonotonicTime.now.nanoseconds
      var times: [Int64] = []
      while first + Int64(next * step) <= now {
        let time = first + Int64(next * step)
        let seconds = Double(time - first) / 1e9
        next += 1
        if let after = driver.goesAfter, seconds > after {
          counted.withLock {
            $0.failure = MeterFailure(.gone, "\(identity.name): it has gone")
          }
          return
        }
        if let pause = driver.pause, pause.contains(seconds) {
          if driver.tellsPause, !isTold {
            isTold = true
            let length = Int64((pause.upperBound - pause.lowerBound) * 1e9)
            let (from, to) = (time - Int64(step), time + length)
            if let sleeps = driver.sleeps {
              let unseen = Int64(sleeps * 1e9)
              sink.take(
                Suspension(
                  .board, from: from, to: to, asleep: length + unseen, unseen: unseen
                ).event)
            } else {
              sink.take(CaptureEvent(.gap, from: from, to: to))
            }
          }
          continue
        }
        times.append(time)
      }
      guard !times.isEmpty else { continue }
      counted.withLock { $0.samples += Int64(times.count) }
      let own = times.map { $0 + driver.clockOffset }
      sink.take(
        driver.sites.indices.map { site in
          SampleBlock(
            channel: site, times: own,
            codes: times.map { Int64((driver.sites[site].power($0) * 1e6).rounded()) })
        }
          + driver.lines.indices.map { line in
            SampleBlock(
              channel: driver.sites.count + line, times: own,
              codes: times.map { driver.lines[line].isHigh($0) ? 1 : 0 })
          })
    }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    stopping.raise()
    thread.take()?.join()
    let (samples, failure) = counted.withLock { ($0.samples, $0.failure) }
    let clock = ClockFit(
      origin: MonotonicTime.now.nanoseconds, offset: -driver.clockOffset, skew: 0,
      uncertainty: driver.clockUncertainty, residual: driver.clockUncertainty, count: 10)
    return CaptureSummary(
      samples: channels.map { _ in samples }, clock: driver.clockOffset == 0 ? .host : clock,
      failure: failure)
  }
}

/// The same power all the time.
func steady(_ watts: Double) -> @Sendable (Int64) -> Double { { _ in watts } }
