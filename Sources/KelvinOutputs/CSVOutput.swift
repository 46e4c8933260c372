internal import Glibc
public import KelvinModel
public import KelvinStore
internal import Synchronization

/// Writes results.csv: one line a metric, with the columns of Workload Automation and the attempt.
public final class CSVOutput: OutputProcessor {
  public static let declaration = Declaration(
    .output, "csv",
    summary: "results.csv: one line a metric, for spreadsheets and scripts",
    description: """
      Columns: id, workload (the label), iteration, attempt, metric, any classifiers asked for, \
      value, units, uncertainty (standard, in the same unit; empty where nobody knows it). Lines end \
      as RFC 4180 wants; lines of jobs are added while the run goes on, and the file is written anew \
      at its end. Metrics of the run as a whole have no id, iteration and attempt, and the run's \
      name as workload.
      """,
    options: [
      OptionDeclaration(
        "attempts", .choice(["last", "all"]), default: "last",
        "Whose metrics are listed: those of each job's last attempt, or of all its attempts."),
      OptionDeclaration(
        "use_all_classifiers", .boolean, default: false,
        "Adds a column for every classifier that any metric has; written at the end of the run only."
      ),
      OptionDeclaration(
        "extra_columns", .list(.text), default: [],
        "Classifiers to add as columns; not together with use_all_classifiers.")
    ])

  private static let fileName = "results.csv"
  private let allAttempts: Bool
  private let allClassifiers: Bool
  private let extraColumns: [String]
  /// Whether this process has written the file, so that lines can be appended to it.
  private let hasBegun = Atomic<Bool>(false)

  public init(settings: [String: Value]) throws {
    allAttempts = settings["attempts"]?.text == "all"
    allClassifiers = settings["use_all_classifiers"]?.boolean ?? false
    extraColumns = settings["extra_columns"]?.list?.compactMap(\.text) ?? []
    guard !allClassifiers || extraColumns.isEmpty else {
      throw PlainFailure(
        .configuration, "csv: use_all_classifiers and extra_columns are set both",
        hint: "remove one of them")
    }
  }

  public func process(job: JobRecord, in run: RunReader, to directory: String) throws {
    guard !allClassifiers else { return }
    // What an earlier life left may end in the middle of a line, so the first call starts afresh.
    if !hasBegun.exchange(true, ordering: .relaxed) {
      try write(run, to: directory)
      return
    }
    let path = directory + "/" + Self.fileName
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputFailure(writing: path, error: errno) }
    defer { close(descriptor) }
    try writeAll(try lines(of: job, in: run, columns: extraColumns), to: descriptor, path: path)
  }

  public func process(run: RunReader, to directory: String) throws -> [Artifact] {
    try write(run, to: directory)
    return [artifact(Self.fileName, "all metrics as comma-separated values")]
  }

  private func write(_ run: RunReader, to directory: String) throws {
    let columns = allClassifiers ? try classifiers(in: run) : extraColumns
    let file = try ExportFile(path: directory + "/" + Self.fileName)
    try file.write(
      Self.line(
        ["id", "workload", "iteration", "attempt", "metric"] + columns + [
          "value", "units", "uncertainty"
        ]))
    try run.forEachJob { job in
      try file.write(try lines(of: job, in: run, columns: columns))
    }
    let name = try run.run().record.name
    for metric in try run.runMetrics() {
      try file.write(Self.line(["", name, "", ""] + Self.fields(of: metric, [:], columns)))
    }
    try file.commit()
  }

  /// All classifiers that any listed metric has, sorted.
  private func classifiers(in run: RunReader) throws -> [String] {
    var names: Set<String> = []
    try run.forEachJob { job in
      let shared = try run.spec(job.spec).classifiers
      for attempt in try attempts(of: job, in: run) {
        let metrics = try run.metrics(ofAttempt: attempt.id)
        if !metrics.isEmpty { names.formUnion(shared.keys) }
        for metric in metrics where !metric.classifiers.isEmpty {
          names.formUnion(metric.classifiers.keys)
        }
      }
    }
    for metric in try run.runMetrics() { names.formUnion(metric.classifiers.keys) }
    return names.sorted()
  }

  private func attempts(of job: JobRecord, in run: RunReader) throws -> [AttemptRecord] {
    if job.attempts == 0 { return [] }
    if allAttempts { return try run.attempts(ofJob: job.position) }
    return try run.lastAttempt(ofJob: job.position).map { [$0] } ?? []
  }

  private func lines(
    of job: JobRecord, in run: RunReader, columns: [String]
  ) throws -> String {
    var text = ""
    for attempt in try attempts(of: job, in: run) {
      let metrics = try run.metrics(ofAttempt: attempt.id)
      guard !metrics.isEmpty else { continue }
      let spec = try run.spec(job.spec)
      let start = [spec.id, spec.label, String(job.iteration), String(attempt.number)]
      for metric in metrics {
        text += Self.line(start + Self.fields(of: metric, spec.classifiers, columns))
      }
    }
    return text
  }

  private static func fields(
    of metric: Metric, _ shared: [String: String], _ columns: [String]
  ) -> [String] {
    [metric.name] + columns.map { metric.classifiers[$0] ?? shared[$0] ?? "" }
      + [metric.value.text, metric.unit, metric.uncertainty.map { "\($0)" } ?? ""]
  }

  private static func line(_ fields: [String]) -> String {
    fields.map(quoted).joined(separator: ",") + "\r\n"
  }

  /// A field as RFC 4180 wants it.
  private static func quoted(_ field: String) -> String {
    // Bytes, since CR LF is one character to Swift.
    let isPlain = field.utf8.allSatisfy { byte in
      byte != UInt8(ascii: ",") && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\n")
        && byte != UInt8(ascii: "\r")
    }
    return isPlain ? field : "\"" + field.replacing("\"", with: "\"\"") + "\""
  }
}
