/// What is true of every board of a kind: its CPUs, its prompts, its quirks
/// (`hardware/boards/NAME.yaml`).
///
/// What a running board says of itself wins over its profile.
public struct BoardProfile: Sendable, Hashable {
  /// What bench files call it: the file's name without `.yaml`.
  public var name: String
  /// The product's name, as people say it.
  public var title: String
  public var platform: Platform
  /// As `uname -m` prints it; nil for profiles that fit boards of any kind.
  public var architecture: String?
  /// In the order written; empty for profiles that fit boards of any kind.
  public var clusters: [CPUCluster]
  /// The baud rate of its first console; nil when it differs or has no meaning.
  public var consoleBaud: Int?
  public var bootLoader: BootLoader?
  public var login: Login?
  /// A regular expression that the shell's prompt matches at the end of what was printed.
  public var shellPrompt: String?
  /// Names of the settings that can be changed on it; empty when they differ from board to board.
  public var settings: [String]
  /// What brings such a board back; nil: ``RecoveryLadder/standard``. A board's own comes before it.
  public var recovery: RecoveryLadder?
  /// What surprises people: one sentence or two each.
  public var quirks: [String]
  public var notes: [String]
  /// How images get onto boards of this kind, where a bench file does not say.
  public var deploy: DeployWays
  /// What the profile has been checked on, when that is less than such a board.
  public var verified: String?
  /// Where the profile stands.
  public var location: SourceLocation

  /// What runs on it.
  public enum Platform: String, Sendable, CaseIterable {
    case linux, android
    /// Nothing but a boot loader.
    case bootLoader = "boot-loader"
  }

  /// Creates a profile.
  public init(
    name: String, title: String, platform: Platform, architecture: String? = nil,
    clusters: [CPUCluster] = [], consoleBaud: Int? = nil, bootLoader: BootLoader? = nil,
    login: Login? = nil, shellPrompt: String? = nil, settings: [String] = [],
    recovery: RecoveryLadder? = nil, quirks: [String] = [], notes: [String] = [],
    deploy: DeployWays = DeployWays(),
    verified: String? = nil, location: SourceLocation
  ) {
    self.name = name
    self.title = title
    self.platform = platform
    self.architecture = architecture
    self.clusters = clusters
    self.consoleBaud = consoleBaud
    self.bootLoader = bootLoader
    self.login = login
    self.shellPrompt = shellPrompt
    self.settings = settings
    self.recovery = recovery
    self.quirks = quirks
    self.notes = notes
    self.deploy = deploy
    self.verified = verified
    self.location = location
  }

  /// Every CPU, in ascending order.
  public var cpus: [Int] { clusters.flatMap(\.cpus).sorted() }

  /// The cluster that a CPU belongs to.
  public func cluster(of cpu: Int) -> CPUCluster? { clusters.first { $0.cpus.contains(cpu) } }
}

/// CPUs of one kind that change their frequency together.
public struct CPUCluster: Sendable, Hashable {
  /// `LITTLE`, `big`; differs within a board.
  public var name: String
  /// The core's kind, such as `cortex-a55`; nil when nobody says.
  public var kind: String?
  /// In ascending order, as the kernel numbers them.
  public var cpus: [Int]
  /// As the kernel's `cpu_capacity`: 1,024 for the fastest core at its highest frequency.
  public var capacity: Int?
  /// In ascending order; empty when they depend on the firmware or nobody says.
  public var frequenciesInHertz: [Double]
  /// The lowest and the highest frequency, also where the steps between are not known.
  public var frequencyRangeInHertz: ClosedRange<Double>?

  /// Creates a cluster.
  public init(
    name: String, kind: String? = nil, cpus: [Int], capacity: Int? = nil,
    frequenciesInHertz: [Double] = [], frequencyRangeInHertz: ClosedRange<Double>? = nil
  ) {
    self.name = name
    self.kind = kind
    self.cpus = cpus
    self.capacity = capacity
    self.frequenciesInHertz = frequenciesInHertz
    self.frequencyRangeInHertz = frequencyRangeInHertz
  }
}

/// How a board's boot loader shows itself on the console.
public struct BootLoader: Sendable, Hashable {
  /// `U-Boot`.
  public var name: String
  /// A regular expression that its prompt matches.
  public var prompt: String?
  /// A regular expression for the line that invites a key; nil: it does not stop for one.
  public var stopAt: String?
  /// What to send then.
  public var stopWith: String?

  /// Creates a description.
  public init(
    name: String, prompt: String? = nil, stopAt: String? = nil, stopWith: String? = nil
  ) {
    self.name = name
    self.prompt = prompt
    self.stopAt = stopAt
    self.stopWith = stopWith
  }
}

/// How a board asks for a user on its console.
public struct Login: Sendable, Hashable {
  /// A regular expression that the question matches; nil: a shell answers at once.
  public var prompt: String?
  /// Who logs in; nil: the bench file says.
  public var user: String?

  /// Creates a description.
  public init(prompt: String? = nil, user: String? = nil) {
    self.prompt = prompt
    self.user = user
  }
}
