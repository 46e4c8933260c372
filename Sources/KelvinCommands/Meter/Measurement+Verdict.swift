internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel

// What a measurement says beyond its figures: energy above idle, and a verdict by a benchmark's rules.
extension Measurement {
  /// What a site used above idle in a run.
  struct AboveIdle: Sendable {
    /// In watts.
    var power: Estimate
    /// In joules.
    var energy: Estimate
  }

  /// Nil where no idle power is known, or nothing was measured.
  func aboveIdle(_ site: String, in run: Run) -> AboveIdle? {
    guard let figure = run.figures.first(where: { $0.site == site })?.figure else { return nil }
    let power: Estimate
    switch idle {
    case .measured:
      guard let idle = run.idle.first(where: { $0.site == site })?.figure, idle.covered > 0,
        let mean = idle.estimate.perSecond(Double(idle.duration) * 1e-9)
      else { return nil }
      power = mean
    case .stated(let stated):
      // Of the board as a whole: where several sites are measured, nobody knows whose it is.
      guard run.figures.count == 1 else { return nil }
      power = IdlePower.energy(stated, seconds: 1).inUnit("W")
    case nil: return nil
    }
    return Estimate.withoutIdle(
      figure.estimate, seconds: run.duration, idle: power.inUnit("J"), idleSeconds: 1
    ).map { AboveIdle(power: power, energy: $0) }
  }

  /// How a site came out by the rules that were asked for.
  func verdict(_ site: MeterFigures.SiteFigure) -> RuleProfile.Verdict? {
    rules?.verdict(
      on: site.figure,
      facts: .init(
        // A meter that states its one range cannot change it.
        rangeIsFixed: site.figure.meter.range.isEmpty ? nil : true, clockDistance: clockDistance,
        repeats: runs.count))
  }
}

extension MeasurementText {
  /// Energy above idle, site by site, and how idle power is known.
  static func idleLines(_ measured: Measurement) -> [String] {
    guard let idle = measured.idle, measured.meter != nil else { return [] }
    let how =
      switch idle {
      case .measured(let seconds): "measured for \(FigureText.quantity(seconds, "s")) before"
      case .stated: "as stated"
      }
    var lines: [String] = []
    for (number, run) in measured.runs.enumerated() {
      let which = measured.runs.count == 1 ? "" : "run \(number + 1), "
      for site in run.figures {
        guard let above = measured.aboveIdle(site.site, in: run) else {
          lines.append("\(which)\(site.site): energy above idle is not known")
          continue
        }
        lines.append(
          "\(which)\(site.site): "
            + FigureText.quantity(
              above.energy.value, plusMinus: above.energy.expanded, "J")
            + " above idle; idle power "
            + FigureText.quantity(above.power.value, plusMinus: above.power.expanded, "W")
            + ", \(how)")
      }
    }
    return lines
  }

  /// The verdict by rules, with each rule that failed.
  static func ruleLines(_ measured: Measurement) -> [String] {
    guard let rules = measured.rules, measured.meter != nil else { return [] }
    var lines: [String] = []
    for (number, run) in measured.runs.enumerated() {
      let which = measured.runs.count == 1 ? "" : "run \(number + 1), "
      for site in run.figures {
        guard let verdict = measured.verdict(site) else { continue }
        let result =
          verdict.passed
          ? "passed"
          : "failed: "
            + verdict.failed.map { "\($0.rule) (\($0.found); required: \($0.required))" }
            .joined(separator: "; ")
        lines.append("\(which)\(site.site): rules \(rules.rawValue) \(result)")
      }
    }
    return lines
  }

  /// What JSON has of it.
  static func more(
    _ measured: Measurement, _ site: MeterFigures.SiteFigure, in run: Measurement.Run
  ) -> [String: Value] {
    var map: [String: Value] = [:]
    if let above = measured.aboveIdle(site.site, in: run) {
      map["idle_power"] = .number(above.power.value)
      map["idle_power_uncertainty"] = .number(above.power.expanded)
      map["energy_above_idle"] = .number(above.energy.value)
      map["energy_above_idle_uncertainty"] = .number(above.energy.expanded)
    }
    if let verdict = measured.verdict(site) {
      map["rules"] = .map([
        "profile": .text(verdict.profile.rawValue), "passed": .boolean(verdict.passed),
        "findings": .list(
          verdict.findings.map { finding in
            .map([
              "rule": .text(finding.rule), "passed": .boolean(finding.passed),
              "found": .text(finding.found), "required": .text(finding.required),
              "source": .text(finding.source)
            ])
          })
      ])
    }
    return map
  }
}
