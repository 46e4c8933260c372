/// What the command line says about an agenda.
public struct AgendaRequest: Sendable {
  public var agendaPath: String
  /// Given by `-c`; later ones win.
  public var configPaths: [String]
  /// The user's own files that exist, weakest first; weaker than ``configPaths``.
  public var userConfigPaths: [String]
  /// Only these specs; empty means all.
  public var onlyIDs: [String]
  /// Augmentations that are off whatever the agenda says.
  public var disabled: [String]
  /// Of the random order; drawn when nil.
  public var seed: UInt64?
  /// What is on when no global setting lists augmentations.
  public var defaultAugmentations: [String]
  public var limits: YAMLLimits

  /// Creates a request.
  public init(
    agendaPath: String, configPaths: [String] = [], userConfigPaths: [String] = [],
    onlyIDs: [String] = [], disabled: [String] = [], seed: UInt64? = nil,
    defaultAugmentations: [String] = [], limits: YAMLLimits = .init()
  ) {
    self.agendaPath = agendaPath
    self.configPaths = configPaths
    self.userConfigPaths = userConfigPaths
    self.onlyIDs = onlyIDs
    self.disabled = disabled
    self.seed = seed
    self.defaultAugmentations = defaultAugmentations
    self.limits = limits
  }
}
