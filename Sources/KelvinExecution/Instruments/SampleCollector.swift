internal import KelvinConnections
internal import KelvinModel
internal import KelvinStore

/// A file that is sampled, and how its numbers become values.
struct SampledFile: Sendable, Hashable {
  /// What metrics and captures call it.
  var label: String
  var path: TargetPath
  /// Of the values after ``scale``.
  var unit: String = ""
  /// Value = number in the file * scale.
  var scale: Double = 1
  /// Digits after the point that a capture keeps.
  var decimals: UInt8 = 0

  /// The channel of a capture; its codes are whole numbers of the last decimal.
  var channel: Channel {
    Channel(name: label, unit: unit, scale: scale / SampledFile.power(decimals))
  }

  /// Chooses ``decimals`` by the file's present content. Where there is a point, there may be more
  /// digits next time, so a few more are kept.
  mutating func chooseDecimals(for content: [UInt8]) {
    guard let point = content.firstIndex(of: UInt8(ascii: ".")) else { return }
    let digits = content[(point + 1)...].prefix { $0 >= 48 && $0 <= 57 }.count
    decimals = UInt8(min(9, max(digits, 6)))
  }

  /// The sample as a whole number of the last kept decimal; nil when it does not fit.
  func code(of sample: Sample) -> (code: Int64, isExact: Bool)? {
    var code = sample.mantissa
    if sample.decimals <= decimals {
      for _ in sample.decimals..<decimals {
        let (product, overflow) = code.multipliedReportingOverflow(by: 10)
        if overflow { return nil }
        code = product
      }
      return (code, true)
    }
    var isExact = true
    for _ in decimals..<sample.decimals {
      if code % 10 != 0 { isExact = false }
      code /= 10
    }
    return (code, isExact)
  }

  static func power(_ decimals: UInt8) -> Double {
    (0..<decimals).reduce(1.0) { power, _ in power * 10 }
  }
}

/// Sorts samples into blocks for the store and sums them up. Grows by batches, never by samples.
struct SampleCollector {
  let files: [SampledFile]
  private(set) var statistics: [SampleStatistics]
  private var times: [[Int64]]
  private var codes: [[Int64]]
  private(set) var suspensions: [Suspension] = []

  init(files: [SampledFile]) {
    self.files = files
    statistics = files.map { SampleStatistics(scale: $0.scale) }
    times = files.map { _ in [] }
    codes = times
  }

  /// Samples that wait in the fullest channel.
  var waiting: Int { times.lazy.map(\.count).max() ?? 0 }

  /// Takes in a batch, oldest first, and the suspends that were noticed before its samples.
  mutating func add(_ samples: [Sample], _ noticed: [Suspension] = []) {
    suspensions += noticed
    for sample in samples {
      let channel = Int(sample.channel)
      guard channel < files.count, statistics[channel].add(sample, suspensions) else { continue }
      guard let (code, isExact) = files[channel].code(of: sample) else {
        statistics[channel].unstorable += 1
        continue
      }
      if !isExact { statistics[channel].rounded += 1 }
      times[channel].append(sample.nanoseconds)
      codes[channel].append(code)
    }
  }

  /// Gives what waits as one block for each channel that has samples.
  mutating func takeBlocks() -> [SampleBlock] {
    var blocks: [SampleBlock] = []
    for channel in files.indices where !times[channel].isEmpty {
      blocks.append(
        SampleBlock(channel: channel, times: times[channel], codes: codes[channel]))
      times[channel].removeAll(keepingCapacity: true)
      codes[channel].removeAll(keepingCapacity: true)
    }
    return blocks
  }
}

/// What the samples of one channel come to.
struct SampleStatistics: Hashable {
  let scale: Double
  /// Samples with a value.
  private(set) var count = 0
  private(set) var min = Double.infinity
  private(set) var max = -Double.infinity
  private(set) var unreadable = 0
  private(set) var lastError: Errno?
  private(set) var notNumbers = 0
  /// Samples older than the one before: a defect of their source; left out.
  private(set) var disordered = 0
  /// Values that lost digits in the capture, or did not fit at all.
  var rounded = 0
  var unstorable = 0
  private var lastTime = Int64.min
  private var lastValue = 0.0
  private var integral = 0.0
  private var covered: Int64 = 0

  init(scale: Double) { self.scale = scale }

  /// Counts a sample.
  ///
  /// - Parameter suspensions: in which nobody knows what the value was.
  /// - Returns: whether it has a value and its place in time.
  mutating func add(_ sample: Sample, _ suspensions: [Suspension] = []) -> Bool {
    switch sample.status {
    case .ok: break
    case .unreadable:
      unreadable += 1
      lastError = Errno(Int32(truncatingIfNeeded: sample.mantissa))
      return false
    case .notNumber:
      notNumbers += 1
      return false
    }
    guard sample.nanoseconds >= lastTime else {
      disordered += 1
      return false
    }
    let value = sample.value * scale
    let last = lastTime
    if count > 0, !suspensions.contains(where: { $0.from < sample.nanoseconds && $0.to > last }) {
      integral += (value + lastValue) / 2 * Double(sample.nanoseconds - lastTime)
      covered += sample.nanoseconds - lastTime
    }
    lastTime = sample.nanoseconds
    lastValue = value
    count += 1
    min = Swift.min(min, value)
    max = Swift.max(max, value)
    return true
  }

  /// Weighted by time (trapezoids between samples); nil without samples.
  var mean: Double? {
    guard count > 0 else { return nil }
    return covered > 0 ? integral / Double(covered) : lastValue
  }

  /// What went wrong, for a warning; nil when nothing did.
  var trouble: String? {
    var parts: [String] = []
    if unreadable > 0 {
      parts.append("\(unreadable) not readable (\(lastError.map(\.description) ?? ""))")
    }
    if notNumbers > 0 { parts.append("\(notNumbers) not a number") }
    if disordered > 0 { parts.append("\(disordered) out of order") }
    if unstorable > 0 { parts.append("\(unstorable) too large to keep") }
    if rounded > 0 { parts.append("\(rounded) rounded in the capture") }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }
}
