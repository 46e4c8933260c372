/// Rules of a benchmark for what counts as a measurement of energy. Opt-in: a verdict by them claims no
/// compliance with anything.
public enum RuleProfile: String, Sendable, Codable, CaseIterable {
  case mlperfPower = "mlperf-power"
  case mlperfTiny = "mlperf-tiny"

  /// What the figure itself does not know; nil is not known, and does not pass.
  public struct Facts: Sendable, Hashable {
    /// Whether the meter's range was fixed.
    public var rangeIsFixed: Bool?
    /// How far the board's clock was from the host's at most, in seconds.
    public var clockDistance: Double?
    /// Of the workload within the interval.
    public var iterations: Int?
    /// Figures like this one, of which the median counts.
    public var repeats: Int?

    /// States facts.
    public init(
      rangeIsFixed: Bool? = nil, clockDistance: Double? = nil, iterations: Int? = nil,
      repeats: Int? = nil
    ) {
      self.rangeIsFixed = rangeIsFixed
      self.clockDistance = clockDistance
      self.iterations = iterations
      self.repeats = repeats
    }
  }

  /// How one rule came out.
  public struct Finding: Sendable, Hashable, Codable {
    /// `coverage`, `range`, `uncertainty`, `clocks`, `duration`, `rate`, `repeats`.
    public var rule: String
    public var passed: Bool
    /// What was found, and what is asked for.
    public var found: String
    public var required: String
    /// Where the rule stands.
    public var source: String
  }

  /// How all rules came out.
  public struct Verdict: Sendable, Hashable, Codable {
    public var profile: RuleProfile
    public var findings: [Finding]
    public var passed: Bool { findings.allSatisfy(\.passed) }
    public var failed: [Finding] { findings.filter { !$0.passed } }
  }

  /// Judges a figure.
  public func verdict(on figure: EnergyFigure, facts: Facts = Facts()) -> Verdict {
    let seconds = Double(figure.duration) * 1e-9
    var findings = [coverage(of: figure)]
    switch self {
    case .mlperfPower:
      findings += [
        range(of: figure, facts),
        uncertainty(of: figure),
        Finding(
          rule: "clocks", passed: facts.clockDistance.map { abs($0) <= 0.8 } ?? false,
          found: facts.clockDistance.map { "\(abs($0)) s apart" } ?? "distance not known",
          required: "board's and host's clock at most 0.8 s apart",
          source: "mlcommons/power-dev, compliance/check.py"),
        Finding(
          rule: "duration", passed: seconds >= 600, found: "\(seconds) s",
          required: "at least 600 s",
          source: "mlcommons/inference, loadgen's mlperf.conf, min_duration"),
        Finding(
          rule: "rate", passed: figure.samples > 1 && figure.longestStep <= 1_500_000_000,
          found: "\(figure.samples) samples, up to \(Double(figure.longestStep) * 1e-9) s apart",
          required: "a sample each second",
          source: "mlcommons/power-dev, ptd_client_server/lib/server.py (Go,1000,0)")
      ]
    case .mlperfTiny:
      let iterations = facts.iterations ?? 0
      findings += [
        Finding(
          rule: "duration", passed: seconds >= 10 || iterations >= 10,
          found: "\(seconds) s, \(facts.iterations.map(String.init) ?? "unknown") iterations",
          required: "at least 10 s or 10 iterations",
          source: "mlcommons/tiny, benchmark/MLPerfTiny_Rules.adoc"),
        Finding(
          rule: "repeats", passed: (facts.repeats ?? 0) >= 5,
          found: facts.repeats.map { "\($0)" } ?? "not known", required: "median of 5",
          source: "mlcommons/tiny, benchmark/MLPerfTiny_Rules.adoc")
      ]
    }
    return Verdict(profile: self, findings: findings)
  }

  private func coverage(of figure: EnergyFigure) -> Finding {
    Finding(
      rule: "coverage", passed: figure.coverage >= 0.999 && figure.doubtful == 0,
      found: "\(figure.coverage * 100) %"
        + (figure.doubtful > 0 ? ", \(Double(figure.doubtful) * 1e-9) s of it doubtful" : ""),
      required: "at least 99.9 % of the time measured",
      source: "eembc/energyrunner, README.md (emon-drop-thresh-pct=0.1)")
  }

  private func range(of figure: EnergyFigure, _ facts: Facts) -> Finding {
    let switches = figure.events[.rangeSwitch] ?? 0
    let fixed = facts.rangeIsFixed.map { $0 ? "range fixed" : "range automatic" }
    return Finding(
      rule: "range", passed: switches == 0 && facts.rangeIsFixed == true,
      found: "\(switches) range switches, \(fixed ?? "not known whether the range was fixed")",
      required: "no change of range, and none possible",
      source: "mlcommons/power-dev, ptd_client_server/lib/server.py (SR,V and SR,A in testing)")
  }

  private func uncertainty(of figure: EnergyFigure) -> Finding {
    let relative = figure.measured > 0 ? figure.budget.expanded / figure.measured : .infinity
    return Finding(
      rule: "uncertainty", passed: relative <= 0.01, found: "\(relative * 100) % (k = 2)",
      required: "at most 1 %",
      source: "mlcommons/power-dev, compliance/check.py (PTDaemon's 'Uncertainty ... above 1.00 %')")
  }
}
