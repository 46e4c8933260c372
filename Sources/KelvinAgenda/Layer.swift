internal import KelvinModel

/// What one scope (global, a section, a workload entry) says about specs, as written and checked in
/// itself.
struct Layer {
  enum Scope: String { case global = "config", section, workload }

  var scope: Scope
  var location: SourceLocation
  var id: String?
  var idLocation: SourceLocation?
  var group: String?
  var label: Located<String>?
  var iterations: Located<Int>?
  var workload: Located<String>?
  var parameters: [LocatedValue.Entry] = []
  var runtimeParameters: [LocatedValue.Entry] = []
  var classifiers: [LocatedValue.Entry] = []
  var augmentations: [Located<String>] = []
  var timeouts: [String: Located<Double>] = [:]
  var cleanupAssets: Located<Bool>?
  /// Of a section: its own workloads.
  var workloads: [LocatedValue] = []

  struct Located<Value> {
    var value: Value
    var location: SourceLocation
  }

  init(_ scope: Scope, at location: SourceLocation) {
    self.scope = scope
    self.location = location
  }

  // MARK: Keys

  static let augmentationKeys = [
    "augmentations", "instruments", "processors", "instrumentation", "output_processors",
    "augment", "result_processors"
  ]
  static let runtimeKeys = ["runtime_parameters", "runtime_params"]
  static let parameterKeys = [
    "workload_parameters", "workload_params", "params", "parameters"
  ]
  static let timeoutKeys = ["setup_timeout", "run_timeout", "extract_timeout", "teardown_timeout"]

  /// The keys of a scope, for the nearest name.
  static func keys(_ scope: Scope) -> [String] {
    let common =
      ["iterations", "label", "classifiers", "cleanup_assets"] + augmentationKeys + runtimeKeys
      + parameterKeys + timeoutKeys
    switch scope {
    case .global: return common
    case .section: return ["id", "group", "workloads"] + common
    case .workload: return ["id", "name", "workload_name"] + common
    }
  }

  /// Takes an entry over.
  ///
  /// - Returns: false when the key is none of this scope's.
  mutating func take(_ entry: LocatedValue.Entry, into diagnostics: inout [Diagnostic]) -> Bool {
    let value = entry.value
    let name = "\(scope.rawValue): \(entry.key)"
    func checked(_ type: OptionType, range: ClosedRange<Double>? = nil) -> Value? {
      type.validate(value, as: name, range: range, into: &diagnostics)
    }
    switch entry.key {
    case "id" where scope != .global:
      guard let text = checked(.text)?.text else { return true }
      if text == "global" || text.contains("-") || text.isEmpty {
        diagnostics.append(
          Diagnostic(
            at: value.location, "\(name): '\(text)' is not allowed",
            hint: "an id holds no '-' and is not 'global'"))
      }
      id = text
      idLocation = value.location
    case "group" where scope == .section: group = checked(.text)?.text
    case "workloads" where scope == .section:
      guard let list = value.list else {
        diagnostics.append(
          Diagnostic(
            at: value.location,
            "section: workloads: expected a list, found \(value.shortDescription)"))
        return true
      }
      workloads = list
    case "name" where scope == .workload, "workload_name" where scope == .workload:
      guard let text = checked(.text)?.text else { return true }
      workload = Located(value: text, location: value.location)
    case "label":
      guard let text = checked(.text)?.text else { return true }
      label = Located(value: text, location: value.location)
    case "iterations":
      guard let number = checked(.integer, range: 1...1e7)?.integer else { return true }
      iterations = Located(value: Int(number), location: value.location)
    case "classifiers":
      guard let map = value.map else {
        if !value.isNull {
          diagnostics.append(
            Diagnostic(
              at: value.location, "\(name): expected a map, found \(value.shortDescription)"))
        }
        return true
      }
      classifiers += map
    case "cleanup_assets":
      guard let flag = checked(.boolean)?.boolean else { return true }
      cleanupAssets = Located(value: flag, location: value.location)
    case "boot_params", "boot_parameters", "flash":
      diagnostics.append(
        Diagnostic(
          .warning, at: entry.keyLocation, "\(name): nothing uses it yet, so it is left out"))
    case let key where Layer.augmentationKeys.contains(key):
      takeAugmentations(value, name, &diagnostics)
    case let key where Layer.runtimeKeys.contains(key) || (scope == .section && key == "params"):
      runtimeParameters += map(value, name, &diagnostics)
    case let key where Layer.parameterKeys.contains(key):
      parameters += map(value, name, &diagnostics)
    case let key where Layer.timeoutKeys.contains(key):
      guard
        let seconds = checked(.quantity(.time, bare: "s"), range: 1e-3...1e9)?.number
      else { return true }
      timeouts[String(key.dropLast(8))] = Located(value: seconds, location: value.location)
    default: return false
    }
    return true
  }

  private func map(
    _ value: LocatedValue, _ name: String, _ diagnostics: inout [Diagnostic]
  ) -> [LocatedValue.Entry] {
    if value.isNull { return [] }
    if let map = value.map { return map }
    diagnostics.append(
      Diagnostic(at: value.location, "\(name): expected a map, found \(value.shortDescription)"))
    return []
  }

  private mutating func takeAugmentations(
    _ value: LocatedValue, _ name: String, _ diagnostics: inout [Diagnostic]
  ) {
    if value.isNull { return }
    for element in value.list ?? [value] {
      guard let scalar = element.scalar, !scalar.text.isEmpty else {
        diagnostics.append(
          Diagnostic(
            at: element.location, "\(name): expected a name, found \(element.shortDescription)"))
        continue
      }
      augmentations.append(Located(value: scalar.text, location: element.location))
    }
  }
}
