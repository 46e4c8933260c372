public import KelvinModel

/// A plan as JSON for programs, documented in docs/agenda.md.
///
/// `version` grows when a member changes its meaning or goes away; new members may come without.
public enum PlanJSON {
  public static let format = "kelvin-plan"
  public static let version = 1

  /// The whole document.
  ///
  /// - Parameters:
  ///   - plan: nil when mistakes left none; then `settings`, `specs` and `jobs` are null.
  ///   - diagnostics: what was found while reading.
  public static func render(_ plan: Plan?, diagnostics: [Diagnostic] = []) -> String {
    var text = ""
    render(plan, diagnostics: diagnostics, to: &text)
    return text
  }

  /// Writes the document piece by piece, for plans of millions of jobs.
  public static func render(
    _ plan: Plan?, diagnostics: [Diagnostic] = [], to output: inout some TextOutputStream
  ) {
    output.write("{\"format\":\"\(format)\",\"version\":\(version),\n\"diagnostics\":")
    writeList(diagnostics, to: &output) { json(diagnostic: $0) }
    guard let plan else {
      output.write(",\n\"settings\":null,\"specs\":null,\"jobs\":null}\n")
      return
    }
    output.write(",\n\"settings\":" + json(settings: plan.settings))
    output.write(",\n\"specs\":")
    writeList(plan.specs, to: &output) { json(spec: $0) }
    output.write(",\n\"jobs\":")
    writeList(plan.jobs, to: &output) { job in
      var text = "{\"spec\":\(job.spec),\"id\":"
      Value.writeJSON(plan.specs[job.spec].id, to: &text)
      return text + ",\"iteration\":\(job.iteration)}"
    }
    output.write("}\n")
  }

  private static func writeList<Element>(
    _ elements: [Element], to output: inout some TextOutputStream,
    _ json: (Element) -> String
  ) {
    output.write("[")
    for (index, element) in elements.enumerated() {
      output.write((index == 0 ? "\n" : ",\n") + json(element))
    }
    output.write("]")
  }

  private static func json(diagnostic: Diagnostic) -> String {
    var members = place(diagnostic.location)
    members["severity"] = .text(diagnostic.severity.rawValue)
    members["message"] = .text(diagnostic.message)
    members["hint"] = .text(diagnostic.hint)
    return Value.map(members).json
  }

  private static func json(settings: RunSettings) -> String {
    var members: [String: Value] = [:]
    for (name, value) in settings.values { members[name] = value }
    members["augmentations"] = .map(settings.augmentations.mapValues(Value.map))
    members["provenance"] = provenance(settings.provenance)
    return Value.map(members).json
  }

  private static func json(spec: JobSpec) -> String {
    var timeouts: [String: Value] = [:]
    for (stage, seconds) in spec.timeouts.values { timeouts[stage] = .number(seconds) }
    return Value.map([
      "id": .text(spec.id),
      "label": .text(spec.label),
      "workload": .text(spec.workload),
      "iterations": .integer(Int64(spec.iterations)),
      "params": .map(spec.parameters),
      "runtime_params": .list(
        spec.runtimeParameters.map { ["name": .text($0.name), "value": $0.value] }),
      "classifiers": .map(spec.classifiers.mapValues(Value.text)),
      "augmentations": .list(spec.augmentations.map(Value.text)),
      "timeouts": .map(timeouts),
      "cleanup_assets": .boolean(spec.cleanupAssets),
      "link": link(spec.detached),
      "deploy": spec.deployment.map(deploy) ?? .null,
      "provenance": provenance(spec.provenance)
    ]).json
  }

  private static func link(_ detached: DetachedLink?) -> Value {
    guard let detached else { return ["state": "attached"] }
    var map: [String: Value] = ["state": "detached", "settle": .number(detached.settle)]
    map["seconds"] = detached.seconds.map(Value.number)
    return .map(map)
  }

  private static func deploy(_ deployment: Deployment) -> Value {
    .map(Dictionary(deployment.values.map { ($0.key, .text($0.value)) }) { _, last in last })
  }

  private static func provenance(_ places: [String: SourceLocation]) -> Value {
    .map(places.mapValues { .map(place($0)) })
  }

  private static func place(_ location: SourceLocation) -> [String: Value] {
    [
      "file": .text(location.file), "line": .integer(Int64(location.line)),
      "column": .integer(Int64(location.column))
    ]
  }
}
