public import KelvinModel

/// What exists and may be named in an agenda; passed in by whoever knows built-ins and plug-ins.
///
/// Names are found as WA finds them: case does not count, and `-` and `_` are the same.
public struct Declarations: Sendable {
  public let workloads: [Declaration]
  public let instruments: [Declaration]
  public let outputs: [Declaration]
  /// What may stand under `runtime_params`.
  public let settings: SettingVocabulary
  /// What is wrong with the images of a deployment: files are looked at, no device is.
  public let checkImages: @Sendable (Deployment) -> [Deployment.Problem]
  /// The problem with a regular expression, nil when it is fine.
  public let checkPattern: @Sendable (String) -> String?
  /// What is wrong with an augmentation's settings, each of which is fine by itself; nil when nothing
  /// is. Its message begins with the option's name and a colon.
  public let checkSettings: @Sendable (_ augmentation: String, [String: Value]) -> PlainFailure?

  /// Instruments and outputs, which agendas call augmentations.
  let augmentations: [Declaration]
  let workloadIndex: NameIndex
  let augmentationIndex: NameIndex
  /// Defaults by position in ``workloads``, computed once for all specs.
  let workloadDefaults: [[String: Value]]

  /// Collects what exists.
  ///
  /// - Parameter checkPattern: called for each distinct regular expression that an option holds,
  ///   while reading; gives the problem's text or nil.
  public init(
    workloads: [Declaration], instruments: [Declaration], outputs: [Declaration],
    settings: SettingVocabulary = SettingVocabulary(),
    checkImages: @escaping @Sendable (Deployment) -> [Deployment.Problem] = { _ in [] },
    checkPattern: @escaping @Sendable (String) -> String? = { _ in nil },
    checkSettings: @escaping @Sendable (String, [String: Value]) -> PlainFailure? = { _, _ in nil }
  ) {
    self.workloads = workloads
    self.instruments = instruments
    self.outputs = outputs
    self.settings = settings
    self.checkImages = checkImages
    self.checkPattern = checkPattern
    self.checkSettings = checkSettings
    augmentations = instruments + outputs
    workloadIndex = NameIndex(workloads)
    augmentationIndex = NameIndex(augmentations)
    workloadDefaults = workloads.map { $0.options.withDefaults([:]) }
  }
}

/// Finds declarations by name or alias.
struct NameIndex: Sendable {
  /// Names without aliases, in the order declared, for hints.
  let names: [String]
  private var exact: [String: Int] = [:]
  private var folded: [String: Int] = [:]

  /// Indexes declarations; of two with the same name the first wins.
  init(_ declarations: [Declaration]) {
    names = declarations.map(\.name)
    for (index, declaration) in declarations.enumerated() {
      for name in [declaration.name] + declaration.aliases {
        if exact[name] == nil { exact[name] = index }
        let fold = NameIndex.fold(name)
        if folded[fold] == nil { folded[fold] = index }
      }
    }
  }

  /// The position of the declaration with this name, nil when there is none.
  subscript(name: String) -> Int? { exact[name] ?? folded[NameIndex.fold(name)] }

  /// Names and aliases, for nearest names.
  var allNames: [String] { names + exact.keys.filter { !names.contains($0) }.sorted() }

  static func fold(_ name: String) -> String { name.lowercased().replacing("_", with: "-") }
}
