internal import FoundationEssentials
internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore

/// Gives a job what its meters found: metrics, flags, a verdict by rules, and all that they are made of.
struct EnergyReport {
  let result: EnergyResult
  let options: EnergyOptions
  let parts: [EnergySession.Part]
  let clockDistance: Double?
  let source: String

  /// What stands in energy.json.
  private struct Record: Codable {
    struct Phase: Codable {
      var name: String
      var intervals: [Int]
    }
    var format = "kelvin-energy"
    var version = 1
    /// On the host's monotonic clock; the first is the measured window.
    var intervals: [EnergyInterval]
    /// The interval before the workload, where there is one.
    var idle: Int?
    var phases: [Phase]
    var rails: [EnergyResult.Entry]
    var rules: [RuleProfile.Verdict]
  }

  /// - Throws: what kept a meter from measuring all of it, after everything that it did measure is given.
  func give(to job: JobContext) throws {
    job.add(result.metrics(options, source: source))
    var verdicts: [RuleProfile.Verdict] = []
    for (rail, entry) in zip(result.rails.rails, result.figures) {
      guard let site = entry[0] else { continue }
      for flag in EnergyFlags.flags(rail.name, site.figure) {
        job.record(.warning, source: source, flag)
      }
      if !site.isAccuracyKnown {
        job.record(
          .info, source: source,
          "\(rail.name): the meter does not say how far its values may be off: its uncertainty is that "
            + "of the samples alone ('accuracy' says more)")
      }
      if let verdict = judge(site.figure, job) {
        verdicts.append(verdict)
        job.add(
          Metric(
            "energy_rules",
            .text(
              verdict.passed
                ? "passed" : "failed: " + verdict.failed.map(\.rule).joined(separator: ", ")),
            classifiers: rail.classifiers.merging(["profile": verdict.profile.rawValue]) { $1 },
            source: source))
        if let failures = EnergyFlags.failures(rail.name, verdict) {
          job.record(.warning, source: source, failures)
        }
      }
    }
    for part in parts {
      guard let summary = part.summary else { continue }
      for flag in EnergyFlags.flags(summary, of: part.meter.identity.name) {
        job.record(.warning, source: source, flag)
      }
    }
    try write(verdicts, job)
    try tell(job)
  }

  private func judge(_ figure: EnergyFigure, _ job: JobContext) -> RuleProfile.Verdict? {
    options.rules?.verdict(
      on: figure,
      facts: RuleProfile.Facts(
        // A meter that states its one range cannot change it.
        rangeIsFixed: figure.meter.range.isEmpty ? nil : true, clockDistance: clockDistance,
        repeats: job.spec.iterations))
  }

  private func write(_ verdicts: [RuleProfile.Verdict], _ job: JobContext) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let record = Record(
      intervals: result.intervals, idle: result.idle,
      phases: result.phases.map { Record.Phase(name: $0.name, intervals: $0.intervals) },
      rails: result.entries, rules: verdicts)
    try job.write(
      Array(try encoder.encode(record)) + [UInt8(ascii: "\n")], to: "energy.json", kind: .data,
      description: "figures of energy with all that they are made of", source: source)
  }

  /// A window whose energy nobody knows is no whole result, whatever share of its time was measured.
  private var suspends: [PlainFailure] {
    zip(result.rails.rails, result.figures).compactMap { rail, figures in
      guard let figure = figures[0]?.figure, figure.suspended > 0 else { return nil }
      return PlainFailure(
        .infrastructure,
        "\(rail.name): \(FigureText.doubt(figure)); \(FigureText.percent(figure.coverage)) of the time "
          + "was measured",
        hint: "a meter that is not of the machine that sleeps measures on")
    }
  }

  /// Throws the first of what failed, and records the others.
  private func tell(_ job: JobContext) throws {
    var failures = parts.compactMap { $0.failure.map { PlainFailure($0) } } + result.failures
    failures += suspends
    if failures.isEmpty {
      failures = zip(result.rails.rails, result.figures).compactMap { rail, figures in
        guard let figure = figures[0]?.figure, figure.covered == 0, figure.duration > 0 else {
          return nil
        }
        return PlainFailure(
          .infrastructure,
          "\(rail.name): nothing was measured in the window (\(EnergyFlags.reasons(figure)))")
      }
    }
    for failure in failures.dropFirst() { job.record(.error, source: source, "\(failure)") }
    if let first = failures.first { throw first }
  }
}
