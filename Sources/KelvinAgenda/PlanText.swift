public import KelvinModel

/// A plan as text for a person: the jobs in order, then each setting and where it came from.
public enum PlanText {
  /// The whole text.
  ///
  /// - Parameter columns: lines are cut to this width, except for places; nil leaves them whole.
  public static func render(_ plan: Plan, columns: Int? = nil) -> String {
    var text = ""
    render(plan, columns: columns, to: &text)
    return text
  }

  /// Writes the text piece by piece, for plans of millions of jobs.
  public static func render(
    _ plan: Plan, columns: Int? = nil, to output: inout some TextOutputStream
  ) {
    let jobs = plan.jobs.count == 1 ? "1 job" : "\(plan.jobs.count) jobs"
    let specs = plan.specs.count == 1 ? "1 spec" : "\(plan.specs.count) specs"
    output.write("\(jobs) of \(specs), \(plan.settings.executionOrder.rawValue)\n\n")
    writeJobs(plan, columns, to: &output)
    output.write("\nRun\n")
    write(runRows(plan.settings), columns, to: &output)
    for spec in plan.specs {
      output.write("\n\(LocatedValue.printable(spec.id)): \(spec.workload)\n")
      write(rows(spec), columns, to: &output)
    }
  }

  // MARK: jobs

  private static func writeJobs(
    _ plan: Plan, _ columns: Int?, to output: inout some TextOutputStream
  ) {
    let specs = plan.specs.map {
      [LocatedValue.printable($0.id), LocatedValue.printable($0.label), $0.workload]
    }
    let titles = ["id", "label", "workload"]
    let widths = titles.indices.map { column in
      specs.reduce(titles[column].count) { max($0, $1[column].count) }
    }
    let numberWidth = max(3, String(plan.jobs.count).count)
    func line(_ number: String, _ cells: [String], _ iteration: String) -> String {
      var line = "  " + padding(number, numberWidth) + number
      for (cell, width) in zip(cells, widths) { line += "  " + cell + padding(cell, width) }
      return cut(line + "  " + iteration, columns) + "\n"
    }
    output.write(line("#", titles, "iteration"))
    for (index, job) in plan.jobs.enumerated() {
      output.write(line(String(index + 1), specs[job.spec], String(job.iteration)))
    }
  }

  // MARK: settings

  private struct Row {
    var name: String
    var value: String
    var place: SourceLocation?
  }

  private static func runRows(_ settings: RunSettings) -> [Row] {
    var rows = settings.values.filter { $0.value != .null }.map { name, value in
      Row(name: name, value: text(value), place: settings.provenance[name])
    }
    for (plugin, options) in settings.augmentations.sorted(by: { $0.key < $1.key }) {
      for (option, value) in options.sorted(by: { $0.key < $1.key }) {
        let name = "\(plugin).\(option)"
        rows.append(Row(name: name, value: text(value), place: settings.provenance[name]))
      }
    }
    return rows
  }

  private static func rows(_ spec: JobSpec) -> [Row] {
    var rows: [Row] = []
    func add(_ name: String, _ value: String) {
      rows.append(Row(name: name, value: value, place: spec.provenance[name]))
    }
    add("label", spec.label)
    add("iterations", String(spec.iterations))
    for (name, value) in spec.parameters.sorted(by: { $0.key < $1.key }) {
      add("params.\(name)", text(value))
    }
    for setting in spec.runtimeParameters {
      add("runtime_params.\(setting.name)", text(setting.value))
    }
    for (name, value) in spec.classifiers.sorted(by: { $0.key < $1.key }) {
      add("classifiers.\(name)", value)
    }
    for name in spec.augmentations { add("augmentations.\(name)", "enabled") }
    for (name, seconds) in spec.timeouts.values {
      add("timeouts.\(name)", text(.number(seconds)) + " s")
    }
    add("cleanup_assets", String(spec.cleanupAssets))
    add("link", spec.detached.map(text) ?? "attached")
    for (key, value) in spec.deployment?.values ?? [] { add("deploy.\(key)", value) }
    return rows
  }

  private static func text(_ link: DetachedLink) -> String {
    let back = link.seconds.map { "back after \(text(.number($0))) s" } ?? "back at the end"
    return "detached, \(back), settle \(text(.number(link.settle))) s"
  }

  private static func write(
    _ rows: [Row], _ columns: Int?, to output: inout some TextOutputStream
  ) {
    let shown = rows.map { row in
      (
        name: LocatedValue.printable(row.name), value: LocatedValue.printable(row.value),
        place: row.place.map { LocatedValue.printable($0.description) } ?? "default"
      )
    }
    let nameWidth = shown.reduce(0) { max($0, $1.name.count) }
    let placeWidth = shown.reduce(0) { max($0, $1.place.count) }
    let valueLimit = columns.map { max(12, $0 - nameWidth - placeWidth - 6) } ?? 60
    let valueWidth = min(valueLimit, shown.reduce(0) { max($0, $1.value.count) })
    for row in shown {
      let value = columns == nil ? row.value : cut(row.value, valueLimit)
      output.write(
        "  \(row.name)\(padding(row.name, nameWidth))  \(value)\(padding(value, valueWidth))  "
          + "\(row.place)\n")
    }
  }

  private static func text(_ value: Value) -> String {
    if case .number(let number) = value, number == number.rounded(), abs(number) < 1e15 {
      return String(Int64(number))
    }
    return value.display
  }

  private static func padding(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count))
  }

  private static func cut(_ text: String, _ width: Int?) -> String {
    guard let width, text.count > width else { return text }
    return String(text.prefix(max(0, width - 3))) + "..."
  }
}

extension RunSettings {
  /// The settings of the run itself by their keys in an agenda, in the order of documentation;
  /// null for what is not set.
  var values: [(name: String, value: Value)] {
    [
      ("execution_order", .text(executionOrder.rawValue)),
      ("seed", Int64(exactly: seed).map(Value.integer) ?? .text(String(seed))),
      ("reboot_policy", .text(rebootPolicy.rawValue)),
      ("retry_on_status", .list(retryOnStatus.map { .text($0.rawValue) })),
      ("max_retries", .integer(Int64(maxRetries))),
      ("bail_on_init_failure", .boolean(bailOnInitFailure)),
      ("bail_on_job_failure", .boolean(bailOnJobFailure)),
      ("quarantine", quarantine.map { .text($0.description) } ?? "off"),
      ("health_check", healthCheck.map { .text($0.description) } ?? .null),
      ("run_name", runName.map(Value.text) ?? .null),
      ("project", project.map(Value.text) ?? .null),
      ("project_stage", projectStage.map(Value.text) ?? .null)
    ]
  }
}

extension StageTimeouts {
  /// Seconds by stage, in the order of the life cycle.
  var values: [(name: String, seconds: Double)] {
    [("setup", setup), ("run", run), ("extract", extract), ("teardown", teardown)]
  }
}
