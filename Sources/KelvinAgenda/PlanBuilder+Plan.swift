internal import KelvinModel

extension PlanBuilder {
  /// More jobs than this are refused.
  private static let jobLimit = 10_000_000

  /// Combines global settings, sections and workloads to specs, and arranges the jobs.
  mutating func plan() -> Plan? {
    nameLayers()
    var specs: [JobSpec] = []
    var sectionNumbers: [Int] = []
    var workloadNumbers: [Int] = []
    for (number, combination) in sectionCombinations().enumerated() {
      var entries = workloads
      for section in combination { entries += workloadLayers(of: section) }
      for index in entries.indices where entries[index].id == nil {
        entries[index].id = "wk\(index + 1)"
      }
      for (index, workload) in entries.enumerated() {
        guard let spec = spec([global] + combination + [workload]) else { continue }
        specs.append(spec)
        sectionNumbers.append(number)
        workloadNumbers.append(index)
      }
    }
    select(&specs, &sectionNumbers, &workloadNumbers)
    let count = specs.reduce(0) { $0 &+ $1.iterations }
    guard count <= PlanBuilder.jobLimit else {
      report(
        Diagnostic(
          at: SourceLocation(file: request.agendaPath),
          "\(count) jobs, more than the \(PlanBuilder.jobLimit) of one run",
          hint: "lower 'iterations', or split the agenda"))
      return nil
    }
    let seed = request.seed ?? settings.seed ?? UInt64.random(in: 0...UInt64(Int64.max))
    var found: [Diagnostic] = []
    var enabled: [String] = []
    var known: Set<String> = []
    for spec in specs {
      for name in spec.augmentations where known.insert(name).inserted { enabled.append(name) }
    }
    let run = settings.finish(enabled: enabled, seed: seed, into: &found)
    collect(found)
    guard !specs.isEmpty else { return nil }
    return Plan(
      settings: run, specs: specs,
      jobs: run.executionOrder.arrange(
        iterations: specs.map(\.iterations), sections: sectionNumbers,
        workloads: workloadNumbers, seed: seed))
  }

  // MARK: Ids and sections

  private mutating func nameLayers() {
    sections = named(sections, prefix: "s")
    workloads = named(workloads, prefix: "wk")
  }

  private mutating func named(_ unnamed: [Layer], prefix: String) -> [Layer] {
    var layers = unnamed
    var places: [String: SourceLocation] = [:]
    for layer in layers {
      guard let id = layer.id, let place = layer.idLocation else { continue }
      if let earlier = places[id] {
        report(
          Diagnostic(
            at: place, "\(layer.scope.rawValue): id '\(id)' is taken, first at \(earlier)"))
      } else {
        places[id] = place
      }
    }
    var number = 0
    for index in layers.indices where layers[index].id == nil {
      number = max(number, index)
      repeat { number += 1 } while places["\(prefix)\(number)"] != nil
      layers[index].id = "\(prefix)\(number)"
    }
    return layers
  }

  /// Sections of one group are alternatives; groups multiply. Without sections: one empty
  /// combination.
  private func sectionCombinations() -> [[Layer]] {
    var groups: [(name: String?, sections: [Layer])] = []
    for section in sections {
      if let place = groups.firstIndex(where: { $0.name == section.group }) {
        groups[place].sections.append(section)
      } else {
        groups.append((section.group, [section]))
      }
    }
    return groups.reduce([[]]) { combinations, group in
      combinations.flatMap { combination in group.sections.map { combination + [$0] } }
    }
  }

  // MARK: Specs

  /// Folds the layers: later ones win.
  private mutating func spec(_ layers: [Layer]) -> JobSpec? {
    guard let named = layers.last(where: { $0.workload != nil })?.workload else { return nil }
    guard
      let declaration = declarations.workloads.first(where: {
        $0.name == named.value || $0.aliases.contains(named.value)
      })
    else {
      report(
        Diagnostic(
          at: named.location, "workload '\(named.value)': unknown",
          hint: NearestName.hint(for: named.value, in: declarations.workloads.map(\.name))))
      return nil
    }
    let id = layers.dropFirst().compactMap(\.id).joined(separator: "-")
    var spec = JobSpec(id: id, label: declaration.name, workload: declaration.name)
    var parameters: [LocatedValue.Entry] = []
    var augmentations = request.defaultAugmentations
    if !global.augmentations.isEmpty { augmentations = [] }
    for layer in layers {
      if let label = layer.label {
        spec.label = label.value
        spec.provenance["label"] = label.location
      }
      if let iterations = layer.iterations {
        spec.iterations = iterations.value
        spec.provenance["iterations"] = iterations.location
      }
      if let cleanup = layer.cleanupAssets {
        spec.cleanupAssets = cleanup.value
        spec.provenance["cleanup_assets"] = cleanup.location
      }
      for (stage, seconds) in layer.timeouts {
        spec.timeouts.set(stage, seconds.value)
        spec.provenance["timeouts.\(stage)"] = seconds.location
      }
      if let group = layer.group { spec.classifiers[group] = layer.id }
      for entry in layer.classifiers {
        guard let text = entry.value.scalar?.text else {
          report(
            Diagnostic(
              at: entry.value.location,
              "classifiers: \(entry.key): expected text, found \(entry.value.shortDescription)"))
          continue
        }
        spec.classifiers[entry.key] = text
        spec.provenance["classifiers.\(entry.key)"] = entry.value.location
      }
      for entry in layer.runtimeParameters { setRuntime(entry, &spec) }
      for entry in layer.parameters {
        let option = declaration.options.first { $0.isNamed(entry.key) }
        parameters.removeAll { $0.key == entry.key || option?.isNamed($0.key) == true }
        parameters.append(entry)
      }
      toggle(layer.augmentations, &augmentations, &spec)
    }
    for entry in parameters {
      let name = declaration.options.first { $0.isNamed(entry.key) }?.name ?? entry.key
      spec.provenance["params.\(name)"] = entry.value.location
    }
    var found: [Diagnostic] = []
    let values = declaration.options.validate(
      parameters, as: "workload '\(declaration.name)'", at: named.location, into: &found)
    checkPatterns(declaration.options, parameters, "workload '\(declaration.name)'", &found)
    collect(found)
    spec.parameters = values ?? [:]
    spec.augmentations = augmentations.filter { name in
      settings.declaration(named: name) != nil && !disabledNames.contains(name)
    }
    return spec
  }

  private mutating func setRuntime(_ entry: LocatedValue.Entry, _ spec: inout JobSpec) {
    spec.runtimeParameters.removeAll { $0.name == entry.key }
    spec.runtimeParameters.append(.init(entry.key, entry.value.untyped))
    spec.provenance["runtime_params.\(entry.key)"] = entry.value.location
    report(
      Diagnostic(
        at: entry.keyLocation,
        "runtime parameter '\(entry.key)': this version cannot configure devices yet",
        hint: "remove it"))
  }

  // MARK: Augmentations

  /// `name` switches on, `~name` off, `~~` drops all that was inherited.
  private mutating func toggle(
    _ written: [Layer.Located<String>], _ names: inout [String], _ spec: inout JobSpec
  ) {
    for toggle in written {
      if toggle.value == "~~" {
        names = []
        continue
      }
      let isOff = toggle.value.hasPrefix("~")
      let word = isOff ? String(toggle.value.dropFirst()) : toggle.value
      guard let name = settings.declaration(named: word)?.name else {
        report(
          Diagnostic(
            at: toggle.location, "augmentation '\(word)': unknown instrument or output",
            hint: NearestName.hint(for: word, in: declarations.augmentationNames)))
        continue
      }
      if isOff {
        names.removeAll { $0 == name }
      } else if !names.contains(name) {
        names.append(name)
      }
      spec.provenance["augmentations.\(name)"] = toggle.location
    }
  }

  private var disabledNames: Set<String> {
    Set(request.disabled.map { settings.declaration(named: $0)?.name ?? $0 })
  }

  // MARK: Patterns

  private func checkPatterns(
    _ options: [OptionDeclaration], _ entries: [LocatedValue.Entry], _ name: String,
    _ diagnostics: inout [Diagnostic]
  ) {
    for entry in entries {
      guard let option = options.first(where: { $0.isNamed(entry.key) }) else { continue }
      checkPatterns(option.type, entry.value, "\(name): \(option.name)", &diagnostics)
    }
  }

  private func checkPatterns(
    _ type: OptionType, _ value: LocatedValue, _ name: String, _ diagnostics: inout [Diagnostic]
  ) {
    switch type {
    case .pattern:
      guard let text = value.scalar?.text, let problem = declarations.checkPattern(text) else {
        return
      }
      diagnostics.append(
        Diagnostic(at: value.location, "\(name): '\(text)' is no regular expression: \(problem)"))
    case .list(let element):
      for item in value.list ?? [value] { checkPatterns(element, item, name, &diagnostics) }
    case .map(let element):
      for entry in value.map ?? [] {
        checkPatterns(element, entry.value, "\(name): \(entry.key)", &diagnostics)
      }
    case .structure(let fields, let shorthand):
      if let map = value.map {
        checkPatterns(fields, map, name, &diagnostics)
      } else if let field = fields.first(where: { $0.name == shorthand }) {
        checkPatterns(field.type, value, name, &diagnostics)
      }
    default: break
    }
  }

  // MARK: Command line

  /// Applies `-i` and `--disable`.
  private mutating func select(
    _ specs: inout [JobSpec], _ sections: inout [Int], _ workloads: inout [Int]
  ) {
    for name in request.disabled where settings.declaration(named: name) == nil {
      report(
        Diagnostic(
          at: SourceLocation(file: "--disable"), "'\(name)': unknown instrument or output",
          hint: NearestName.hint(for: name, in: declarations.augmentationNames)))
    }
    guard !request.onlyIDs.isEmpty else { return }
    func matches(_ spec: JobSpec, _ id: String) -> Bool {
      spec.id == id || spec.id.hasSuffix("-" + id) || spec.id.hasPrefix(id + "-")
    }
    for id in request.onlyIDs where !specs.contains(where: { matches($0, id) }) {
      report(
        Diagnostic(
          at: SourceLocation(file: "-i"), "'\(id)': no spec has this id",
          hint: NearestName.hint(for: id, in: specs.map(\.id))))
    }
    let keep = specs.indices.filter { index in
      request.onlyIDs.contains { matches(specs[index], $0) }
    }
    specs = keep.map { specs[$0] }
    sections = keep.map { sections[$0] }
    workloads = keep.map { workloads[$0] }
  }
}

extension StageTimeouts {
  mutating func set(_ stage: String, _ seconds: Double) {
    switch stage {
    case "setup": setup = seconds
    case "run": run = seconds
    case "extract": extract = seconds
    default: teardown = seconds
    }
  }
}
