internal import KelvinModel

/// Turns located values into an outline, and the run's settings; every mistake is collected.
struct OutlineReader {
  let request: AgendaRequest
  let declarations: Declarations
  var checker: ValueChecker
  var outline = Outline()
  var settings = RunSettings()
  /// By position in ``Declarations/augmentations``.
  var augmentationSettings: [Int: WrittenSettings] = [:]
  /// The last `device` and whether WA's own config file said it.
  var device: (name: Located<String>, isLenient: Bool)?
  /// The last `device_config`.
  var deviceConfig: LocatedValue.Entry?

  /// Settings of one augmentation.
  struct WrittenSettings {
    /// Validated.
    var values: [String: Value] = [:]
    /// Options that are written, right or wrong.
    var names: Set<String> = []
  }

  init(_ request: AgendaRequest, _ declarations: Declarations) {
    self.request = request
    self.declarations = declarations
    checker = ValueChecker(declarations)
  }

  /// Reads a whole config file.
  mutating func readConfigFile(_ root: LocatedValue) {
    guard !root.isNull else { return }
    guard let entries = root.map else {
      checker.diagnostics.error(
        root.location, "a config file must be a map, not \(root.shortDescription)",
        hint: "write 'KEY: VALUE' lines such as 'iterations: 5'")
      return
    }
    readConfig(entries, isAgenda: false)
  }

  /// Reads the agenda itself.
  mutating func readAgenda(_ root: LocatedValue) {
    let example =
      declarations.workloads.first { $0.name == "idle" }?.name
      ?? declarations.workloads.first?.name ?? "NAME"
    guard !root.isNull else {
      checker.diagnostics.error(
        SourceLocation(file: root.location.file), "the agenda is empty",
        hint: "write for example 'workloads: [\(example)]'")
      return
    }
    guard let entries = root.map else {
      checker.diagnostics.error(
        root.location, "an agenda must be a map, not \(root.shortDescription)",
        hint: "write for example 'workloads: [\(example)]'")
      return
    }
    var sections: [LocatedValue] = []
    var workloads: [LocatedValue] = []
    for entry in entries {
      switch entry.key {
      case "config", "global":
        guard !entry.value.isNull else { continue }
        guard let config = entry.value.map else {
          refuse(entry, "a map of settings")
          continue
        }
        readConfig(config, isAgenda: true)
      case "sections": sections = list(entry, of: "sections")
      case "workloads": workloads = list(entry, of: "workload names or maps")
      default: refuseTopLevelKey(entry)
      }
    }
    readEntries(sections: sections, workloads: workloads)
    if outline.workloads.isEmpty, !checker.diagnostics.blocksPlan {
      checker.diagnostics.error(
        SourceLocation(file: root.location.file), "the agenda lists no workloads",
        hint: "write for example 'workloads: [\(example)]'")
    }
  }

  private mutating func list(_ entry: LocatedValue.Entry, of what: String) -> [LocatedValue] {
    if entry.value.isNull { return [] }
    guard let list = entry.value.list else {
      refuse(entry, "a list of \(what)")
      return []
    }
    return list
  }

  /// Says what a key's value should have been.
  mutating func refuse(_ entry: LocatedValue.Entry, _ expected: String) {
    checker.diagnostics.error(
      entry.value.location,
      "'\(entry.key)': expected \(expected), found \(entry.value.shortDescription)")
  }

  private mutating func refuseTopLevelKey(_ entry: LocatedValue.Entry) {
    let known = ["config", "sections", "workloads", "global", YAMLDocument.includeKey]
    let hint: String
    if let nearest = NearestName.of(entry.key, in: known) {
      hint = "did you mean '\(nearest)'?"
    } else if isConfigKey(entry.key) {
      hint = "it belongs under 'config:'"
    } else if declarations.workloadIndex[entry.key] != nil {
      hint = "list it under 'workloads:'"
    } else {
      hint = "known: config, sections, workloads"
    }
    checker.diagnostics.error(
      entry.keyLocation, "unknown top-level key \(LocatedValue.quoted(entry.key))", hint: hint)
  }

  func isConfigKey(_ key: String) -> Bool {
    AgendaKeys.runByName[key] != nil || JobKey.named(key, at: .config) != nil
      || LegacyKey.unused[key] != nil
      || ["device", "device_config", "allow_phone_home"].contains(key)
      || declarations.augmentationIndex[key] != nil
  }
}
