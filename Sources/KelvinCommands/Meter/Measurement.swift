internal import Glibc
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

/// What `kelvin measure` found: one run after the other.
struct Measurement: Sendable {
  struct Request: Sendable {
    enum What: Sendable {
      case time(Double)
      case command([String], limit: Double)
    }
    var what: What
    var repeats: Int
    var voltage: PowerSource.AssumedVoltage?
    var idle: IdlePower?
    var rules: RuleProfile?
    /// `CHANNEL=NAME`, each a phase by a digital input of the meter.
    var phases: [String] = []
    var interrupt: Interrupt
  }

  struct Run: Sendable {
    /// On the host's monotonic clock, in nanoseconds.
    var from: Int64 = 0
    var to: Int64 = 0
    var figures: [MeterFigures.SiteFigure] = []
    /// Of the time before it in which the board was idle; empty where that was not measured.
    var idle: [MeterFigures.SiteFigure] = []
    var summary: CaptureSummary?
    /// What digital inputs of the meter marked.
    var phases: [PhaseRecording.Phase] = []

    /// In seconds.
    var duration: Double { Double(to - from) / 1e9 }
  }

  var board: String
  var meter: MeterIdentity?
  var idle: IdlePower?
  var rules: RuleProfile?
  /// By how much the board's wall clock is off at most, in seconds, where a rule asks for it.
  var clockDistance: Double?
  var runs: [Run] = []
  /// Why it ended before all runs were done; nil when it did not.
  var failure: String?
  var exitCode: Int32 = 0

  /// How long the meter may take to give its first sample, and the one after the end.
  private static let patience = 15.0

  /// Measures; the board's thread is blocked meanwhile.
  static func take(
    _ request: Request, with meter: (any Meter)?, on target: Target
  ) async throws -> Measurement {
    var result = Measurement(
      board: target.name, meter: meter?.identity, idle: request.idle, rules: request.rules)
    let asking = Deadline.after(seconds: 30, interrupt: request.interrupt)
    let ends = try await WindowLatency(of: target, until: asking).standardUncertainty
    if target.connection.capabilities.isThisMachine {
      result.clockDistance = 0
    } else if request.rules != nil {
      result.clockDistance = try? await WindowLatency.clockDistance(of: target, until: asking)
    }
    for _ in 0..<request.repeats where result.exitCode == 0 {
      var run = Run()
      guard let meter else {
        let ending = try await carryOut(request, on: target, &run, while: nil)
        result.take(run, ending)
        continue
      }
      let figures = try MeterFigures(
        meter.identity, meter.channels, rate: meter.rate, assuming: request.voltage)
      let recording =
        request.phases.isEmpty
        ? nil
        : try PhaseRecording(request.phases, of: meter, assuming: request.voltage, into: figures)
      let soon = Deadline.after(seconds: patience, interrupt: request.interrupt)
      try await meter.start(into: recording ?? figures, until: soon)
      do {
        try wait(for: .min, figures, meter, soon)
        let idle = try measureIdle(request, figures, meter)
        run.from = MonotonicTime.now.nanoseconds
        let window = try figures.begin(at: run.from)
        let ending = try await carryOut(request, on: target, &run, while: meter)
        try figures.end(window, at: run.to)
        // The sample after the end, so that the end lies between two; without one, it is said.
        try? wait(
          for: run.to + figures.lag, figures, meter,
          .after(seconds: patience + Double(figures.lag) / 1e9, interrupt: request.interrupt))
        let summary = await meter.stop(until: .after(seconds: patience))
        run.summary = summary
        let conditions = FigureConditions(
          clock: summary.clock, alignment: figures.alignment, ends: ends)
        let found = try figures.finish { _ in conditions }
        if let recording {
          run.phases = try recording.phases(from: run.from, to: run.to, under: conditions)
        }
        run.figures = found[window]
        if let idle { run.idle = found[idle] }
        result.take(run, ending)
        if let failure = summary.failure, result.failure == nil {
          result.failure = "\(failure)"
          if result.exitCode == 0 { result.exitCode = 125 }
        }
      } catch {
        _ = await meter.stop(until: .after(seconds: patience))
        throw error
      }
    }
    return result
  }

  private mutating func take(_ run: Run, _ ending: CommandEnding?) {
    runs.append(run)
    guard let ending else {
      if let code = SignalInterrupt.exitCode { (failure, exitCode) = ("stopped", code) }
      return
    }
    exitCode = ending.exitCode
    if exitCode != 0 {
      failure = ending.message.isEmpty ? "the command ended with \(exitCode)" : ending.message
    }
  }

  /// Runs the command, or waits while there is a capture; its beginning is the run's unless that has begun
  /// already.
  private static func carryOut(
    _ request: Request, on target: Target, _ run: inout Run, while meter: (any Meter)?
  ) async throws -> CommandEnding? {
    if run.from == 0 { run.from = MonotonicTime.now.nanoseconds }
    defer { run.to = MonotonicTime.now.nanoseconds }
    switch request.what {
    case .time(let seconds):
      let limit = Deadline.after(seconds: seconds, interrupt: request.interrupt)
      _ = limit.ended(with: meter).wait()
      return nil
    case .command(let argv, let limit):
      let command = Command(
        argv, standardInput: .descriptor(0), standardOutput: .descriptor(1),
        standardError: .descriptor(2))
      let deadline = Deadline.after(seconds: limit, interrupt: request.interrupt)
      do {
        return CommandEnding(try await target.connection.execute(command, until: deadline))
      } catch {
        return CommandEnding(error)
      }
    }
  }

  /// Waits until every channel has a sample, or one after a time, or the capture ends.
  private static func wait(
    for time: Int64, _ figures: MeterFigures, _ meter: any Meter, _ deadline: Deadline
  ) throws {
    let limit = deadline.ended(with: meter)
    while figures.reached.map({ $0 < time }) ?? true {
      if deadline.isInterrupted {
        throw MeterFailure(.interrupted, "\(meter.identity.name): stopped")
      }
      if meter.isOver?.isRaised == true { return }
      guard !deadline.hasPassed else {
        throw MeterFailure(
          .timedOut, "\(meter.identity.name): it gave no sample in \(patience) s",
          hint: "'kelvin meter live' shows what its channels give")
      }
      _ = limit.limited(toSeconds: 0.01).wait()
    }
  }

  /// Waits while the board is idle; gives the number of that interval, nil where none is asked for.
  private static func measureIdle(
    _ request: Request, _ figures: MeterFigures, _ meter: any Meter
  ) throws -> Int? {
    guard case .measured(let seconds) = request.idle else { return nil }
    let idle = try figures.begin(at: MonotonicTime.now.nanoseconds)
    let limit = Deadline.after(seconds: seconds, interrupt: request.interrupt)
    _ = limit.ended(with: meter).wait()
    try figures.end(idle, at: MonotonicTime.now.nanoseconds)
    return idle
  }
}
