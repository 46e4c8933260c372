internal import CLinux
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A program that prints what it measures, line by line.
///
/// It runs while the meter measures. What it prints comes through a pipe to a thread that reads it;
/// another thread waits for the program's end.
final class CommandMeter: Meter {
  let identity: MeterIdentity
  let channels: [Channel]
  let rate: Double?
  private let options: CommandOptions
  private let connection: any Connection
  private let capture = Mutex<CommandCapture?>(nil)

  init(_ identity: MeterIdentity, _ options: CommandOptions, through connection: any Connection) {
    self.identity = identity
    self.options = options
    self.connection = connection
    channels = options.plan.channels
    rate = options.plan.period.map { 1e9 / $0 }
  }

  var isOver: Interrupt? { capture.withLock { $0?.isOver } }

  deinit { capture.withLock { $0 }?.abandon() }

  /// Returns after the first line that could be read.
  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard capture.withLock({ $0 == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let new = try await CommandCapture(
      options, name: identity.name, through: connection, into: sink, until: deadline)
    let limit = deadline.limited(toSeconds: options.patience)
    _ = limit.ended(by: [new.hasBegun, new.isOver]).wait()
    guard new.hasBegun.isRaised else {
      let summary = await new.stop()
      if deadline.isInterrupted {
        throw MeterFailure(.interrupted, "\(identity.name): stopped")
      }
      throw summary.failure
        ?? MeterFailure(
          .timedOut, "\(identity.name): no line that can be read in \(options.patience) s",
          evidence: CommandCapture.tail(summary.counts["stderr"]?.text ?? ""),
          hint: "run '\(options.argv.joined(separator: " "))' by hand: does it flush its output?")
    }
    capture.withLock { $0 = new }
  }

  func stop(until deadline: Deadline) async -> CaptureSummary {
    guard let capture = capture.take() else {
      return CaptureSummary(samples: channels.map { _ in 0 })
    }
    return await capture.stop()
  }

  func status(until deadline: Deadline) async throws(MeterFailure) -> [MeterProperty] {
    let times =
      switch options.plan.timing {
      case .printed(let clock, _): "printed, \(clock.rawValue) clock"
      case .counted: "lines are counted at the stated rate"
      case .arrival(let late): "arrival, up to \(late / 1e6) ms late"
      }
    return [
      MeterProperty("program", options.argv.joined(separator: " ")),
      MeterProperty("runs on", connection.name), MeterProperty("times", times)
    ]
  }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
