public import KelvinModel

/// A plan for people: the jobs in order, then each spec's settings and where they came from.
public enum PlanText {
  /// Renders the plan; lists the first and last jobs only when there are more than `jobLimit`.
  public static func render(_ plan: Plan, columns: Int, jobLimit: Int = 200) -> String {
    var lines = [
      "\(plan.jobs.count) job(s), \(plan.specs.count) spec(s), order "
        + "\(plan.settings.executionOrder.rawValue), seed \(plan.settings.seed)", ""
    ]
    let width = plan.specs.map(\.id.count).max() ?? 0
    for (index, job) in plan.jobs.enumerated() {
      if index == jobLimit - 1, plan.jobs.count > jobLimit {
        lines.append("    ... \(plan.jobs.count - jobLimit) more ...")
      }
      guard index < jobLimit - 1 || index == plan.jobs.count - 1 else { continue }
      let spec = plan.specs[job.spec]
      let number = String(index + 1)
      let id = spec.id + String(repeating: " ", count: width - spec.id.count)
      lines.append(
        String(repeating: " ", count: max(0, 5 - number.count)) + number
          + "  \(id)  \(spec.label)  iteration \(job.iteration)")
    }
    for spec in plan.specs.prefix(jobLimit) { lines += [""] + self.lines(spec) }
    if plan.specs.count > jobLimit {
      lines += ["", "... \(plan.specs.count - jobLimit) more spec(s)"]
    }
    lines += ["", "run"]
    lines += rows(runSettings(plan.settings))
    return lines.joined(separator: "\n")
  }

  private static func lines(_ spec: JobSpec) -> [String] {
    var settings: [(String, String, SourceLocation?)] = [
      ("workload", spec.workload, nil), ("label", spec.label, spec.provenance["label"]),
      ("iterations", "\(spec.iterations)", spec.provenance["iterations"])
    ]
    for (name, value) in spec.parameters.sorted(by: { $0.key < $1.key }) {
      settings.append(("params.\(name)", value.display, spec.provenance["params.\(name)"]))
    }
    for setting in spec.runtimeParameters {
      settings.append(
        (
          "runtime_params.\(setting.name)", setting.value.display,
          spec.provenance["runtime_params.\(setting.name)"]
        ))
    }
    for (name, value) in spec.classifiers.sorted(by: { $0.key < $1.key }) {
      settings.append(("classifiers.\(name)", value, spec.provenance["classifiers.\(name)"]))
    }
    for name in spec.augmentations {
      settings.append(("augmentation", name, spec.provenance["augmentations.\(name)"]))
    }
    return ["spec \(spec.id)"] + rows(settings)
  }

  private static func runSettings(
    _ settings: RunSettings
  ) -> [(String, String, SourceLocation?)] {
    var rows = [
      ("execution_order", settings.executionOrder.rawValue),
      ("reboot_policy", settings.rebootPolicy.rawValue),
      ("retry_on_status", settings.retryOnStatus.map(\.rawValue).joined(separator: ", ")),
      ("max_retries", "\(settings.maxRetries)"),
      ("bail_on_init_failure", "\(settings.bailOnInitFailure)"),
      ("bail_on_job_failure", "\(settings.bailOnJobFailure)")
    ].map { ($0.0, $0.1, settings.provenance[$0.0]) }
    for (name, values) in settings.augmentations.sorted(by: { $0.key < $1.key }) {
      for (option, value) in values.sorted(by: { $0.key < $1.key }) {
        let key = "\(name).\(option)"
        rows.append((key, value.display, settings.provenance[key]))
      }
    }
    return rows
  }

  private static func rows(_ rows: [(String, String, SourceLocation?)]) -> [String] {
    let width = rows.map(\.0.count).max() ?? 0
    return rows.map { name, value, place in
      let padding = String(repeating: " ", count: width - name.count)
      return "  \(name)\(padding)  \(value)  (\(place.map(\.description) ?? "default"))"
    }
  }
}

/// A plan as JSON, version 1: `version`, `settings`, `specs`, `jobs`; described in docs/agenda.md.
public enum PlanJSON {
  /// Renders the plan.
  public static func render(_ plan: Plan) -> String {
    Value.map([
      "version": 1,
      "settings": .map([
        "execution_order": .text(plan.settings.executionOrder.rawValue),
        "seed": .integer(Int64(clamping: plan.settings.seed)),
        "reboot_policy": .text(plan.settings.rebootPolicy.rawValue),
        "retry_on_status": .list(plan.settings.retryOnStatus.map { .text($0.rawValue) }),
        "max_retries": .integer(Int64(plan.settings.maxRetries)),
        "bail_on_init_failure": .boolean(plan.settings.bailOnInitFailure),
        "bail_on_job_failure": .boolean(plan.settings.bailOnJobFailure),
        "run_name": plan.settings.runName.map(Value.text) ?? .null,
        "augmentations": .map(plan.settings.augmentations.mapValues(Value.map)),
        "provenance": provenance(plan.settings.provenance)
      ]),
      "specs": .list(plan.specs.map(spec)),
      "jobs": .list(
        plan.jobs.map { job in
          .map([
            "id": .text(plan.specs[job.spec].id), "spec": .integer(Int64(job.spec)),
            "label": .text(plan.specs[job.spec].label),
            "iteration": .integer(Int64(job.iteration))
          ])
        })
    ]).json
  }

  private static func spec(_ spec: JobSpec) -> Value {
    .map([
      "id": .text(spec.id), "label": .text(spec.label), "workload": .text(spec.workload),
      "iterations": .integer(Int64(spec.iterations)), "params": .map(spec.parameters),
      "runtime_params": .map(
        Dictionary(spec.runtimeParameters.map { ($0.name, $0.value) }) { _, last in last }),
      "classifiers": .map(spec.classifiers.mapValues(Value.text)),
      "augmentations": .list(spec.augmentations.map(Value.text)),
      "timeouts": .map([
        "setup": .number(spec.timeouts.setup), "run": .number(spec.timeouts.run),
        "extract": .number(spec.timeouts.extract), "teardown": .number(spec.timeouts.teardown)
      ]),
      "cleanup_assets": .boolean(spec.cleanupAssets), "provenance": provenance(spec.provenance)
    ])
  }

  private static func provenance(_ places: [String: SourceLocation]) -> Value {
    .map(places.mapValues { .text($0.description) })
  }
}
