internal import KelvinMeters
internal import KelvinModel

/// A measurement as text and as JSON.
enum MeasurementText {
  static func text(_ measured: Measurement) -> String {
    var lines: [String] = []
    if let meter = measured.meter {
      lines += MeterText.columns([
        ("meter", "\(meter.name), \(meter.location)"), ("verified", meter.verified)
      ])
    }
    let isOne = measured.runs.count == 1
    var rows: [[String]] = []
    for (number, run) in measured.runs.enumerated() {
      let first = isOne ? [] : ["\(number + 1)"]
      let time = FigureText.quantity(run.duration, "s")
      if run.figures.isEmpty { rows.append(first + [time] + ["", "", "", "", "", ""]) }
      for site in run.figures {
        rows.append(first + [time, site.site] + cells(site.figure))
      }
    }
    let header =
      (isOne ? [] : ["RUN"]) + ["TIME", "SITE", "ENERGY", "MEAN", "PEAK", "COVERAGE", "SAMPLES"]
    if measured.meter == nil {
      lines +=
        TextTable(
          header: Array(header.prefix(isOne ? 1 : 2)), right: [],
          rows: rows.map { Array($0.prefix(isOne ? 1 : 2)) }
        ).lines
    } else {
      lines += TextTable(header: header, right: [], rows: rows).lines
    }
    if !isOne { lines += summary(measured) }
    lines += phaseLines(measured)
    lines += idleLines(measured)
    lines += ruleLines(measured)
    lines += remarks(measured)
    if let failure = measured.failure { lines.append("not complete: \(failure)") }
    return lines.joined(separator: "\n")
  }

  private static func cells(_ figure: EnergyFigure) -> [String] {
    let seconds = Double(figure.covered) * 1e-9
    return [
      FigureText.quantity(figure.energy, plusMinus: figure.budget.expanded, "J"),
      figure.mean.map {
        FigureText.quantity($0, plusMinus: figure.budget.expanded / seconds, "W")
      } ?? "-",
      figure.greatest.map { FigureText.quantity($0, "W") } ?? "-",
      FigureText.percent(figure.coverage), "\(figure.samples)"
    ]
  }

  /// Mean and spread over all runs.
  private static func summary(_ measured: Measurement) -> [String] {
    var rows: [[String]] = []
    func add(_ name: String, _ repeats: Repeats?, _ unit: String) {
      guard let repeats else { return }
      rows.append([
        name,
        FigureText.quantity(
          repeats.mean, plusMinus: repeats.estimate.budget.expandedByStudent, unit),
        repeats.spread.map { FigureText.quantity($0, unit) } ?? "-",
        FigureText.quantity(repeats.least, unit), FigureText.quantity(repeats.greatest, unit)
      ])
    }
    add("time", Repeats(measured.runs.map(MeasurementText.duration)), "s")
    for site in measured.runs.first?.figures.map(\.site) ?? [] {
      add("energy \(site)", Repeats(estimates(measured, site)), "J")
    }
    return TextTable(
      header: ["OF \(measured.runs.count) RUNS", "MEAN", "SPREAD", "LEAST", "GREATEST"], right: [],
      rows: rows
    ).lines
  }

  private static func duration(_ run: Measurement.Run) -> Estimate {
    Estimate(run.duration, unit: "s", budget: UncertaintyBudget(), statement: "time")
  }

  private static func estimates(_ measured: Measurement, _ site: String) -> [Estimate] {
    measured.runs.compactMap { $0.figures.first { $0.site == site }?.figure.estimate }
  }

  private static func remarks(_ measured: Measurement) -> [String] {
    var remarks: [String] = []
    let figures = measured.runs.flatMap(\.figures)
    if figures.contains(where: { !$0.isAccuracyKnown }) {
      remarks.append(
        "the meter does not say how far its values may be off: ± holds what the samples show alone "
          + "(--accuracy says more)")
    }
    for site in figures where site.figure.losses.duration > 0 {
      let lost = FigureText.quantity(Double(site.figure.losses.duration) * 1e-9, "s")
      remarks.append(
        "\(site.site.isEmpty ? "" : "\(site.site): ")nothing was measured for \(lost); \(FigureText.doubt(site.figure))"
      )
    }
    var kinds: [CaptureEvent.Kind: Int] = [:]
    for site in figures { kinds.merge(site.figure.events) { $0 + $1 } }
    if !kinds.isEmpty {
      remarks.append(
        "noted: "
          + kinds.sorted { $0.key.rawValue < $1.key.rawValue }
          .map { "\($0.key.rawValue) (\($0.value))" }.joined(separator: ", "))
    }
    return remarks
  }

  static func value(_ measured: Measurement) -> Value {
    .map([
      "board": .text(measured.board),
      "meter": measured.meter.map(MeterText.value) ?? .null,
      "failure": measured.failure.map { .text($0) } ?? .null,
      "exit_code": .integer(Int64(measured.exitCode)),
      "runs": .list(
        measured.runs.map { run in
          .map([
            "duration": .number(run.duration), "from_monotonic_ns": .integer(run.from),
            "to_monotonic_ns": .integer(run.to),
            "sites": .list(run.figures.map { value($0, in: run, of: measured) }),
            "phases": .list(run.phases.map(value))
          ])
        })
    ])
  }

  private static func value(
    _ site: MeterFigures.SiteFigure, in run: Measurement.Run, of measured: Measurement
  ) -> Value {
    let figure = site.figure
    let seconds = Double(figure.covered) * 1e-9
    let map: [String: Value] = [
      "site": .text(site.site), "what": .text(figure.statement),
      "energy": .number(figure.energy), "measured": .number(figure.measured),
      "expanded_uncertainty": .number(figure.budget.expanded),
      "accuracy_known": .boolean(site.isAccuracyKnown),
      "mean_power": figure.mean.map { .number($0) } ?? .null,
      "mean_power_uncertainty": .number(seconds > 0 ? figure.budget.expanded / seconds : .nan),
      "peak_power": figure.greatest.map { .number($0) } ?? .null,
      "least_power": figure.least.map { .number($0) } ?? .null,
      "coverage": .number(figure.coverage), "samples": .integer(figure.samples),
      "lost": .number(Double(figure.losses.duration) * 1e-9),
      "suspended": .number(Double(figure.suspended) * 1e-9),
      "loss_bound": figure.lossBound.map { .number($0) } ?? .null,
      "components": .list(
        figure.budget.components.map { component in
          .map([
            "name": .text(component.name), "value": .number(component.value),
            "type": .text(component.kind.rawValue), "systematic": .boolean(component.isSystematic)
          ])
        })
    ]
    return .map(map.merging(more(measured, site, in: run)) { $1 })
  }
}
