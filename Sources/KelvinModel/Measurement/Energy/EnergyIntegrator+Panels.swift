/// The part between two samples is a panel, numbered as its first sample.
extension EnergyIntegrator {
  /// Integrates the panels that the run has not integrated yet.
  mutating func integrate() {
    if isLearning {
      guard run.count >= 17 else { return }
      period = PowerRun.medianSpacing(run.times)
      isLearning = false
    }
    defer { run.carry() }
    let first = max(0, run.carried - 1)
    guard run.count > run.carried, let last = run.times.last else { return }
    let lost = lostPanels(from: first)
    for index in intervals.indices {
      guard intervals[index].from <= last, run.times[first] < intervals[index].to else { continue }
      intervals[index].add(run, from: first, lost: lost, period: period, window: edgeWindow)
    }
    spans.removeAll { $0.to <= last }
  }

  /// Panels that were not measured, in order.
  private func lostPanels(from first: Int) -> [(panel: Int, kind: LostTime.Kind)] {
    var lost: [(panel: Int, kind: LostTime.Kind)] = []
    let end = run.count - 1
    if let period {
      let limit = Int64(max(1, min(period * 1.5, 4e18)))
      let times = run.times.span
      for panel in first..<end where times[panel + 1] &- times[panel] >= limit {
        lost.append((panel, .gap))
      }
    }
    if run.saturated.isEmpty && spans.isEmpty { return lost }
    for sample in run.saturated {
      for panel in [sample - 1, sample] where panel >= first && panel < end {
        lost.append((panel, .saturation))
      }
    }
    for span in spans {
      var panel = max(first, run.times.lowerBound(span.from + 1) - 1)
      while panel < end, run.times[panel] < span.to {
        lost.append((panel, span.kind))
        panel += 1
      }
    }
    // An event knows better than a distance why a panel is lost.
    lost.sort { ($0.panel, $0.kind == .gap ? 1 : 0) < ($1.panel, $1.kind == .gap ? 1 : 0) }
    var unique: [(panel: Int, kind: LostTime.Kind)] = []
    for entry in lost where unique.last?.panel != entry.panel { unique.append(entry) }
    return unique
  }
}

extension IntervalSums {
  /// Adds the panels of a run that lie in the interval, from one on.
  mutating func add(
    _ run: PowerRun, from first: Int, lost: [(panel: Int, kind: LostTime.Kind)], period: Double?,
    window: Int64
  ) {
    let times = run.times
    if !isBegun {
      isBegun = true
      if run.carried == 0, times[0] > from {
        let end = min(times[0], to)
        losses.add(
          LostTime(
            .edge, from: from, to: end, interpolated: run.power[0] * Double(end - from) * 1e-9))
      }
    }
    addEdges(run, window: window)
    let inside = max(run.carried, times.lowerBound(from))..<max(run.carried, times.upperBound(to))
    addExtremes(run.power.span, inside)
    // The first panel that ends after the beginning, and the first that begins at the end or later.
    var panel = max(first, times.upperBound(from) - 1)
    let end = min(run.count - 1, times.lowerBound(to))
    var next = lost.firstIndex { $0.panel >= panel } ?? lost.count
    while panel < end {
      if next < lost.count, lost[next].panel == panel {
        lose(run, panel, lost[next].kind, period: period)
        next += 1
        panel += 1
      } else if times[panel] < from || times[panel + 1] > to {
        addPart(run, panel)
        panel += 1
      } else {
        var stop = next < lost.count ? min(end, lost[next].panel) : end
        if times[stop] > to { stop -= 1 }
        addWhole(run, panel..<stop)
        panel = stop
      }
    }
  }

  /// What remains when no sample comes any more.
  mutating func finish(_ run: PowerRun) {
    if to == .max { to = max(from, run.times.last ?? from) }
    let reached = max(from, min(to, isBegun ? run.times.last ?? from : from))
    guard reached < to else { return }
    losses.add(
      LostTime(
        .edge, from: reached, to: to,
        interpolated: (run.power.last ?? 0) * Double(to - reached) * 1e-9))
  }

  private mutating func addExtremes(_ power: Span<Double>, _ range: Range<Int>) {
    samples += Int64(range.count)
    // Four of each, so that no comparison waits for the one before.
    var lows = SIMD4(repeating: least)
    var highs = SIMD4(repeating: greatest)
    var index = range.lowerBound
    while index + 4 <= range.upperBound {
      let values = SIMD4(power[index], power[index + 1], power[index + 2], power[index + 3])
      lows.replace(with: values, where: values .< lows)
      highs.replace(with: values, where: values .> highs)
      index += 4
    }
    (least, greatest) = (lows.min(), highs.max())
    while index < range.upperBound {
      least = min(least, power[index])
      greatest = max(greatest, power[index])
      index += 1
    }
  }

  /// The power at an end of the interval, and the steps around it.
  private mutating func addEdges(_ run: PowerRun, window: Int64) {
    let times = run.times
    let last = times[run.count - 1]
    for isStart in [true, false] {
      let time = isStart ? from : to
      guard time &- window <= last, time &+ window >= times[0] || window == 0 else { continue }
      var edge = isStart ? atStart : atEnd
      let near = times.lowerBound(time &- window)..<times.upperBound(time &+ window)
      for index in near where index >= run.carried { edge.add(run.power[index]) }
      // The panel around it; at a sample, both of the panels.
      let after = times.lowerBound(time)
      if edge.power == nil, after < run.count, after >= 1 || times[0] == time {
        let before = max(0, after - 1)
        for index in before...min(run.count - 1, after + (times[after] == time ? 1 : 0)) {
          edge.add(run.power[index])
        }
        edge.power = run.power(at: time, before, after)
      }
      if isStart { atStart = edge } else { atEnd = edge }
    }
  }

  private mutating func lose(
    _ run: PowerRun, _ panel: Int, _ kind: LostTime.Kind, period: Double?
  ) {
    let start = max(from, run.times[panel])
    let stop = min(to, run.times[panel + 1])
    var samples: Int64?
    if kind == .gap {
      if let period {
        let periods = Double(run.times[panel + 1] - run.times[panel]) / period
        samples = max(0, Int64(min(periods, 9e18).rounded()) - 1)
      }
    } else {
      samples = 1
    }
    losses.add(
      LostTime(
        kind, from: start, to: stop, samples: kind == .suspend ? nil : samples,
        interpolated: kind == .suspend ? 0 : run.trapezoid(panel, start, stop) * 1e-9))
    cut()
  }

  private mutating func cut() {
    joined = false
    waveform.cut()
  }

  /// A panel that an end of the interval cuts.
  private mutating func addPart(_ run: PowerRun, _ panel: Int) {
    let start = max(from, run.times[panel])
    let stop = min(to, run.times[panel + 1])
    guard stop > start else { return }
    energy.add(run.trapezoid(panel, start, stop) * 1e-9)
    let seconds = Double(stop - start) * 1e-9
    if !run.current.isEmpty {
      charge.add((run.current[panel] + run.current[panel + 1]) / 2 * seconds)
    }
    if !run.voltage.isEmpty {
      voltSeconds.add((run.voltage[panel] + run.voltage[panel + 1]) / 2 * seconds)
    }
    covered += stop - start
    waveform.steps += seconds * seconds
    waveform.panels += 1
    longestStep = max(longestStep, run.times[panel + 1] - run.times[panel])
    cut()
  }

  /// Panels that lie in the interval altogether.
  private mutating func addWhole(_ run: PowerRun, _ panels: Range<Int>) {
    covered += run.times[panels.upperBound] - run.times[panels.lowerBound]
    var panel = panels.lowerBound
    if !joined || panel == 0 {
      waveform.cut()
      sweepOne(run, panel)
      panel += 1
    }
    while panel < panels.upperBound {
      let stop = min(panels.upperBound, panel + min(256, waveform.room))
      sweep(run.times.span, run.power.span, panel..<stop)
      panel = stop
    }
    joined = true
    if !run.current.isEmpty {
      charge.add(Self.sum(run.times.span, run.current.span, panels, &currentRuns) * 1e-9)
    }
    if !run.voltage.isEmpty {
      voltSeconds.add(Self.sum(run.times.span, run.voltage.span, panels, &voltageRuns) * 1e-9)
    }
  }

  /// A panel without one before it.
  private mutating func sweepOne(_ run: PowerRun, _ panel: Int) {
    let step = run.times[panel + 1] - run.times[panel]
    energy.add((run.power[panel] + run.power[panel + 1]) / 2 * Double(step) * 1e-9)
    waveform.steps += Double(step) * Double(step) * 1e-18
    waveform.panels += 1
    waveform.runs.add(run.power[panel + 1])
    longestStep = max(longestStep, step)
  }

  /// Trapezoids, and the joints at their first samples.
  private mutating func sweep(
    _ times: Span<Int64>, _ power: Span<Double>, _ panels: Range<Int>
  ) {
    let first = panels.lowerBound
    var (p0, p1) = (power[first - 1], power[first])
    var t1 = times[first]
    var ha = Double(t1 &- times[first - 1])
    var e1 = waveform.last * 1e9
    var (area, square, next, slopes, steps) = (0.0, 0.0, 0.0, 0.0, 0.0)
    var (sum, alternating, sign) = (0.0, 0.0, 1.0)
    var longest: Double = 0
    var runs = waveform.runs
    for panel in panels {
      let p2 = power[panel + 1]
      let t2 = times[panel + 1]
      let hb = Double(t2 &- t1)
      area += (p1 + p2) * hb
      let e = ((ha + hb) * p1 - p0 * hb - p2 * ha) * 0.5
      square += e * e
      next += e * e1
      sum += e
      alternating += sign * e
      sign = -sign
      slopes += (p2 - p0) * (p2 - p0)
      steps += hb * hb
      longest = hb > longest ? hb : longest
      runs.add(p2)
      (e1, ha, p0, p1, t1) = (e, hb, p1, p2, t2)
    }
    energy.add(area * 0.5e-9)
    waveform.runs = runs
    waveform.steps += steps * 1e-18
    waveform.panels += panels.count
    longestStep = max(longestStep, Int64(longest))
    waveform.add(
      square: square * 1e-18, next: next * 1e-18, slopes: slopes * 0.25, sum: sum * 1e-9,
      alternating: alternating * 1e-9, count: panels.count, last: e1 * 1e-9)
  }

  /// The integral of another value over panels, in its unit times nanoseconds.
  private static func sum(
    _ times: Span<Int64>, _ values: Span<Double>, _ panels: Range<Int>, _ runs: inout CodeRuns
  ) -> Double {
    var area = 0.0
    var state = runs
    for panel in panels {
      let value = values[panel + 1]
      area += (values[panel] + value) * Double(times[panel + 1] &- times[panel])
      state.add(value)
    }
    runs = state
    return area / 2
  }
}

extension PowerRun {
  /// By a straight line between two samples that are there.
  func power(at time: Int64, _ before: Int, _ after: Int) -> Double {
    let span = times[after] - times[before]
    guard span > 0 else { return power[after] }
    let share = Double(time - times[before]) / Double(span)
    return power[before] + (power[after] - power[before]) * share
  }

  /// Of the part of a panel from one time to another, in watts times nanoseconds.
  func trapezoid(_ panel: Int, _ start: Int64, _ stop: Int64) -> Double {
    (power(at: start, panel, panel + 1) + power(at: stop, panel, panel + 1)) / 2
      * Double(stop - start)
  }
}
