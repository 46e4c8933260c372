internal import KelvinMeters
internal import KelvinModel
internal import KelvinStore

/// What an attempt's meters found: figures of its window, of the idle time before it and of its phases, and
/// what is derived of them.
struct EnergyResult: Sendable {
  /// One rail in one interval.
  struct Entry: Sendable, Codable {
    var rail: String
    var interval: Int
    var figure: MeterFigures.SiteFigure
  }
  let rails: MeasuredRails
  /// The window, then the idle time where there is one, then the phases.
  let intervals: [EnergyInterval]
  let idle: Int?
  /// By name, in the order in which they were met: the intervals that are of it.
  let phases: [(name: String, intervals: [Int])]
  /// By rail, then by interval; nil where nothing was measured.
  private(set) var figures: [[MeterFigures.SiteFigure?]]
  /// What kept a meter's capture from being read.
  private(set) var failures: [PlainFailure] = []

  init(
    _ rails: MeasuredRails, window: EnergyInterval, idle: EnergyInterval?,
    phases marked: [WorkloadPhase]
  ) {
    self.rails = rails
    var intervals = [window]
    self.idle = idle == nil ? nil : 1
    if let idle { intervals.append(idle) }
    var phases: [(name: String, intervals: [Int])] = []
    for phase in marked {
      if let index = phases.firstIndex(where: { $0.name == phase.name }) {
        phases[index].intervals.append(intervals.count)
      } else {
        phases.append((phase.name, [intervals.count]))
      }
      intervals.append(phase.interval)
    }
    self.intervals = intervals
    self.phases = phases
    let none = [MeterFigures.SiteFigure?](repeating: nil, count: intervals.count)
    figures = rails.rails.map { _ in none }
  }

  /// Reads what a meter measured.
  mutating func read(
    _ part: EnergySession.Part, of attempt: Int64, _ voltage: PowerSource.AssumedVoltage?,
    in reader: RunReader
  ) {
    do {
      let captures = try reader.captures(ofAttempt: attempt)
      guard let capture = captures.first(where: { $0.id == part.recorder.capture }) else { return }
      let found = try CaptureFigures(capture: capture, rate: part.meter.rate, voltage: voltage)
        .figures(of: intervals, in: reader)
      for (interval, sites) in found.enumerated() {
        for site in sites {
          guard
            let rail = rails.rails.firstIndex(where: {
              $0.meter == part.meter.identity.name && $0.site == site.site
            })
          else { continue }
          figures[rail][interval] = site
        }
      }
    } catch {
      failures.append(PlainFailure(error))
    }
  }

  /// All of them, for the record.
  var entries: [Entry] {
    rails.rails.indices.flatMap { rail in
      intervals.indices.compactMap { interval in
        figures[rail][interval].map {
          Entry(rail: rails.rails[rail].name, interval: interval, figure: $0)
        }
      }
    }
  }

  /// The energy of a rail in some intervals together; nil when it was not measured in all of them.
  func energy(_ rail: Int, in intervals: [Int]) -> Estimate? {
    let estimates = intervals.compactMap { interval in
      figures[rail][interval].flatMap { $0.figure.covered > 0 ? $0.figure.estimate : nil }
    }
    guard estimates.count == intervals.count, let first = estimates.first else { return nil }
    return estimates.count == 1
      ? first : .sum(estimates.map { (1, $0) }, statement: first.statement)
  }

  /// The same of rails with weights.
  func energy(
    _ weights: [Int: Double], in intervals: [Int], statement: String
  ) -> Estimate? {
    var terms: [(weight: Double, estimate: Estimate)] = []
    for (rail, weight) in weights.sorted(by: { $0.key < $1.key }) {
      guard let estimate = energy(rail, in: intervals) else { return nil }
      terms.append((weight, estimate))
    }
    return .rails(terms, statement: statement)
  }

  /// In seconds.
  func duration(of intervals: [Int]) -> Double {
    intervals.reduce(0) { $0 + self.intervals[$1].duration }
  }

  /// The power of rails with weights before the workload, or as it was stated for the board.
  func idlePower(_ weights: [Int: Double]) -> Estimate? {
    guard let idle else { return nil }
    return energy(weights, in: [idle], statement: "idle")?
      .perSecond(duration(of: [idle]))
  }
}
