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
  private let program: ProgramPlan
  private let properties: [MeterProperty]
  private let reader: @Sendable (any BlockSink) -> any ProgramReader
  private let connection: any Connection
  private let capture = Mutex<CommandCapture?>(nil)

  /// - Parameters:
  ///   - rate: lines in a second, where that is stated.
  ///   - properties: for people, beside what is run and where.
  ///   - reader: makes samples of what it prints, for a sink.
  init(
    _ identity: MeterIdentity, _ program: ProgramPlan, channels: [Channel], rate: Double?,
    properties: [MeterProperty], through connection: any Connection,
    reader: @escaping @Sendable (any BlockSink) -> any ProgramReader
  ) {
    self.identity = identity
    self.program = program
    self.channels = channels
    self.rate = rate
    self.properties = properties
    self.connection = connection
    self.reader = reader
  }

  var isOver: Interrupt? { capture.withLock { $0?.isOver } }

  deinit { capture.withLock { $0 }?.abandon() }

  /// Returns after the first line that could be read.
  func start(into sink: any BlockSink, until deadline: Deadline) async throws(MeterFailure) {
    guard capture.withLock({ $0 == nil }) else {
      throw MeterFailure(.busy, "\(identity.name): it measures already")
    }
    let new = try await CommandCapture(
      program, name: identity.name, through: connection, reader: reader(sink), into: sink,
      until: deadline)
    let limit = deadline.limited(toSeconds: program.patience)
    _ = limit.ended(by: [new.hasBegun, new.isOver]).wait()
    guard new.hasBegun.isRaised else {
      let summary = await new.stop()
      if deadline.isInterrupted {
        throw MeterFailure(.interrupted, "\(identity.name): stopped")
      }
      throw summary.failure
        ?? MeterFailure(
          .timedOut, "\(identity.name): no line that can be read in \(program.patience) s",
          evidence: CommandCapture.tail(summary.counts["stderr"]?.text ?? ""),
          hint: "run '\(program.argv.joined(separator: " "))' by hand: does it flush its output?")
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
    [
      MeterProperty("program", program.argv.joined(separator: " ")),
      MeterProperty("runs on", connection.name)
    ] + properties
  }

  func close() async { _ = await stop(until: .after(seconds: 10)) }
}
