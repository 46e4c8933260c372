internal import KelvinModel
public import KelvinStore

/// What a run gave, for a terminal: statistics of each workload's metrics, counts of verdicts, and
/// what failed with its reason.
public struct SummaryTable: Sendable {
  /// The numbers of one metric of one workload, from the last attempts of jobs that are ok or
  /// partial.
  struct Row {
    var label: String
    var metric: String
    var unit: String
    var statistics = Statistics()
    /// Of the single values' uncertainties, as far as they are known; the mean's own may be less.
    var expanded = Statistics()
  }

  /// A job that is not ok.
  struct Problem {
    var job: String
    var outcome: Outcome
  }

  var rows: [Row] = []
  /// Metrics that come with so many different classifiers that they are left out: name and how many.
  var crowded: [(label: String, metric: String, kinds: Int)] = []
  var verdicts: [Verdict.Status?: Int] = [:]
  var problems: [Problem] = []
  /// Problems beyond those that are kept.
  var moreProblems = 0
  /// Workloads beyond those that are listed.
  var moreWorkloads = 0

  private static let maximumKinds = 8
  private static let maximumProblems = 20
  private static let maximumWorkloads = 50

  /// Collects the figures of a run; takes memory for its metrics' names, not for its jobs.
  public init(_ run: RunReader) throws {
    verdicts = try run.verdictCounts()
    var groups = Groups()
    try run.forEachJob { job in
      let isGood = job.outcome?.verdict == .ok || job.outcome?.verdict == .partial
      if let outcome = job.outcome, outcome.verdict != .ok, outcome.verdict != .skipped {
        if problems.count < Self.maximumProblems {
          let spec = try run.spec(job.spec)
          problems.append(
            Problem(job: "\(spec.id) \(spec.label), iteration \(job.iteration)", outcome: outcome))
        } else {
          moreProblems += 1
        }
      }
      guard isGood, let attempt = try run.lastAttempt(ofJob: job.position),
        groups.takes(spec: job.spec)
      else { return }
      for metric in try run.metrics(ofAttempt: attempt.id) { groups.add(metric, spec: job.spec) }
    }
    try list(groups, run)
  }

  /// Figures by spec, in the order first seen.
  private struct Groups {
    struct Key: Hashable {
      var spec: Int
      var metric: String
      var unit: String
    }

    struct Kind {
      var classifiers: [String: String]
      var statistics = Statistics()
      var expanded = Statistics()

      mutating func add(_ number: Double, _ uncertainty: Double?) {
        statistics.add(number)
        // k = 2, as everywhere for people.
        if let uncertainty, uncertainty.isFinite { expanded.add(2 * uncertainty) }
      }
    }

    var order: [Key] = []
    /// By classifiers; a list, since few differ.
    var kinds: [Key: [Kind]] = [:]
    var specs: Set<Int> = []
    var dropped: Set<Int> = []

    mutating func takes(spec: Int) -> Bool {
      if specs.contains(spec) { return true }
      guard specs.count < SummaryTable.maximumWorkloads else {
        dropped.insert(spec)
        return false
      }
      specs.insert(spec)
      return true
    }

    mutating func add(_ metric: Metric, spec: Int) {
      guard let number = metric.value.double, number.isFinite else { return }
      let key = Key(spec: spec, metric: metric.name, unit: metric.unit)
      var list = kinds[key] ?? []
      if list.isEmpty { order.append(key) }
      if let index = list.firstIndex(where: { $0.classifiers == metric.classifiers }) {
        list[index].add(number, metric.uncertainty)
      } else if list.count <= SummaryTable.maximumKinds {
        var kind = Kind(classifiers: metric.classifiers)
        kind.add(number, metric.uncertainty)
        list.append(kind)
      }
      kinds[key] = list
    }
  }

  private mutating func list(_ groups: Groups, _ run: RunReader) throws {
    moreWorkloads = groups.dropped.count
    var names: [Int: String] = [:]
    for spec in groups.specs { names[spec] = try run.spec(spec).label.oneLine }
    let labels = Dictionary(names.map { ($0.value, 1) }, uniquingKeysWith: +)
    for (spec, label) in names where labels[label, default: 0] > 1 {
      names[spec] = "\(label) (\(try run.spec(spec).id.oneLine))"
    }
    for key in groups.order {
      let label = names[key.spec] ?? ""
      let kinds = groups.kinds[key] ?? []
      if kinds.count > Self.maximumKinds {
        crowded.append((label, key.metric, kinds.count))
        continue
      }
      for kind in kinds {
        let suffix = kind.classifiers.sorted { $0.key < $1.key }
          .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        let metric = suffix.isEmpty ? key.metric : "\(key.metric) {\(suffix)}"
        rows.append(
          Row(
            label: label, metric: metric.oneLine, unit: key.unit.oneLine,
            statistics: kind.statistics, expanded: kind.expanded))
      }
    }
  }

  /// Counts of verdicts in words: `4: 3 ok, 1 failed`.
  static func counts(_ verdicts: [Verdict.Status?: Int]) -> String {
    let total = verdicts.values.reduce(0, +)
    var parts = Verdict.Status.allCases.compactMap { status in
      verdicts[status].map { "\($0) \(status.rawValue)" }
    }
    if let open = verdicts[nil] { parts.append("\(open) not ended") }
    return parts.isEmpty ? "\(total)" : "\(total): " + parts.joined(separator: ", ")
  }
}
