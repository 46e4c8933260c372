internal import KelvinExecution
internal import KelvinMeters
internal import KelvinModel

// Phases that digital inputs of the meter marked.
extension MeasurementText {
  static func phaseLines(_ measured: Measurement) -> [String] {
    let isOne = measured.runs.count == 1
    var rows: [[String]] = []
    for (number, run) in measured.runs.enumerated() {
      for phase in run.phases {
        for (site, energy) in phase.sites {
          rows.append(
            (isOne ? [] : ["\(number + 1)"]) + [
              TextTable.printable(phase.name), FigureText.quantity(phase.duration, "s"), site,
              FigureText.quantity(energy.value, plusMinus: energy.expanded, "J")
            ])
        }
      }
    }
    guard !rows.isEmpty else { return [] }
    return TextTable(
      header: (isOne ? [] : ["RUN"]) + ["PHASE", "TIME", "SITE", "ENERGY"], right: [], rows: rows
    ).lines
  }

  static func value(_ phase: PhaseRecording.Phase) -> Value {
    .map([
      "phase": .text(phase.name), "time": .number(phase.duration),
      "sites": .list(
        phase.sites.map { site, energy in
          .map([
            "site": .text(site), "energy": .number(energy.value),
            "expanded_uncertainty": .number(energy.expanded)
          ])
        })
    ])
  }
}
