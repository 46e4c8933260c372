internal import KelvinModel
internal import KelvinStore
internal import KelvinTargets

/// Collects what counters did in the measured window: metrics, and which of them wrapped or were
/// reset.
struct CounterReport {
  let source: String
  private(set) var metrics: [Metric] = []
  private var wrapped: [String] = []
  private var reset: [String] = []

  init(source: String) { self.source = source }

  /// Adds how far a counter went as a metric, `factor` units for each step.
  mutating func add(
    _ name: String, from before: UInt64, to after: UInt64, bits: Int, factor: UInt64 = 1,
    unit: String = "", lowerIsBetter: Bool? = nil, classifiers: [String: String] = [:]
  ) {
    let step = CounterStep(from: before, to: after, bits: bits)
    let place = classifiers.isEmpty ? name : "\(name) of \(classifiers.values.joined())"
    if case .wrapped = step { wrapped.append(place) }
    guard let value = step.value else {
      reset.append(place)
      return
    }
    let (product, overflow) = value.multipliedReportingOverflow(by: factor)
    // What does not fit an integer is a damaged reading or a count of ages: a double tells enough.
    let metricValue: MetricValue =
      if !overflow, let exact = Int64(exactly: product) {
        .integer(exact)
      } else {
        .number(Double(value) * Double(factor))
      }
    metrics.append(
      Metric(
        name, metricValue, unit: unit, lowerIsBetter: lowerIsBetter, classifiers: classifiers,
        source: source))
  }

  /// Hands the metrics to the job, and a warning for each kind of trouble.
  func deliver(to job: JobContext) {
    job.add(metrics)
    if !wrapped.isEmpty {
      job.record(
        .warning, source: source,
        "went back and were taken as wrapped at 32 bits: \(wrapped.shortList)")
    }
    if !reset.isEmpty {
      job.record(
        .warning, source: source, "went back, so were reset, and are left out: \(reset.shortList)")
    }
  }
}

extension [String] {
  /// At most eight of them, and how many more there are.
  var shortList: String {
    prefix(8).joined(separator: ", ") + (count > 8 ? " and \(count - 8) more" : "")
  }
}

extension TargetFacts {
  /// Width of the kernel's `unsigned long`, which most of its counters are.
  var longBits: Int {
    let is32 =
      machine.hasPrefix("armv") || machine == "arm"
      || (machine.hasPrefix("i") && machine.hasSuffix("86"))
      || ["mips", "mipsel", "ppc", "riscv32", "parisc", "m68k", "sh4"].contains(machine)
    return is32 ? 32 : 64
  }
}
