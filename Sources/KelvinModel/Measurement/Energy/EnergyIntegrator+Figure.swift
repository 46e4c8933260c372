extension EnergyIntegrator {
  /// The figure of an interval, as far as its samples have come; after ``finish()`` with all that
  /// is lost. Energies are of the host's seconds when the clock's skew is known.
  public func figure(
    of interval: Int, under conditions: FigureConditions = FigureConditions()
  ) -> EnergyFigure {
    let sums = intervals[interval]
    let rate = 1 + conditions.clock.skew
    var figure = EnergyFigure(
      from: sums.from, to: sums.to, measured: sums.energy.value * rate, covered: sums.covered,
      losses: sums.losses.scaled(by: rate), possibleLost: possible(sums, rate),
      likelyLost: 0, doubtful: sums.doubtful, samples: sums.samples,
      least: sums.samples > 0 ? sums.least : nil, greatest: sums.samples > 0 ? sums.greatest : nil,
      longestStep: sums.longestStep, events: sums.events, budget: UncertaintyBudget(),
      clock: conditions.clock, meter: source.meter, statement: source.statement)
    if sums.samples > 0 {
      figure.likelyLost = sums.losses.likely(least: sums.least, greatest: sums.greatest) * rate
    }
    figure.budget = budget(of: sums, conditions)
    return figure
  }

  /// All of them.
  public func figures(
    under conditions: FigureConditions = FigureConditions()
  ) -> [EnergyFigure] {
    intervals.indices.map { figure(of: $0, under: conditions) }
  }

  private func possible(_ sums: IntervalSums, _ rate: Double) -> ClosedRange<Double>? {
    guard sums.losses.duration > 0 else { return 0...0 }
    guard let possiblePower else { return nil }
    // At the end of its range a meter's range limits nothing.
    if sums.losses.time[.saturation] != nil, !knowsPossiblePower { return nil }
    let seconds = Double(sums.losses.duration) * 1e-9 * rate
    return possiblePower.lowerBound * seconds...possiblePower.upperBound * seconds
  }

  /// Each line is derived in docs/measurement.md.
  private func budget(
    of sums: IntervalSums, _ conditions: FigureConditions
  ) -> UncertaintyBudget {
    let energy = sums.energy.value
    let seconds = Double(sums.covered) * 1e-9
    let charge = sums.charge.value
    guard seconds > 0 else { return UncertaintyBudget() }
    var parts: [UncertaintyComponent] = []
    switch source.voltage {
    case nil:
      parts += limits(source.main, energy: energy, sensitivity: seconds)
    case .assumed(let assumed):
      parts += limits(source.main, energy: energy, sensitivity: assumed.value * seconds)
      parts.append(
        UncertaintyComponent(
          "assumed voltage", charge * assumed.uncertainty, .b,
          key: CorrelationKey(source.meter, effect: "assumed voltage")))
    case .measured(let factor):
      parts += limits(source.main, energy: energy, sensitivity: sums.voltSeconds.value)
      parts += limits(factor, energy: energy, sensitivity: charge)
    }
    parts += resolution(of: sums, seconds: seconds)
    parts += waveform(of: sums)
    parts += time(of: sums, conditions)
    parts.removeAll { $0.value == 0 || !$0.value.isFinite }
    return UncertaintyBudget(parts)
  }

  /// Gain and offset, as limits of rectangular distributions (a/√3) or expanded uncertainties (U/k).
  private func limits(
    _ factor: PowerSource.Factor, energy: Double, sensitivity: Double
  ) -> [UncertaintyComponent] {
    guard let accuracy = factor.channel.accuracy else { return [] }
    let divisor = accuracy.coverageFactor ?? 3.0.squareRoot()
    guard divisor > 0 else { return [] }
    let name = factor.channel.name
    return [
      UncertaintyComponent(
        "gain of \(name)", energy * accuracy.gain / divisor, .b,
        key: CorrelationKey(source.meter, channel: name, effect: "gain")),
      UncertaintyComponent(
        "offset of \(name)", sensitivity * accuracy.offset * factor.unit / divisor, .b,
        key: CorrelationKey(source.meter, channel: name, effect: "offset"))
    ]
  }

  /// Rounding to codes: samples of one code in a row err alike; what changes from sample to sample is in
  /// the scatter of the waveform already.
  private func resolution(of sums: IntervalSums, seconds: Double) -> [UncertaintyComponent] {
    guard sums.waveform.panels > 0 else { return [] }
    let step = (sums.waveform.steps / Double(sums.waveform.panels)).squareRoot()
    let panels = Double(sums.waveform.panels)
    func component(
      _ factor: PowerSource.Factor, _ runs: CodeRuns, sensitivity: Double
    ) -> UncertaintyComponent {
      let excess = max(0, runs.squares - panels).squareRoot()
      return UncertaintyComponent(
        "resolution of \(factor.channel.name)",
        factor.resolution / 12.0.squareRoot() * step * excess * sensitivity, .b)
    }
    switch source.voltage {
    case nil: return [component(source.main, sums.waveform.runs, sensitivity: 1)]
    case .assumed(let assumed):
      return [component(source.main, sums.waveform.runs, sensitivity: assumed.value)]
    case .measured(let factor):
      return [
        component(
          source.main, sums.currentRuns, sensitivity: sums.voltSeconds.value / seconds),
        component(factor, sums.voltageRuns, sensitivity: sums.charge.value / seconds)
      ]
    }
  }

  /// What happens between samples, and their noise: from the samples themselves.
  private func waveform(of sums: IntervalSums) -> [UncertaintyComponent] {
    let panels = sums.waveform.panels
    guard panels > 0 else { return [] }
    let step = (sums.waveform.steps / Double(panels)).squareRoot()
    let averaging = min(step, source.main.channel.averagingTime ?? 0)
    let open = step > 0 ? 1 - averaging / step : 1
    let scatter = sums.waveform.variance(open: open)
    if sums.waveform.joints >= 8 {
      return [
        UncertaintyComponent(
          "noise and waveform between samples", scatter.value.squareRoot(), .a,
          degreesOfFreedom: scatter.degreesOfFreedom)
      ]
    }
    // Too few to tell: the noise that the maker states, and the whole of what was seen to move.
    let seconds = Double(sums.covered) * 1e-9
    let spread = sums.greatest > sums.least ? (sums.greatest - sums.least) * step : 0
    let noise =
      (source.main.channel.accuracy?.noise ?? 0) * source.main.unit
      * (source.voltage == nil ? 1 : sums.meanVoltage(source, seconds))
    return [
      UncertaintyComponent("noise", noise * sums.waveform.steps.squareRoot(), .b),
      UncertaintyComponent("waveform between samples", spread / 12.0.squareRoot(), .b)
    ]
  }

  private func time(
    of sums: IntervalSums, _ conditions: FigureConditions
  ) -> [UncertaintyComponent] {
    let clock = conditions.clock.uncertainty * 1e-9
    let alignment = (clock * clock + conditions.alignment * conditions.alignment * 1e-18)
      .squareRoot()
    var parts = [
      UncertaintyComponent(
        "time base", sums.energy.value * conditions.timeBase, .b,
        key: CorrelationKey(meter: "host", effect: "time base"))
    ]
    if let skew = conditions.clock.skewUncertainty {
      parts.append(
        UncertaintyComponent(
          UncertaintyComponent.OfTime.clockRate, sums.energy.value * skew, .a))
    }
    // The whole interval too early or too late: what comes in at one end less what goes out at the other.
    parts.append(
      UncertaintyComponent(
        UncertaintyComponent.OfTime.alignment, alignment * sums.greatestStep, .b))
    let start = sums.atStart.highest
    let end = sums.atEnd.highest
    parts.append(
      UncertaintyComponent(
        UncertaintyComponent.OfTime.ends,
        conditions.ends * 1e-9 * (start * start + end * end).squareRoot(), .b))
    parts.append(
      UncertaintyComponent(
        "time stamps", conditions.stamps * 1e-9 * sums.waveform.slopes.squareRoot(), .b))
    return parts
  }
}

extension IntervalSums {
  /// Between the powers near the two ends, in watts: the most that they may differ.
  fileprivate var greatestStep: Double {
    let (startLow, startHigh) = bounds(atStart)
    let (endLow, endHigh) = bounds(atEnd)
    return max(endHigh - startLow, startHigh - endLow)
  }

  private func bounds(_ edge: Edge) -> (Double, Double) {
    if edge.least <= edge.greatest { return (edge.least, edge.greatest) }
    // Nothing was measured there: whatever there was in the interval.
    return samples > 0 ? (least, greatest) : (0, 0)
  }

  fileprivate func meanVoltage(_ source: PowerSource, _ seconds: Double) -> Double {
    if case .assumed(let assumed) = source.voltage { return assumed.value }
    return seconds > 0 ? voltSeconds.value / seconds : 0
  }
}

extension IntervalSums.Edge {
  /// In watts, without its sign.
  fileprivate var highest: Double { least <= greatest ? max(abs(least), abs(greatest)) : 0 }
}

extension Losses {
  fileprivate func scaled(by rate: Double) -> Losses {
    guard rate != 1 else { return self }
    var losses = self
    losses.scale(by: rate)
    return losses
  }
}

extension PowerSource {
  /// For people: `vdd.voltage × vdd.current`.
  public var statement: String {
    switch voltage {
    case nil: main.channel.name
    case .assumed(let assumed): "\(assumed.value) V (assumed) × \(main.channel.name)"
    case .measured(let factor): "\(factor.channel.name) × \(main.channel.name)"
    }
  }
}
