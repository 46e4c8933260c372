public import KelvinModel
public import KelvinStore

/// Writes junit.xml: one test case a job, for CI systems.
public struct JUnitOutput: OutputProcessor {
  public static let declaration = Declaration(
    .output, "junit",
    summary: "junit.xml: one test case a job, for Jenkins, GitLab and other CI systems",
    description: """
      Valid by Jenkins' junit-10 schema. A job that failed by its workload is a failure; one that \
      failed otherwise, was aborted or is partial is an error; one that never began is skipped. \
      Failed attempts before the last are flaky failures of a job that passed, and reruns of one \
      that did not. Metrics are in the standard output of their test case.
      """)

  private static let fileName = "junit.xml"

  public init(settings: [String: Value]) {}

  public func process(run: RunReader, to directory: String) throws -> [Artifact] {
    let info = try run.run()
    // The counts stand before the cases.
    var counts = Counts()
    var duration: Int64 = 0
    try run.forEachJob { job in
      counts.add(job.outcome)
      if job.attempts > 0 { duration += time(of: try run.attempts(ofJob: job.position)) }
    }
    let file = try ExportFile(path: directory + "/" + Self.fileName)
    let name = escaped(info.record.name)
    let common =
      "name=\"\(name)\" tests=\"\(counts.tests)\" failures=\"\(counts.failures)\" "
      + "errors=\"\(counts.errors)\" time=\"\(seconds(duration))\""
    // Without a zone, as the readers of this format expect; in UTC.
    let created = isoTime(info.record.createdWallNanoseconds).prefix(19)
    try file.write(
      """
      <?xml version="1.0" encoding="UTF-8"?>
      <testsuites \(common)>
      <testsuite \(common) skipped="\(counts.skipped)" timestamp="\(created)" \
      id="\(escaped(info.record.id))">
      <properties>
      <property name="board" value="\(escaped(info.record.board))"/>
      <property name="kelvin_version" value="\(escaped(info.record.kelvinVersion))"/>
      <property name="run_id" value="\(escaped(info.record.id))"/>
      </properties>

      """)
    try run.forEachJob { job in try file.write(try testCase(job, run)) }
    try file.write("</testsuite>\n</testsuites>\n")
    try file.commit()
    return [artifact(Self.fileName, "verdicts as JUnit XML")]
  }

  private struct Counts {
    var tests = 0
    var failures = 0
    var errors = 0
    var skipped = 0

    mutating func add(_ outcome: Outcome?) {
      tests += 1
      switch element(for: outcome) {
      case "failure": failures += 1
      case "error": errors += 1
      case "skipped": skipped += 1
      default: break
      }
    }
  }

  private func testCase(_ job: JobRecord, _ run: RunReader) throws -> String {
    let spec = try run.spec(job.spec)
    let attempts = job.attempts > 0 ? try run.attempts(ofJob: job.position) : []
    var text =
      "<testcase classname=\"\(escaped(spec.label))\" "
      + "name=\"\(escaped(spec.id)) iteration \(job.iteration)\" "
      + "time=\"\(seconds(time(of: attempts)))\""
    var content = ""
    let word = element(for: job.outcome)
    if let word {
      let outcome = job.outcome ?? Outcome(.skipped, "has not ended")
      content +=
        "<\(word) type=\"\(outcome.verdict.text)\" message=\"\(escaped(outcome.reason))\"/>\n"
    }
    let earlier = word == nil ? "flakyFailure" : "rerunFailure"
    for attempt in attempts.dropLast() {
      let outcome = attempt.outcome ?? Outcome(.aborted, "cut off")
      content +=
        "<\(earlier) type=\"\(outcome.verdict.text)\" "
        + "message=\"\(escaped("attempt \(attempt.number): \(outcome.reason)"))\"/>\n"
    }
    if let last = attempts.last {
      let metrics = try run.metrics(ofAttempt: last.id)
      if !metrics.isEmpty {
        content += "<system-out>" + metrics.map(line).joined(separator: "\n") + "</system-out>\n"
      }
    }
    text += content.isEmpty ? "/>\n" : ">\n\(content)</testcase>\n"
    return text
  }

  private func line(_ metric: Metric) -> String {
    let classifiers = metric.classifiers.sorted { $0.key < $1.key }
      .map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    var text = metric.name
    if !classifiers.isEmpty { text += "{\(classifiers)}" }
    text += ": \(metric.value.text)"
    // Expanded, k = 2, as everywhere for people.
    if let uncertainty = metric.uncertainty { text += " ± \(2 * uncertainty)" }
    if !metric.unit.isEmpty { text += " \(metric.unit)" }
    return escaped(text)
  }

  /// What the stages of all attempts took, in nanoseconds.
  private func time(of attempts: [AttemptRecord]) -> Int64 {
    attempts.reduce(0) { sum, attempt in
      let stages = attempt.stages
      return [stages.setup, stages.run, stages.extract, stages.teardown].reduce(sum) { sum, range in
        guard let range else { return sum }
        // A damaged store may hold any times.
        return sum &+ (range.upperBound &- range.lowerBound)
      }
    }
  }

  private func seconds(_ nanoseconds: Int64) -> String {
    fixed(Double(max(0, nanoseconds)) / 1e9, decimals: 3)
  }
}

/// The element that says how a job ended; nil when all is well.
private func element(for outcome: Outcome?) -> String? {
  switch outcome?.verdict {
  case .ok: nil
  case .failed(.workload): "failure"
  case .failed, .partial, .aborted: "error"
  case .skipped, nil: "skipped"
  }
}

/// Text for XML: markup escaped, and U+FFFD for what XML 1.0 cannot hold at all.
private func escaped(_ text: String) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    // In an attribute these would read as spaces.
    case "\n": result += "&#10;"
    case "\t": result += "&#9;"
    case "\r": result += "&#13;"
    case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
