/// What the command line says about an agenda: which files to read and what to make of them.
public struct AgendaRequest: Sendable {
  public var agendaPath: String
  /// Files given with `-c`; a later one wins over an earlier one, the agenda over all.
  public var configPaths: [String]
  /// The user's config files that exist, lowest precedence first. Mistakes in one that belongs to
  /// WA (in `.workload_automation` or $WA_USER_DIRECTORY) are warnings, since that file also serves
  /// WA.
  public var userConfigPaths: [String]
  /// Ids of specs, workload entries or sections (`-i`); nothing else is planned. Empty: everything.
  public var onlyIDs: [String]
  /// Augmentations to leave out (`--disable`); `~~` leaves out all.
  public var disabled: [String]
  /// Wins over the agenda's `seed`; nil: the agenda's, or one drawn from the system.
  public var seed: UInt64?
  /// Enabled unless a file disables them.
  public var defaultAugmentations: [String]
  public var limits: Limits
  /// Whether the jobs run on this machine, which is never rebooted.
  public var isLocalTarget: Bool

  /// Bounds on what input may cost; each says so when it bites.
  public struct Limits: Sendable, Hashable {
    public var bytesPerFile: Int
    /// Values in all files together, counted after aliases and includes are expanded.
    public var values: Int
    /// Levels of lists and maps within each other.
    public var nesting: Int
    /// Files that include each other in a chain.
    public var includeDepth: Int
    public var specs: Int
    public var jobs: Int

    /// Creates limits.
    public init(
      bytesPerFile: Int = 16 << 20, values: Int = 2_000_000, nesting: Int = 200,
      includeDepth: Int = 32, specs: Int = 100_000, jobs: Int = 10_000_000
    ) {
      self.bytesPerFile = bytesPerFile
      self.values = values
      self.nesting = nesting
      self.includeDepth = includeDepth
      self.specs = specs
      self.jobs = jobs
    }
  }

  /// Creates a request.
  public init(
    agendaPath: String, configPaths: [String] = [], userConfigPaths: [String] = [],
    onlyIDs: [String] = [], disabled: [String] = [], seed: UInt64? = nil,
    defaultAugmentations: [String] = [], limits: Limits = Limits(), isLocalTarget: Bool = true
  ) {
    self.agendaPath = agendaPath
    self.configPaths = configPaths
    self.userConfigPaths = userConfigPaths
    self.onlyIDs = onlyIDs
    self.disabled = disabled
    self.seed = seed
    self.defaultAugmentations = defaultAugmentations
    self.limits = limits
    self.isLocalTarget = isLocalTarget
  }
}
