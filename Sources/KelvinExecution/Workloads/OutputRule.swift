internal import KelvinModel
internal import KelvinPatterns

/// A metric that a pattern finds in a workload's output.
struct MetricPattern: Sendable {
  var name: String
  var pattern: Pattern
  /// Which group holds the value; 0 is the whole match.
  var group: Int
  var unit: String
  var lowerIsBetter: Bool?
  var stream: Stream

  /// Where the workload printed it.
  enum Stream: String, CaseIterable, Sendable {
    case stdout, stderr, both

    func includes(_ other: Stream) -> Bool { self == .both || self == other }
  }

  /// What a metric of text holds at most, in bytes.
  static let textLimit = 1000

  /// Options of one entry of `metrics`.
  static let options: [OptionDeclaration] = [
    OptionDeclaration(
      "pattern", .pattern, aliases: ["regex"], required: true,
      "Regular expression (PCRE2) matched against each line; the last match counts."),
    OptionDeclaration(
      "group", .integer, range: 0...99,
      "The group that holds the value, 0 for the whole match; default: the first, if there is one."),
    OptionDeclaration(
      "stream", .choice(Stream.allCases.map(\.rawValue)), default: "both",
      "Which of the workload's streams is searched."),
    OptionDeclaration("unit", .text, aliases: ["units"], default: "", "Unit of the value."),
    OptionDeclaration(
      "lower_is_better", .boolean, "Whether smaller values are better; leave it out if neither is.")
  ]

  init(
    name: String, pattern: Pattern, group: Int? = nil, unit: String = "",
    lowerIsBetter: Bool? = nil, stream: Stream = .both
  ) {
    self.name = name
    self.pattern = pattern
    self.unit = unit
    self.lowerIsBetter = lowerIsBetter
    self.stream = stream
    self.group = group ?? min(1, pattern.groupCount)
  }

  /// From the validated option `metrics`, sorted by name.
  static func from(_ value: Value?) throws -> [MetricPattern] {
    try (value?.map ?? [:]).sorted { $0.key < $1.key }.map { name, value in
      let fields = value.map ?? [:]
      let pattern = try Pattern(fields["pattern"]?.text ?? "")
      let group = fields["group"]?.integer.map(Int.init)
      if let group, group > pattern.groupCount {
        throw PlainFailure(
          .configuration,
          "metric '\(name)': its pattern '\(pattern.source)' has no group \(group)",
          hint: "it has \(pattern.groupCount); 0 is the whole match")
      }
      return MetricPattern(
        name: name, pattern: pattern, group: group, unit: fields["unit"]?.text ?? "",
        lowerIsBetter: fields["lower_is_better"]?.boolean,
        stream: fields["stream"]?.text.flatMap(Stream.init) ?? .both)
    }
  }

  func metric(_ bytes: UnsafeRawBufferPointer, source: String) -> Metric {
    let text = String(decoding: bytes.prefix(MetricPattern.textLimit), as: UTF8.self)
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

  /// Scans what the workload printed; a file that is not there has no lines.
  ///
  /// - Throws: ``Pattern/LimitFailure``, a failure of kind timeout when the deadline passes, or when
  ///   a file cannot be read.
  func run(
    standardOutput: String, standardError: String, source: String, until deadline: Deadline
  ) throws -> Findings {
    var findings = Findings(
      metrics: [Metric?](repeating: nil, count: metrics.count), missing: [], failing: nil)
    var passed = [Bool](repeating: false, count: pass.count)
    var lines = 0
    for (path, stream) in [
      (standardOutput, MetricPattern.Stream.stdout), (standardError, .stderr)
    ] {
      let searched = metrics.indices.filter { metrics[$0].stream.includes(stream) }
      findings.cutLines += try LineReader.forEachLine(in: path) { line in
        lines += 1
        if lines % 64 == 0, deadline.hasPassed {
          throw PlainFailure(
            .timeout, "\(source): the stage's time was over at line \(lines) of its output",
            hint: "raise extract_timeout, or write simpler patterns")
        }
        for index in searched {
          let rule = metrics[index]
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
          findings.failing = (pattern.source, Tail.printable(line.prefix(300)))
          return
        }
      }
    }
    findings.missing = zip(pass, passed).filter { !$1 }.map(\.0.source)
    return findings
  }
}
