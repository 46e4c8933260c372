internal import KelvinModel

/// The settings of jobs after some levels were merged: later over earlier.
struct MergedLevel {
  var iterations = 1
  var label: String?
  var runtimeParameters: [JobSpec.Setting] = []
  var classifiers: [String: String] = [:]
  /// Positions of enabled augmentations in the order enabled.
  var augmentations: [Int] = []
  var timeouts = StageTimeouts()
  var cleanupAssets = false
  var detached: DetachedLink?
  /// By the keys of `deploy`.
  var deploy: [String: Value] = [:]
  var provenance: [String: SourceLocation] = [:]

  /// Merges a level over this.
  mutating func apply(_ layer: JobLayer, keys: inout ProvenanceKeys) {
    if let written = layer.iterations {
      iterations = written.value
      provenance["iterations"] = written.location
    }
    if let written = layer.label {
      label = written.value
      provenance["label"] = written.location
    }
    applyRuntimeParameters(layer.runtimeParameters, keys: &keys)
    for classifier in layer.classifiers {
      classifiers[classifier.key] = MergedLevel.text(classifier.value)
      provenance[keys["classifiers", classifier.key]] = classifier.keyLocation
    }
    for timeout in layer.timeouts { apply(timeout) }
    if let written = layer.cleanupAssets {
      cleanupAssets = written.value
      provenance["cleanup_assets"] = written.location
    }
    if let written = layer.link {
      detached = written.value
      provenance["link"] = written.location
    }
    applyDeploy(layer, keys: &keys)
    apply(layer.toggles, dropsInherited: layer.dropsInherited, keys: &keys)
  }

  /// One set again keeps its place in the order.
  private mutating func applyRuntimeParameters(
    _ parameters: [Located<JobSpec.Setting>], keys: inout ProvenanceKeys
  ) {
    guard !parameters.isEmpty else { return }
    var positions: [String: Int] = [:]
    for (index, setting) in runtimeParameters.enumerated() { positions[setting.name] = index }
    for parameter in parameters {
      let setting = parameter.value
      if let index = positions[setting.name] {
        runtimeParameters[index] = setting
      } else {
        runtimeParameters.append(setting)
      }
      provenance[keys["runtime_params", setting.name]] = parameter.location
    }
  }

  private mutating func applyDeploy(_ layer: JobLayer, keys: inout ProvenanceKeys) {
    if let place = layer.deploysNothing {
      for key in deploy.keys { provenance[keys["deploy", key]] = nil }
      deploy = [:]
      provenance["deploy"] = place
    }
    for written in layer.deploy {
      deploy[written.value.name] = written.value.value
      provenance[keys["deploy", written.value.name]] = written.location
      provenance["deploy"] = nil
    }
  }

  private mutating func apply(
    _ toggles: [JobLayer.Toggle], dropsInherited: Bool, keys: inout ProvenanceKeys
  ) {
    if dropsInherited {
      for index in augmentations { provenance[keys.augmentation(index)] = nil }
      augmentations = []
    }
    for toggle in toggles {
      let position = augmentations.firstIndex(of: toggle.augmentation)
      if toggle.isEnabled {
        if position == nil { augmentations.append(toggle.augmentation) }
        provenance[keys.augmentation(toggle.augmentation)] = toggle.location
      } else if let position {
        augmentations.remove(at: position)
        provenance[keys.augmentation(toggle.augmentation)] = nil
      }
    }
  }

  private mutating func apply(_ timeout: JobLayer.Timeout) {
    switch timeout.key {
    case .setupTimeout:
      timeouts.setup = timeout.seconds
      provenance["timeouts.setup"] = timeout.location
    case .runTimeout:
      timeouts.run = timeout.seconds
      provenance["timeouts.run"] = timeout.location
    case .extractTimeout:
      timeouts.extract = timeout.seconds
      provenance["timeouts.extract"] = timeout.location
    case .teardownTimeout:
      timeouts.teardown = timeout.seconds
      provenance["timeouts.teardown"] = timeout.location
    default: break
    }
  }

  /// A classifier's value as text: scalars as written, nothing as empty, others as JSON.
  static func text(_ value: LocatedValue) -> String {
    guard let scalar = value.scalar else { return value.untyped.json }
    return scalar.isNull ? "" : scalar.text
  }
}

/// Keys of provenance, made once: thousands of specs share them.
struct ProvenanceKeys {
  private let augmentations: [String]
  private var made: [String: [String: String]] = [:]

  init(augmentations: [Declaration]) {
    self.augmentations = augmentations.map { "augmentations.\($0.name)" }
  }

  func augmentation(_ index: Int) -> String { augmentations[index] }

  /// `kind.name`.
  subscript(kind: String, name: String) -> String {
    mutating get {
      if let key = made[kind]?[name] { return key }
      let key = "\(kind).\(name)"
      made[kind, default: [:]][name] = key
      return key
    }
  }
}
