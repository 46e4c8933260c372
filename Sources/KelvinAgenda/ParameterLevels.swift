internal import KelvinModel

/// Parameters that workload entries inherit: defaults, config sources, sections. Each is validated
/// once for each workload that meets it, not once for each spec.
struct ParameterLevels {
  /// Values with where they were written, by keys of provenance.
  struct Resolved {
    var values: [String: Value]
    var places: [String: SourceLocation] = [:]
    /// Options that are written, right or wrong.
    var written: Set<String> = []
  }

  private let outline: Outline
  /// Defaults and config, by position of the workload's declaration.
  private var configs: [Int: Resolved] = [:]
  /// By section and declaration.
  private var sections: [SectionKey: Resolved] = [:]

  private struct SectionKey: Hashable {
    var section: Int
    var declaration: Int
  }

  init(outline: Outline) { self.outline = outline }

  /// What an entry of this workload inherits in this combination of sections.
  mutating func inherited(
    _ declaration: Int, _ leaf: [Int], _ checker: inout ValueChecker,
    _ keys: inout ProvenanceKeys
  ) -> Resolved {
    var result = config(declaration, &checker, &keys)
    for index in leaf where !outline.sections[index].layer.parameters.isEmpty {
      result.overlay(section(index, declaration, &checker, &keys))
    }
    return result
  }

  private mutating func config(
    _ index: Int, _ checker: inout ValueChecker, _ keys: inout ProvenanceKeys
  ) -> Resolved {
    if let known = configs[index] { return known }
    let declaration = checker.declarations.workloads[index]
    var result = Resolved(values: checker.declarations.workloadDefaults[index])
    for config in outline.configs {
      result.overlay(
        ParameterLevels.resolve(config.layer.parameters, declaration, &checker, &keys))
      guard let specific = config.specific[index] else { continue }
      result.overlay(
        ParameterLevels.resolved(specific.values, specific.entries, declaration, &keys))
    }
    configs[index] = result
    return result
  }

  private mutating func section(
    _ section: Int, _ index: Int, _ checker: inout ValueChecker, _ keys: inout ProvenanceKeys
  ) -> Resolved {
    let key = SectionKey(section: section, declaration: index)
    if let known = sections[key] { return known }
    let result = ParameterLevels.resolve(
      outline.sections[section].layer.parameters, checker.declarations.workloads[index], &checker,
      &keys)
    sections[key] = result
    return result
  }

  private static func resolve(
    _ entries: [LocatedValue.Entry], _ declaration: Declaration, _ checker: inout ValueChecker,
    _ keys: inout ProvenanceKeys
  ) -> Resolved {
    guard let first = entries.first else { return Resolved(values: [:]) }
    let values = checker.settings(entries, of: declaration, at: first.keyLocation)
    return resolved(values, entries, declaration, &keys)
  }

  private static func resolved(
    _ values: [String: Value], _ entries: [LocatedValue.Entry], _ declaration: Declaration,
    _ keys: inout ProvenanceKeys
  ) -> Resolved {
    let written = declaration.options.filter { option in
      entries.contains { option.isNamed($0.key) }
    }
    return Resolved(
      values: values, places: places(entries, values, declaration, &keys),
      written: Set(written.map(\.name)))
  }

  /// Where values were written.
  static func places(
    _ entries: [LocatedValue.Entry], _ values: [String: Value], _ declaration: Declaration,
    _ keys: inout ProvenanceKeys
  ) -> [String: SourceLocation] {
    guard !values.isEmpty else { return [:] }
    var places: [String: SourceLocation] = [:]
    for entry in entries {
      guard let name = declaration.options.first(where: { $0.isNamed(entry.key) })?.name,
        values[name] != nil
      else { continue }
      places[keys["params", name]] = entry.keyLocation
    }
    return places
  }
}

extension ParameterLevels.Resolved {
  mutating func overlay(_ other: ParameterLevels.Resolved) {
    if !other.values.isEmpty { values.merge(other.values) { _, new in new } }
    if !other.places.isEmpty { places.merge(other.places) { _, new in new } }
    if !other.written.isEmpty { written.formUnion(other.written) }
  }
}
