/// Codes beyond which a channel could not tell values apart.
struct CodeLimits: Sendable, Hashable {
  let main: ClosedRange<Int64>
  let voltage: ClosedRange<Int64>

  init(_ source: PowerSource) {
    main = Self.limits(source.main)
    if case .measured(let factor) = source.voltage {
      voltage = Self.limits(factor)
    } else {
      voltage = .min ... .max
    }
  }

  /// Codes that are certainly inside. A lower end of 0 is no saturation: nothing flows.
  private static func limits(_ factor: PowerSource.Factor) -> ClosedRange<Int64> {
    guard let range = factor.channel.range else { return .min ... .max }
    func code(_ value: Double) -> Double { (value - factor.channel.offset) / factor.channel.scale }
    var low = range.lowerBound < 0 ? code(range.lowerBound) : -.infinity
    var high = code(range.upperBound)
    if factor.channel.scale < 0 {
      (low, high) = (high, range.lowerBound < 0 ? code(range.lowerBound) : .infinity)
    }
    // A millionth of a code for the rounding of the division.
    let least = low > -9e18 ? Int64((low + 1e-6).rounded(.down)) + 1 : .min
    let most = high < 9e18 ? Int64((high - 1e-6).rounded(.up)) - 1 : .max
    return least <= most ? least...most : .min ... .max
  }

  /// Places of codes outside, each plus `base`.
  static func saturated(
    _ codes: [Int64], _ inside: ClosedRange<Int64>, base: Int, into places: inout [Int]
  ) {
    guard inside != .min ... .max else { return }
    var least = Int64.max
    var most = Int64.min
    let span = codes.span
    for index in span.indices {
      let code = span[index]
      least = code < least ? code : least
      most = code > most ? code : most
    }
    guard least < inside.lowerBound || most > inside.upperBound else { return }
    for (index, code) in codes.enumerated() where !inside.contains(code) {
      places.append(base + index)
    }
  }
}

extension EnergyIntegrator {
  /// Adds samples of the main channel, and of the voltage at the same times, to the run.
  mutating func append(_ times: SampleTimes, _ codes: [Int64], voltage: [Int64]?) {
    guard !codes.isEmpty else { return }
    let stamps = times.array
    if let last = run.times.last ?? stamps.first.map({ $0 &- lag &- 1 }),
      !Self.ascends(stamps, after: last &+ lag)
    {
      appendOrdered(stamps, codes, voltage: voltage, after: last &+ lag)
      return
    }
    let base = run.count
    CodeLimits.saturated(codes, limits.main, base: base, into: &run.saturated)
    run.times.append(contentsOf: stamps)
    if lag != 0 { for index in base..<run.count { run.times[index] &-= lag } }
    let (scale, offset) = (source.main.scale, source.main.offset)
    switch source.voltage {
    case nil:
      Self.convert(codes, scale, offset, into: &run.power)
    case .assumed(let assumed):
      Self.convert(codes, scale, offset, into: &run.current)
      Self.convert(codes, scale * assumed.value, offset * assumed.value, into: &run.power)
    case .measured(let factor):
      guard let voltage else { return }
      CodeLimits.saturated(voltage, limits.voltage, base: base, into: &run.saturated)
      Self.convert(codes, scale, offset, into: &run.current)
      Self.convert(voltage, factor.scale, factor.offset, into: &run.voltage)
      run.multiply(from: base)
    }
    run.saturated.sort()
  }

  /// Adds samples whose voltage was interpolated.
  mutating func append(_ times: [Int64], _ codes: [Int64], voltages: [Double]) {
    let base = run.count
    var last = run.times.last.map { $0 &+ lag } ?? .min
    for (index, time) in times.enumerated() {
      guard time > last else {
        outOfOrder += 1
        continue
      }
      last = time
      if !limits.main.contains(codes[index]) { run.saturated.append(run.count) }
      run.times.append(time &- lag)
      let current = Double(codes[index]) * source.main.scale + source.main.offset
      run.current.append(current)
      run.voltage.append(voltages[index])
      run.power.append(current * voltages[index])
    }
    assert(run.count >= base)
  }

  /// Leaves out samples that are not after the one before them.
  private mutating func appendOrdered(
    _ times: [Int64], _ codes: [Int64], voltage: [Int64]?, after last: Int64
  ) {
    var kept: (times: [Int64], codes: [Int64], voltage: [Int64]) = ([], [], [])
    var last = last
    for (index, time) in times.enumerated() {
      guard time > last else {
        outOfOrder += 1
        continue
      }
      last = time
      kept.times.append(time)
      kept.codes.append(codes[index])
      if let voltage { kept.voltage.append(voltage[index]) }
    }
    guard !kept.times.isEmpty else { return }
    append(.each(kept.times), kept.codes, voltage: voltage == nil ? nil : kept.voltage)
  }

  private static func ascends(_ times: [Int64], after last: Int64) -> Bool {
    var previous = last
    var ascends = true
    let span = times.span
    for index in span.indices {
      let time = span[index]
      ascends = ascends && time > previous
      previous = time
    }
    return ascends
  }

  private static func convert(
    _ codes: [Int64], _ scale: Double, _ offset: Double, into values: inout [Double]
  ) {
    let base = values.count
    values.append(contentsOf: repeatElement(0, count: codes.count))
    let span = codes.span
    var target = values.mutableSpan
    for index in span.indices {
      target[base + index] = Double(span[index]) * scale + offset
    }
  }
}

extension PowerRun {
  /// Computes the power of samples from one on.
  mutating func multiply(from base: Int) {
    let (volts, amperes) = (voltage, current)
    power.append(contentsOf: repeatElement(0, count: volts.count - base))
    let (voltage, current) = (volts.span, amperes.span)
    var target = power.mutableSpan
    for index in base..<voltage.count { target[index] = voltage[index] * current[index] }
  }

  /// In nanoseconds; of at least two times.
  static func medianSpacing(_ times: [Int64]) -> Double? {
    let spacings = zip(times.dropFirst(), times).map { Double($0 &- $1) }.sorted()
    guard !spacings.isEmpty else { return nil }
    return spacings[spacings.count / 2]
  }
}
