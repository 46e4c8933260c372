internal import KelvinModel

/// Where in an agenda a key may stand.
enum AgendaLevel: String {
  case config, section
  case workload = "workload entry"
}

/// A setting of jobs; its raw value is the key's first name.
enum JobKey: String, CaseIterable {
  case id, group, workloads, name, params, label, iterations, classifiers, augmentations, link,
    deploy, flash
  case runtimeParameters = "runtime_params"
  case bootParameters = "boot_params"
  case cleanupAssets = "cleanup_assets"
  case setupTimeout = "setup_timeout"
  case runTimeout = "run_timeout"
  case extractTimeout = "extract_timeout"
  case teardownTimeout = "teardown_timeout"

  /// The key's other names, all of WA's.
  var aliases: [String] {
    switch self {
    case .name: ["workload_name"]
    case .params: ["workload_params", "parameters", "workload_parameters"]
    case .runtimeParameters: ["runtime_parameters"]
    case .bootParameters: ["boot_parameters"]
    case .cleanupAssets: ["clean_up"]
    case .augmentations:
      [
        "instruments", "processors", "instrumentation", "output_processors", "augment",
        "result_processors"
      ]
    default: []
    }
  }

  func isAllowed(at level: AgendaLevel) -> Bool {
    switch self {
    case .id: level != .config
    case .group, .workloads: level == .section
    case .name: level == .workload
    default: true
    }
  }

  /// The key with this name at this level, nil when there is none.
  ///
  /// In a section `params` means `runtime_params`, as in WA.
  static func named(_ key: String, at level: AgendaLevel) -> JobKey? {
    if level == .section, key == "params" { return .runtimeParameters }
    guard let found = byName[key], found.isAllowed(at: level) else { return nil }
    return found
  }

  /// All names at this level.
  static func names(at level: AgendaLevel) -> [String] {
    allCases.filter { $0.isAllowed(at: level) }.flatMap { [$0.rawValue] + $0.aliases }
  }

  static let byName: [String: JobKey] = Dictionary(
    uniqueKeysWithValues: allCases.flatMap { key in
      ([key.rawValue] + key.aliases).map { ($0, key) }
    })
}
