/// The energy of intervals from a counter that a meter keeps itself, such as RAPL's: nothing is lost
/// between two readings unless the counter went around unseen or began anew.
///
/// One for each counter (each has an end of its own, where it starts again from 0). Used by one caller at
/// a time.
public struct CounterEnergy: Sendable {
  public let meter: MeterIdentity
  public let channel: Channel
  /// In watts: the most that can flow. It tells whether a counter can have gone around twice, and
  /// whether a step is possible at all. Nil takes any counter that went back to have gone around once.
  public let greatestPower: Double?
  /// Times that it went around and was counted on.
  public private(set) var wraps = 0
  /// Readings that came twice or went back in time, and were left out.
  public private(set) var outOfOrder: Int64 = 0

  private let index: Int
  private let unit: Double
  private var intervals: [Sums]
  private var last: (time: Int64, code: Int64)?
  private var lastPower = 0.0
  private var spans: [(kind: LostTime.Kind, from: Int64, to: Int64)] = []

  fileprivate struct Sums: Sendable {
    let from: Int64
    let to: Int64
    var energy = CompensatedSum()
    var covered: Int64 = 0
    var readings: Int64 = 0
    var least = Double.infinity
    var greatest = -Double.infinity
    var longestStep: Int64 = 0
    /// Joules squared: shares of steps that an end of the interval cuts.
    var cuts = 0.0
    /// Stretches of readings without a loss between them, and the squared powers at their ends.
    var stretches = 0
    var powersAtEnds = 0.0
    var isOpen = false
    var lastPower = 0.0
    var losses = Losses()
    var events: [CaptureEvent.Kind: Int] = [:]
    var isBegun = false
  }

  /// Begins before the first reading.
  ///
  /// - Throws: `configuration` when there is no such channel, or it counts no energy.
  public init(
    _ index: Int, of channels: [Channel], meter: MeterIdentity, greatestPower: Double? = nil,
    intervals: [ClosedRange<Int64>]
  ) throws(FigureFailure) {
    guard channels.indices.contains(index) else {
      throw FigureFailure(
        .configuration, "\(meter.name): no channel \(index); it has \(channels.count)")
    }
    channel = channels[index]
    guard let unit = Unit(symbol: channel.unit), unit.dimension == .energy, channel.scale > 0,
      channel.scale.isFinite
    else {
      throw FigureFailure(
        .configuration, "\(meter.name): channel \(channel.name) counts no energy in a known unit")
    }
    self.index = index
    self.meter = meter
    self.unit = unit.factor
    self.greatestPower = greatestPower.flatMap { $0 > 0 && $0.isFinite ? $0 : nil }
    self.intervals = intervals.map { Sums(from: $0.lowerBound, to: $0.upperBound) }
  }

  /// Takes readings in the order of time; those of other channels are left alone.
  public mutating func take(_ blocks: [SampleBlock]) {
    for block in blocks where block.channel == index {
      for (place, code) in block.codes.enumerated() where place < block.times.count {
        take(code, at: block.times[place])
      }
    }
  }

  /// Takes an event, before or with the readings that follow it.
  public mutating func take(_ event: CaptureEvent) {
    if let channel = event.channel, channel != index { return }
    let to = max(event.from, event.to)
    for index in intervals.indices
    where intervals[index].from <= to && intervals[index].to >= event.from {
      intervals[index].events[event.kind, default: 0] += 1
    }
    switch event.kind {
    // A counter counts on while nobody reads it.
    case .gap, .overrun, .saturation, .rangeSwitch, .error, .repeats, .wrap, .mark: return
    case .reset: spans.append((.reset, event.from, to))
    case .suspend:
      spans.append((.suspend, event.from, to))
      guard let unseen = event.count else { return }
      for index in intervals.indices
      where intervals[index].from <= to && intervals[index].to >= event.from {
        intervals[index].losses.add(unseen: unseen)
      }
    case .clockStep: spans.append((.clockStep, event.from, to))
    }
  }

  /// Ends the capture.
  public mutating func finish() {
    for index in intervals.indices {
      let reached = max(intervals[index].from, last?.time ?? .min)
      if reached < intervals[index].to {
        intervals[index].lose(.edge, reached, intervals[index].to, power: lastPower)
      }
      intervals[index].close()
    }
  }

  /// The figure of an interval. Its least and greatest power are means between two readings.
  public func figure(
    of interval: Int, under conditions: FigureConditions = FigureConditions()
  ) -> EnergyFigure {
    let sums = intervals[interval]
    let lost = Double(sums.losses.duration) * 1e-9
    let hasPower = sums.least <= sums.greatest
    return EnergyFigure(
      from: sums.from, to: sums.to, measured: sums.energy.value, covered: sums.covered,
      losses: sums.losses,
      possibleLost: sums.losses.duration == 0 ? 0...0 : greatestPower.map { 0...($0 * lost) },
      likelyLost: hasPower
        ? sums.losses.likely(least: sums.least, greatest: sums.greatest) : 0, doubtful: 0,
      samples: sums.readings, least: hasPower ? sums.least : nil,
      greatest: hasPower ? sums.greatest : nil, longestStep: sums.longestStep,
      events: sums.events, budget: budget(of: sums, conditions), clock: conditions.clock,
      meter: meter, statement: "counter \(channel.name)")
  }

  private func budget(of sums: Sums, _ conditions: FigureConditions) -> UncertaintyBudget {
    guard sums.covered > 0 else { return UncertaintyBudget() }
    let accuracy = channel.accuracy
    let divisor = accuracy?.coverageFactor ?? 3.0.squareRoot()
    let code = (accuracy?.resolution ?? channel.scale) * unit
    let ends = Double(2 * sums.stretches)
    let update = channel.averagingTime ?? 0
    let mean = sums.energy.value / (Double(sums.covered) * 1e-9)
    let clock = conditions.clock.uncertainty * 1e-9
    let alignment = (clock * clock + conditions.alignment * conditions.alignment * 1e-18)
      .squareRoot()
    var parts = [
      UncertaintyComponent(
        "gain of \(channel.name)", sums.energy.value * (accuracy?.gain ?? 0) / divisor, .b,
        key: CorrelationKey(meter, channel: channel.name, effect: "gain")),
      UncertaintyComponent(
        "resolution of \(channel.name)", code * (ends / 12).squareRoot(), .b),
      UncertaintyComponent("share of cut steps", sums.cuts.squareRoot(), .b),
      UncertaintyComponent(
        "age of readings", update / 12.0.squareRoot() * sums.powersAtEnds.squareRoot(), .b),
      UncertaintyComponent(
        UncertaintyComponent.OfTime.alignment, alignment * max(0, sums.greatest - sums.least), .b),
      UncertaintyComponent(
        UncertaintyComponent.OfTime.ends, conditions.ends * 1e-9 * mean * 2.0.squareRoot(), .b)
    ]
    parts.removeAll { $0.value == 0 || !$0.value.isFinite }
    return UncertaintyBudget(parts)
  }

  private mutating func take(_ code: Int64, at time: Int64) {
    // Within about ±146 years, so that no difference of times overflows.
    guard abs(Double(time)) < 4.6e18 else {
      outOfOrder += 1
      return
    }
    for index in intervals.indices
    where intervals[index].from <= time && time <= intervals[index].to {
      intervals[index].readings += 1
    }
    guard let before = last else {
      last = (time, code)
      for index in intervals.indices where intervals[index].from < time {
        intervals[index].lose(
          .edge, intervals[index].from, min(time, intervals[index].to), power: 0)
      }
      return
    }
    guard time > before.time else {
      outOfOrder += 1
      return
    }
    last = (time, code)
    let seconds = Double(time &- before.time) * 1e-9
    switch step(from: before, to: (time, code), seconds: seconds) {
    case .success(let energy):
      lastPower = energy / seconds
      for index in intervals.indices {
        intervals[index].add(energy, from: before.time, to: time)
      }
    case .failure(let loss):
      // What it was before tells nothing of a sleep; a counter that went on says what it counted.
      let power =
        loss.kind == .suspend ? counted(from: before.code, to: code) / seconds : lastPower
      for index in intervals.indices {
        let from = max(before.time, intervals[index].from)
        let to = min(time, intervals[index].to)
        if from < to { intervals[index].lose(loss.kind, from, to, power: power) }
      }
    }
    spans.removeAll { $0.to < time }
  }

  private struct Loss: Error {
    let kind: LostTime.Kind
  }

  /// The joules that a counter says for a suspend. One that stood still, or ran for the part in which the machine
  /// was awake, says too little, one that began anew may: it is no measurement. 0 where it went back.
  private func counted(from before: Int64, to now: Int64) -> Double {
    max(0, Double(now) - Double(before)) * channel.scale * unit
  }

  /// How many joules were counted between two readings, or why that cannot be told.
  private mutating func step(
    from before: (time: Int64, code: Int64), to now: (time: Int64, code: Int64), seconds: Double
  ) -> Result<Double, Loss> {
    for span in spans where span.from < now.time && span.to > before.time {
      return .failure(Loss(kind: span.kind))
    }
    for span in spans where span.from == span.to && (before.time...now.time).contains(span.from) {
      return .failure(Loss(kind: span.kind))
    }
    let scale = channel.scale * unit
    // What can have flowed; the counter may have been old when it was read first, and one code short.
    let most = greatestPower.map {
      $0 * (seconds + (channel.averagingTime ?? 0)) + 2 * scale
    }
    let (difference, overflow) = now.code.subtractingReportingOverflow(before.code)
    var codes = overflow ? Double(now.code) - Double(before.code) : Double(difference)
    let modulus = Double(channel.wrap ?? 0)
    if codes < 0 {
      guard modulus > 0, Double(before.code) < modulus, Double(now.code) >= 0 else {
        return .failure(Loss(kind: .reset))
      }
      codes += modulus
      guard codes >= 0 else { return .failure(Loss(kind: .reset)) }
      if let most, codes * scale > most { return .failure(Loss(kind: .reset)) }
      wraps += 1
    }
    if let most {
      if codes * scale > most { return .failure(Loss(kind: .reset)) }
      if modulus > 0, (codes + modulus) * scale <= most { return .failure(Loss(kind: .wrap)) }
    }
    return .success(codes * scale)
  }
}

extension CounterEnergy.Sums {
  mutating func add(_ joules: Double, from before: Int64, to now: Int64) {
    let start = max(before, from)
    let stop = min(now, to)
    guard start < stop else { return }
    let whole = Double(now &- before)
    let share = Double(stop - start) / whole
    let power = joules / (whole * 1e-9)
    energy.add(joules * share)
    covered += stop - start
    // What part of a step was inside is not known: its variance is that of a rectangular distribution when
    // the cut is in the middle, and none when there is no cut.
    cuts += joules * joules * share * (1 - share) / 3
    longestStep = max(longestStep, now &- before)
    least = min(least, power)
    greatest = max(greatest, power)
    lastPower = power
    if !isOpen {
      isOpen = true
      stretches += 1
      powersAtEnds += power * power
    }
  }

  mutating func lose(_ kind: LostTime.Kind, _ start: Int64, _ stop: Int64, power: Double) {
    close()
    losses.add(
      LostTime(
        kind, from: start, to: stop, interpolated: power * Double(stop - start) * 1e-9))
  }

  mutating func close() {
    if isOpen { powersAtEnds += lastPower * lastPower }
    isOpen = false
  }
}
