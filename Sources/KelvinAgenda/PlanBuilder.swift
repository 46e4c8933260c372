internal import KelvinModel

/// Merges an outline's levels into specs and puts their iterations in order.
struct PlanBuilder {
  let request: AgendaRequest
  let declarations: Declarations
  let outline: Outline
  let augmentationSettings: [Int: OutlineReader.WrittenSettings]
  var settings: RunSettings
  var checker: ValueChecker

  var keys: ProvenanceKeys
  private var parameters: ParameterLevels
  var specs: [JobSpec] = []
  /// Specs by position of their entry in ``Outline/workloads``.
  private var specsOfWorkload: [[Int]]
  /// Augmentations that some spec enables, and where the first was; nil for a default.
  private var enabled: [Int: SourceLocation?] = [:]
  private var disabled: Set<Int> = []
  private var disablesAll = false
  private var foundIDs: Set<String> = []
  /// Settings that were looked at: many specs have the same.
  private var checkedSettings: Set<[JobSpec.Setting]> = []
  /// The last list of augmentations and its names, which most specs share.
  var checkedDeployments: Set<Deployment> = []
  private var lastAugmentations: (positions: [Int], names: [String]) = ([], [])

  init(_ reader: OutlineReader) {
    request = reader.request
    declarations = reader.declarations
    outline = reader.outline
    augmentationSettings = reader.augmentationSettings
    settings = reader.settings
    checker = reader.checker
    keys = ProvenanceKeys(augmentations: reader.declarations.augmentations)
    parameters = ParameterLevels(outline: reader.outline)
    specsOfWorkload = reader.outline.workloads.map { _ in [] }
  }

  /// The plan; nil when mistakes block it.
  mutating func build() -> Plan? {
    readDisabled()
    let tree = SectionTree(outline.sections)
    guard checkSpecCount(tree) else { return nil }
    buildSpecs(tree)
    checkIDs()
    settleAugmentations()
    checkDeployments()
    settleSeed()
    guard checkJobCount(), !checker.diagnostics.blocksPlan else { return nil }
    let order = JobOrder(
      iterations: specs.map(\.iterations), workloadMajor: specsOfWorkload.flatMap(\.self),
      seed: settings.seed)
    return Plan(settings: settings, specs: specs, jobs: order.jobs(settings.executionOrder))
  }

  // MARK: specs

  private mutating func buildSpecs(_ tree: SectionTree) {
    var base = MergedLevel()
    base.apply(defaultLayer(), keys: &keys)
    for augmentation in base.augmentations {
      base.provenance[keys.augmentation(augmentation)] = nil
    }
    for config in outline.configs { base.apply(config.layer, keys: &keys) }
    var global: [Int] = []
    var own = outline.sections.map { _ in [Int]() }
    for (index, workload) in outline.workloads.enumerated() {
      if let section = workload.section { own[section].append(index) } else { global.append(index) }
    }
    tree.forEachLeaf { leaf in
      let entries = global + leaf.flatMap { own[$0] }
      if !entries.isEmpty { buildSpecs(leaf, entries, base) }
    }
  }

  private mutating func buildSpecs(_ leaf: [Int], _ entries: [Int], _ base: MergedLevel) {
    var level = base
    var prefix = ""
    for index in leaf {
      let section = outline.sections[index]
      level.apply(section.layer, keys: &keys)
      if let group = section.group {
        level.classifiers[group.value] = section.id
        level.provenance[keys["classifiers", group.value]] = group.location
      }
      prefix += section.id + "-"
    }
    for entry in entries {
      let workload = outline.workloads[entry]
      let id = prefix + workload.id
      let inherited = parameters.inherited(
        workload.declaration, leaf, &checker, &keys)
      guard isWanted(id, workload, leaf) else { continue }
      specsOfWorkload[entry].append(specs.count)
      specs.append(spec(id, workload, level, inherited))
    }
  }

  private mutating func spec(
    _ id: String, _ workload: Outline.Workload, _ inheritedLevel: MergedLevel,
    _ inherited: ParameterLevels.Resolved
  ) -> JobSpec {
    let declaration = declarations.workloads[workload.declaration]
    var level = inheritedLevel
    level.apply(workload.layer, keys: &keys)
    if disablesAll || !disabled.isEmpty {
      for index in level.augmentations where disablesAll || disabled.contains(index) {
        level.provenance[keys.augmentation(index)] = nil
      }
      level.augmentations.removeAll { disablesAll || disabled.contains($0) }
    }
    for index in level.augmentations where enabled[index] == nil {
      enabled[index] = .some(level.provenance[keys.augmentation(index)])
    }
    if level.augmentations != lastAugmentations.positions {
      lastAugmentations = (
        level.augmentations, level.augmentations.map { declarations.augmentations[$0].name }
      )
    }
    var values = inherited.values
    if !workload.parameters.isEmpty {
      values.merge(workload.parameters) { _, own in own }
    }
    checker.requireAll(of: declaration, at: workload.location) { option in
      values[option.name] != nil || inherited.written.contains(option.name)
        || workload.layer.parameters.contains { option.isNamed($0.key) }
    }
    checkSettings(level, id: id, at: workload.location)
    checkLink(&level, of: declaration, id: id, at: workload.location)
    let deployment = Deployment(level.deploy)
    checkDeployment(deployment, level, id: id, at: workload.location)
    var provenance = level.provenance
    provenance["workload"] = workload.location
    for (key, place) in inherited.places { provenance[key] = place }
    let written = ParameterLevels.places(
      workload.layer.parameters, workload.parameters, declaration, &keys)
    for (key, place) in written { provenance[key] = place }
    return JobSpec(
      id: id, label: level.label ?? declaration.name, workload: declaration.name,
      parameters: values, runtimeParameters: level.runtimeParameters,
      classifiers: level.classifiers, augmentations: lastAugmentations.names,
      iterations: level.iterations, timeouts: level.timeouts, cleanupAssets: level.cleanupAssets,
      detached: level.detached, deployment: deployment, provenance: provenance)
  }

  /// Contradictions between settings that came together in a spec, each told once.
  private mutating func checkSettings(
    _ level: MergedLevel, id: String, at place: SourceLocation
  ) {
    guard !level.runtimeParameters.isEmpty,
      checkedSettings.insert(level.runtimeParameters).inserted
    else { return }
    for problem in declarations.settings.conflicts(level.runtimeParameters) {
      checker.diagnostics.error(
        level.provenance[keys["runtime_params", problem.setting]] ?? place,
        "spec '\(id)': \(problem.setting): \(problem.message)", hint: problem.hint)
    }
  }

  /// What is enabled unless a file says otherwise.
  private mutating func defaultLayer() -> JobLayer {
    var layer = JobLayer()
    let place = SourceLocation(file: "default augmentations")
    for name in request.defaultAugmentations {
      guard let index = declarations.augmentationIndex[name] else {
        checker.diagnostics.error(place, "unknown augmentation \(LocatedValue.quoted(name))")
        continue
      }
      layer.toggles.append(.init(augmentation: index, isEnabled: true, location: place))
    }
    return layer
  }

  // MARK: the command line

  private mutating func readDisabled() {
    let place = SourceLocation(file: "--disable")
    for name in request.disabled {
      if name == "~~" {
        disablesAll = true
        continue
      }
      let bare = name.hasPrefix("~") ? String(name.dropFirst()) : name
      if let index = declarations.augmentationIndex[bare] {
        disabled.insert(index)
      } else {
        checker.diagnostics.error(
          place, "unknown augmentation \(LocatedValue.quoted(bare))",
          hint: NearestName.hint(for: bare, in: declarations.augmentationIndex.allNames))
      }
    }
  }

  private mutating func isWanted(_ id: String, _ workload: Outline.Workload, _ leaf: [Int]) -> Bool
  {
    guard !request.onlyIDs.isEmpty else { return true }
    var isWanted = false
    for wanted in request.onlyIDs
    where wanted == id || wanted == workload.id
      || leaf.contains(where: { outline.sections[$0].id == wanted })
    {
      foundIDs.insert(wanted)
      isWanted = true
    }
    return isWanted
  }

  private mutating func checkIDs() {
    for id in request.onlyIDs where !foundIDs.contains(id) {
      // An entry with a mistake makes no spec, but its id is no mistake.
      if checker.diagnostics.blocksPlan,
        id.split(separator: "-").allSatisfy({ outline.ids.contains(String($0)) })
      {
        continue
      }
      var known = outline.workloads.map(\.id) + outline.sections.map(\.id)
      if known.count > 12 { known = Array(known.prefix(12)) + ["..."] }
      let nearest = NearestName.of(id, in: outline.workloads.map(\.id))
      checker.diagnostics.error(
        SourceLocation(file: "-i"),
        "no workload entry or spec has the id \(LocatedValue.quoted(id))",
        hint: nearest.map { "did you mean '\($0)'?" } ?? "known: " + known.joined(separator: ", "))
    }
  }

  // MARK: limits and the run's settings

  private mutating func checkSpecCount(_ tree: SectionTree) -> Bool {
    var own = outline.sections.map { _ in 0 }
    var global = 0
    for workload in outline.workloads {
      if let section = workload.section { own[section] += 1 } else { global += 1 }
    }
    let count = tree.specCount(global: global, own: own)
    if let count, count <= request.limits.specs { return true }
    let shown = count.map(String.init) ?? "more than \(Int.max)"
    checker.diagnostics.error(
      SourceLocation(file: request.agendaPath),
      "the agenda makes \(shown) specs, at most \(request.limits.specs) are allowed",
      hint: outline.sections.isEmpty
        ? "use 'iterations' for what repeats" : "sections of different groups multiply")
    return false
  }

  private mutating func checkJobCount() -> Bool {
    var jobs = 0
    for spec in specs {
      // Iterations are at most ten million and specs few, so this cannot overflow.
      jobs += spec.iterations
      guard jobs <= request.limits.jobs else {
        checker.diagnostics.error(
          spec.provenance["iterations"] ?? SourceLocation(file: request.agendaPath),
          "the agenda makes more than \(request.limits.jobs) jobs", hint: "use fewer iterations")
        return false
      }
    }
    return true
  }

  private mutating func settleAugmentations() {
    for (index, declaration) in declarations.augmentations.enumerated() {
      guard enabled[index] != nil || augmentationSettings[index] != nil else { continue }
      let written = augmentationSettings[index] ?? .init()
      if let place = enabled[index] {
        checker.requireAll(
          of: declaration, at: place ?? SourceLocation(file: request.agendaPath)
        ) { written.names.contains($0.name) }
      }
      let values = declaration.options.withDefaults(written.values)
      settings.augmentations[declaration.name] = values
      guard !written.values.isEmpty else { continue }
      checkSettings(values, of: declaration.name, at: enabled[index] ?? nil)
    }
  }

  private mutating func checkSettings(
    _ values: [String: Value], of name: String, at place: SourceLocation?
  ) {
    guard !checker.diagnostics.blocksPlan, let problem = declarations.checkSettings(name, values)
    else { return }
    let option = problem.message.prefix { $0 != ":" }
    checker.diagnostics.error(
      settings.provenance["\(name).\(option)"] ?? place
        ?? SourceLocation(file: request.agendaPath), "\(name): \(problem.message)",
      hint: problem.hint)
  }

  private mutating func settleSeed() {
    if let seed = request.seed {
      settings.seed = seed
      settings.provenance["seed"] = SourceLocation(file: "--seed")
    } else if settings.provenance["seed"] == nil {
      // 53 bits, so that every reader of JSON keeps it exactly.
      settings.seed = UInt64.random(in: 0..<(1 << 53))
    }
  }
}
