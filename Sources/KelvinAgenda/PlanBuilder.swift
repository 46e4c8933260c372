internal import KelvinModel

/// Turns files into a plan; collects every mistake on the way.
struct PlanBuilder {
  let request: AgendaRequest
  let declarations: Declarations
  var files: SourceFiles
  private var own: [Diagnostic] = []
  /// One mistake of a workload entry shows up in every section that it is combined with.
  private var seen: Set<Diagnostic> = []

  var global = Layer(.global, at: SourceLocation(file: ""))
  var settings = SettingsBuilder()
  var sections: [Layer] = []
  var workloads: [Layer] = []

  init(_ request: AgendaRequest, _ declarations: Declarations) {
    self.request = request
    self.declarations = declarations
    files = SourceFiles(limits: request.limits)
  }

  /// In the order of files, each file's in the order of lines.
  var diagnostics: [Diagnostic] { files.diagnostics + own }

  mutating func report(_ diagnostic: Diagnostic) {
    if seen.insert(diagnostic).inserted { own.append(diagnostic) }
  }

  mutating func collect(_ diagnostics: [Diagnostic]) {
    for diagnostic in diagnostics { report(diagnostic) }
  }

  // MARK: Reading

  mutating func build() -> Plan? {
    settings = SettingsBuilder(declarations: declarations)
    for path in request.userConfigPaths {
      if let value = files.load(path) { takeConfiguration(value, isUsers: true) }
    }
    for path in request.configPaths {
      if let value = files.load(path) { takeConfiguration(value, isUsers: false) }
    }
    let before = files.diagnostics.count
    guard let agenda = files.load(request.agendaPath), !agenda.isNull else {
      if files.diagnostics.count == before {
        report(
          Diagnostic(
            at: SourceLocation(file: request.agendaPath), "the agenda is empty",
            hint: "an agenda holds at least: workloads: [{name: command, params: {argv: [ls]}}]"))
      }
      return nil
    }
    guard let top = agenda.map else {
      report(
        Diagnostic(
          at: agenda.location, "expected a map with 'workloads', found \(agenda.shortDescription)"))
      return nil
    }
    takeTop(top, at: agenda.location)
    guard !workloads.isEmpty || sections.contains(where: { !$0.workloads.isEmpty }) else {
      if !top.contains(where: { $0.key == "workloads" }) {
        report(
          Diagnostic(
            at: SourceLocation(file: request.agendaPath), "'workloads' is missing",
            hint: "list at least one: workloads: [{name: idle}]"))
      }
      return nil
    }
    return plan()
  }

  private mutating func takeTop(_ entries: [LocatedValue.Entry], at location: SourceLocation) {
    for entry in entries {
      switch entry.key {
      case "config", "global":
        if !entry.value.isNull { takeConfiguration(entry.value, isUsers: false) }
      case "sections":
        for value in list(entry) {
          if let layer = layer(.section, value) { sections.append(layer) }
        }
      case "workloads":
        for value in list(entry) {
          if let layer = layer(.workload, value) { workloads.append(layer) }
        }
        if list(entry).isEmpty {
          report(
            Diagnostic(
              at: entry.keyLocation, "'workloads' lists nothing",
              hint: "list at least one: workloads: [{name: idle}]"))
        }
      default:
        report(
          Diagnostic(
            at: entry.keyLocation, "agenda: unknown key '\(entry.key)'",
            hint: NearestName.hint(
              for: entry.key, in: ["config", "global", "sections", "workloads", "include#"])))
      }
    }
  }

  private mutating func list(_ entry: LocatedValue.Entry) -> [LocatedValue] {
    if let list = entry.value.list { return list }
    if !entry.value.isNull {
      report(
        Diagnostic(
          at: entry.value.location,
          "\(entry.key): expected a list, found \(entry.value.shortDescription)"))
    }
    return []
  }

  private mutating func takeConfiguration(_ value: LocatedValue, isUsers: Bool) {
    guard let entries = value.map else {
      if !value.isNull {
        report(
          Diagnostic(
            at: value.location, "config: expected a map, found \(value.shortDescription)"))
      }
      return
    }
    for entry in entries {
      var found: [Diagnostic] = []
      if !global.take(entry, into: &found) {
        settings.take(entry, isUsers: isUsers, into: &found)
      }
      collect(found)
    }
  }

  private mutating func layer(_ scope: Layer.Scope, _ value: LocatedValue) -> Layer? {
    var layer = Layer(scope, at: value.location)
    if scope == .workload, let scalar = value.scalar, !scalar.isNull {
      layer.workload = .init(value: scalar.text, location: value.location)
      return layer
    }
    guard let entries = value.map else {
      report(
        Diagnostic(
          at: value.location,
          "\(scope.rawValue): expected a map, found \(value.shortDescription)"))
      return nil
    }
    for entry in entries {
      var found: [Diagnostic] = []
      if !layer.take(entry, into: &found) {
        let isAugmentation = settings.declaration(named: entry.key) != nil
        found.append(
          Diagnostic(
            at: entry.keyLocation, "\(scope.rawValue): unknown key '\(entry.key)'",
            hint: isAugmentation
              ? "settings of instruments and outputs stand in 'config'"
              : NearestName.hint(for: entry.key, in: Layer.keys(scope))))
      }
      collect(found)
    }
    if scope == .workload, layer.workload == nil, global.workload == nil {
      report(Diagnostic(at: value.location, "workload: 'name' is missing"))
      return nil
    }
    return layer
  }

  /// Reads a section's own workloads.
  mutating func workloadLayers(of section: Layer) -> [Layer] {
    var layers: [Layer] = []
    for value in section.workloads {
      if let layer = layer(.workload, value) { layers.append(layer) }
    }
    return layers
  }
}
