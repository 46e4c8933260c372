internal import KelvinMeters
internal import KelvinModel

extension EnergyResult {
  /// The metrics of an attempt: by rail, of derived rails and of the board, in the window and by phase.
  func metrics(_ options: EnergyOptions, source: String) -> [Metric] {
    var metrics: [Metric] = []
    for rail in rails.rails.indices {
      metrics += railMetrics(rail)
      metrics += common([rail: 1], rails.rails[rail].classifiers, options, prefix: "")
    }
    for name in options.derived.names {
      guard let weights = try? weights(of: name, options) else { continue }
      metrics += common(weights, ["rail": name], options, prefix: "")
    }
    // One that cannot be had was told before.
    if let board = try? rails.board(options.derived) {
      metrics += common(board, [:], options, prefix: "board_")
    }
    metrics += efficiencies(options)
    for phase in phases {
      let seconds = duration(of: phase.intervals)
      let ends = phase.intervals.reduce(0) { $0 + 2 * intervals[$1].ends * intervals[$1].ends }
      metrics.append(
        Metric(
          "phase_time", .number(seconds), unit: "s", uncertainty: ends.squareRoot() * 1e-9,
          lowerIsBetter: true, classifiers: ["phase": phase.name]))
    }
    for index in metrics.indices { metrics[index].source = source }
    return metrics
  }

  /// What a rail of those measured is made of.
  ///
  /// - Throws: `configuration` for a name that means none.
  func weights(of name: String, _ options: EnergyOptions) throws(PlainFailure) -> [Int: Double] {
    try options.derived.weights(of: name) { name throws(PlainFailure) in
      try rails.index(of: name, besides: options.derived.names)
    }
  }

  /// What only single samples tell.
  private func railMetrics(_ rail: Int) -> [Metric] {
    guard let figure = figures[rail][0]?.figure else { return [] }
    let classifiers = rails.rails[rail].classifiers
    var metrics = [
      Metric(
        "energy_coverage", .number(figure.coverage * 100), unit: "%", lowerIsBetter: false,
        classifiers: classifiers),
      Metric("energy_samples", .integer(figure.samples), classifiers: classifiers)
    ]
    if let peak = figure.greatest {
      metrics.append(
        Metric(
          "power_peak", .number(peak), unit: "W", lowerIsBetter: true, classifiers: classifiers))
    }
    if figure.losses.duration > 0, let bound = figure.lossBound {
      metrics.append(
        Metric(
          "energy_loss_bound", .number(bound), unit: "J", lowerIsBetter: true,
          classifiers: classifiers))
    }
    return metrics
  }

  /// Energy and mean power, above idle and by phase.
  private func common(
    _ weights: [Int: Double], _ classifiers: [String: String], _ options: EnergyOptions,
    prefix: String
  ) -> [Metric] {
    var metrics: [Metric] = []
    func add(_ name: String, _ estimate: Estimate?, _ more: [String: String] = [:]) {
      guard let estimate, estimate.value.isFinite else { return }
      metrics.append(
        Metric(
          prefix + name, .number(estimate.value), unit: estimate.unit,
          uncertainty: estimate.budget.standard, lowerIsBetter: true,
          classifiers: classifiers.merging(more) { $1 }))
    }
    let seconds = duration(of: [0])
    let energy = energy(weights, in: [0], statement: "energy")
    add("energy", energy)
    add("power_mean", energy?.perSecond(seconds))
    if let idle = idlePower(weights) {
      add("idle_power", idle)
      add("energy_above_idle", energy.flatMap { aboveIdle($0, idle, seconds) })
    } else if case .stated(let power) = options.idle, prefix == "board_" {
      // What is stated is of the board as a whole.
      add(
        "energy_above_idle",
        energy.flatMap {
          .withoutIdle(
            $0, seconds: seconds, idle: IdlePower.energy(power, seconds: seconds),
            idleSeconds: seconds)
        })
    }
    // The board's phases are those of its rail.
    for phase in phases where prefix.isEmpty {
      let energy = self.energy(weights, in: phase.intervals, statement: phase.name)
      add("phase_energy", energy, ["phase": phase.name])
      add(
        "phase_power", energy?.perSecond(duration(of: phase.intervals)), ["phase": phase.name])
    }
    return metrics
  }

  private func aboveIdle(_ energy: Estimate, _ idle: Estimate, _ seconds: Double) -> Estimate? {
    .withoutIdle(energy, seconds: seconds, idle: idle.inUnit("J"), idleSeconds: 1)
  }

  private func efficiencies(_ options: EnergyOptions) -> [Metric] {
    options.derived.ratios.sorted { $0.key < $1.key }.compactMap { name, ratio in
      guard let output = try? weights(of: ratio.output, options),
        let input = try? weights(of: ratio.input, options)
      else { return nil }
      var estimates: [Int: Estimate] = [:]
      for rail in Set(output.keys).union(input.keys) {
        guard let estimate = energy(rail, in: [0]) else { return nil }
        estimates[rail] = estimate
      }
      return Estimate.efficiency(of: output, by: input, estimates, statement: name).map {
        Metric(
          "efficiency", .number($0.value), uncertainty: $0.budget.standard, lowerIsBetter: false,
          classifiers: ["rail": name])
      }
    }
  }
}
