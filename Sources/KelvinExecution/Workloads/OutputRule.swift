internal import KelvinModel

/// A metric that a pattern finds in a workload's output.
struct MetricPattern: Sendable {
  var name: String
  var pattern: Pattern
  /// Which group holds the value; 0 is the whole match.
  var group: Int
  var unit: String
  var lowerIsBetter: Bool?

  /// Options of one entry of `metrics`.
  static let options: [OptionDeclaration] = [
    OptionDeclaration(
      "pattern", .pattern, aliases: ["regex"], required: true,
      "Regular expression (PCRE2) matched against each line; the last match counts. Its first "
        + "group is the value, or the whole match when it has no group."),
    OptionDeclaration("unit", .text, aliases: ["units"], default: "", "Unit of the value."),
    OptionDeclaration(
      "lower_is_better", .boolean, "Whether smaller values are better; leave it out if neither is.")
  ]

  init(name: String, pattern: Pattern, unit: String = "", lowerIsBetter: Bool? = nil) {
    self.name = name
    self.pattern = pattern
    self.unit = unit
    self.lowerIsBetter = lowerIsBetter
    group = pattern.groupCount > 0 ? 1 : 0
  }

  /// From the validated option `metrics`, sorted by name.
  static func from(_ value: Value?) throws -> [MetricPattern] {
    try (value?.map ?? [:]).sorted { $0.key < $1.key }.map { name, fields in
      MetricPattern(
        name: name, pattern: try Pattern(fields.map?["pattern"]?.text ?? ""),
        unit: fields.map?["unit"]?.text ?? "",
        lowerIsBetter: fields.map?["lower_is_better"]?.boolean)
    }
  }

  func metric(_ bytes: UnsafeRawBufferPointer, source: String) -> Metric {
    let text = String(decoding: bytes, as: UTF8.self)
    let value: MetricValue =
      if let integer = Int64(text) {
        .integer(integer)
      } else if let number = Double(text), number.isFinite { .number(number) } else { .text(text) }
    return Metric(name, value, unit: unit, lowerIsBetter: lowerIsBetter, source: source)
  }
}

/// What a workload's own output is judged by: metrics, and patterns for pass and fail. One pass over
/// the lines of each file.
struct OutputScan {
  var metrics: [MetricPattern] = []
  var pass: [Pattern] = []
  var fail: [Pattern] = []

  /// What one pass found.
  struct Findings {
    /// In the order of the patterns; nil where nothing matched.
    var metrics: [Metric?]
    /// Pass patterns that no line matched.
    var missing: [String]
    /// The first line that a fail pattern matched.
    var failing: (pattern: String, line: String)?
    var cutLines = 0
  }

  var isEmpty: Bool { metrics.isEmpty && pass.isEmpty && fail.isEmpty }

  /// Scans files in the given order; a file that is not there has no lines.
  func run(over paths: [String], source: String) throws -> Findings {
    var findings = Findings(
      metrics: [Metric?](repeating: nil, count: metrics.count), missing: [], failing: nil)
    var passed = [Bool](repeating: false, count: pass.count)
    for path in paths {
      findings.cutLines += try LineReader.forEachLine(in: path) { line in
        for (index, rule) in metrics.enumerated() {
          if let range = try rule.pattern.firstMatch(in: line, group: rule.group) {
            findings.metrics[index] = rule.metric(
              UnsafeRawBufferPointer(rebasing: line[range]), source: source)
          }
        }
        for (index, pattern) in pass.enumerated() where !passed[index] {
          passed[index] = try pattern.firstMatch(in: line, group: 0) != nil
        }
        guard findings.failing == nil else { return }
        for pattern in fail where try pattern.firstMatch(in: line, group: 0) != nil {
          findings.failing = (
            pattern.source, String(decoding: line.prefix(300), as: UTF8.self)
          )
          return
        }
      }
    }
    findings.missing = zip(pass, passed).filter { !$1 }.map(\.0.source)
    return findings
  }
}
