/// What a run will do: settings, job specs and the jobs in the order of execution. Pure data; made
/// by KelvinAgenda, kept in the store, carried out by KelvinExecution.
public struct Plan: Sendable, Hashable, Codable {
  public var settings: RunSettings
  public var specs: [JobSpec]
  /// In the order of execution.
  public var jobs: [PlannedJob]

  /// Creates a plan.
  public init(settings: RunSettings, specs: [JobSpec], jobs: [PlannedJob]) {
    self.settings = settings
    self.specs = specs
    self.jobs = jobs
  }
}

extension Plan {
  /// Whether any job changes its board's settings.
  public var changesSettings: Bool { specs.contains { !$0.runtimeParameters.isEmpty } }

  /// Whether any job needs an image.
  public var deploys: Bool { specs.contains { $0.deployment != nil } }

  /// The plan without the places that its settings came from: a run does not need them, and they
  /// are a good part of a large plan's memory.
  public var withoutProvenance: Plan {
    var plan = self
    plan.settings.provenance = [:]
    for index in plan.specs.indices { plan.specs[index].provenance = [:] }
    return plan
  }
}

/// One iteration of one spec.
public struct PlannedJob: Sendable, Hashable, Codable {
  /// Index into ``Plan/specs``.
  public var spec: Int
  /// From 1.
  public var iteration: Int

  /// Creates a job.
  public init(spec: Int, iteration: Int) {
    self.spec = spec
    self.iteration = iteration
  }
}

/// One workload with one configuration, as merged from global, section and workload entries.
public struct JobSpec: Sendable, Hashable, Codable {
  /// `wk1` or `section-wk1`; unique within the plan.
  public var id: String
  public var label: String
  /// Name of the workload's declaration.
  public var workload: String
  /// Validated against the workload's options, defaults filled in.
  public var parameters: [String: Value]
  /// Validated, under the names that declarations give them, in the order written.
  public var runtimeParameters: [Setting]
  public var classifiers: [String: String]
  /// Names of enabled instruments and outputs in listing order.
  public var augmentations: [String]
  public var iterations: Int
  public var timeouts: StageTimeouts
  /// Remove what was installed for the workload at its teardown; otherwise it stays until the end of
  /// the run, for the jobs that need it again.
  public var cleanupAssets: Bool
  /// How it runs while the link to the board is away; nil: the link stays.
  public var detached: DetachedLink?
  /// What the board must run; nil: what it boots by itself.
  public var deployment: Deployment?
  /// Where each setting came from: `params.duration` → place. Not kept in the store.
  public var provenance: [String: SourceLocation]

  /// A named runtime parameter.
  public struct Setting: Sendable, Hashable, Codable {
    public var name: String
    public var value: Value

    /// Creates a setting.
    public init(_ name: String, _ value: Value) {
      self.name = name
      self.value = value
    }
  }

  /// Creates a spec.
  public init(
    id: String, label: String, workload: String, parameters: [String: Value] = [:],
    runtimeParameters: [Setting] = [], classifiers: [String: String] = [:],
    augmentations: [String] = [], iterations: Int = 1, timeouts: StageTimeouts = .init(),
    cleanupAssets: Bool = false, detached: DetachedLink? = nil, deployment: Deployment? = nil,
    provenance: [String: SourceLocation] = [:]
  ) {
    self.id = id
    self.label = label
    self.workload = workload
    self.parameters = parameters
    self.runtimeParameters = runtimeParameters
    self.classifiers = classifiers
    self.augmentations = augmentations
    self.iterations = iterations
    self.timeouts = timeouts
    self.cleanupAssets = cleanupAssets
    self.detached = detached
    self.deployment = deployment
    self.provenance = provenance
  }

  enum CodingKeys: String, CodingKey {
    case id, label, workload, parameters, runtimeParameters, classifiers, augmentations, iterations
    case timeouts, cleanupAssets, detached, deployment
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      id: try container.decode(String.self, forKey: .id),
      label: try container.decode(String.self, forKey: .label),
      workload: try container.decode(String.self, forKey: .workload),
      parameters: try container.decode([String: Value].self, forKey: .parameters),
      runtimeParameters: try container.decode([Setting].self, forKey: .runtimeParameters),
      classifiers: try container.decode([String: String].self, forKey: .classifiers),
      augmentations: try container.decode([String].self, forKey: .augmentations),
      iterations: try container.decode(Int.self, forKey: .iterations),
      timeouts: try container.decode(StageTimeouts.self, forKey: .timeouts),
      cleanupAssets: try container.decode(Bool.self, forKey: .cleanupAssets),
      detached: try container.decodeIfPresent(DetachedLink.self, forKey: .detached),
      deployment: try container.decodeIfPresent(Deployment.self, forKey: .deployment))
  }
}

/// How a workload runs on its own, while the link to its board is taken away: so that neither the
/// link's power nor its traffic is in the figures.
public struct DetachedLink: Sendable, Hashable, Codable {
  /// Seconds after the workload's start at which the link comes back; nil: when the board shows that
  /// it is over. Needed where the host itself switches the link, since nothing tells it then.
  public var seconds: Double?
  /// Seconds between the order and the workload's start, for the link to go.
  public var settle: Double

  /// Creates a description.
  public init(seconds: Double? = nil, settle: Double = 2) {
    self.seconds = seconds
    self.settle = settle
  }
}

/// Seconds that each stage of a job may take.
public struct StageTimeouts: Sendable, Hashable, Codable {
  public var setup: Double
  public var run: Double
  public var extract: Double
  public var teardown: Double

  /// Creates timeouts; the defaults suit a board that must first receive files.
  public init(
    setup: Double = 120, run: Double = 3600, extract: Double = 120, teardown: Double = 60
  ) {
    self.setup = setup
    self.run = run
    self.extract = extract
    self.teardown = teardown
  }
}

/// What holds for the whole run.
public struct RunSettings: Sendable, Hashable, Codable {
  public var executionOrder: ExecutionOrder
  /// Of the random order, and of whatever else draws; recorded so that a run can be repeated.
  public var seed: UInt64
  public var rebootPolicy: RebootPolicy
  public var retryOnStatus: [Verdict.Status]
  /// Retries after the first attempt; attempts cut off by the death of Kelvin do not count.
  public var maxRetries: Int
  public var bailOnInitFailure: Bool
  public var bailOnJobFailure: Bool
  /// When a board has failed too often; nil: never.
  public var quarantine: QuarantineRule?
  /// What a board must pass to be trusted; nil: nothing.
  public var healthCheck: HealthCheck?
  public var runName: String?
  public var project: String?
  public var projectStage: String?
  /// Settings of the augmentations by name, validated, defaults filled in.
  public var augmentations: [String: [String: Value]]
  /// Where run-wide settings came from: `max_retries` → place.
  public var provenance: [String: SourceLocation]

  /// Creates settings with WA's defaults.
  public init(
    executionOrder: ExecutionOrder = .byIteration, seed: UInt64 = 0,
    rebootPolicy: RebootPolicy = .asNeeded, retryOnStatus: [Verdict.Status] = [.failed, .partial],
    maxRetries: Int = 2, bailOnInitFailure: Bool = true, bailOnJobFailure: Bool = false,
    quarantine: QuarantineRule? = .standard, healthCheck: HealthCheck? = nil,
    runName: String? = nil, project: String? = nil, projectStage: String? = nil,
    augmentations: [String: [String: Value]] = [:], provenance: [String: SourceLocation] = [:]
  ) {
    self.executionOrder = executionOrder
    self.seed = seed
    self.rebootPolicy = rebootPolicy
    self.retryOnStatus = retryOnStatus
    self.maxRetries = maxRetries
    self.bailOnInitFailure = bailOnInitFailure
    self.bailOnJobFailure = bailOnJobFailure
    self.quarantine = quarantine
    self.healthCheck = healthCheck
    self.runName = runName
    self.project = project
    self.projectStage = projectStage
    self.augmentations = augmentations
    self.provenance = provenance
  }
}

/// In which order the iterations of all specs run.
///
/// The examples have sections X and Y, workloads A and B, and two iterations of each. A spec takes
/// part in as many rounds as it has iterations. The first three are what WA's documentation
/// promises (its code gives by_section for by_iteration).
public enum ExecutionOrder: String, Sendable, Codable, CaseIterable {
  /// Round by round, each workload in all sections before the next workload:
  /// X.A1 Y.A1 X.B1 Y.B1, X.A2 Y.A2 X.B2 Y.B2.
  case byIteration = "by_iteration"
  /// Round by round, each section's workloads together: X.A1 X.B1 Y.A1 Y.B1, X.A2 X.B2 Y.A2 Y.B2.
  case bySection = "by_section"
  /// All iterations of a spec before the next spec, each workload in all sections before the next
  /// workload: X.A1 X.A2 Y.A1 Y.A2 X.B1 X.B2 Y.B1 Y.B2.
  case byWorkload = "by_workload"
  /// All jobs shuffled by the recorded seed.
  case random
  /// As by_iteration, but every second round backwards, so that linear drift cancels in
  /// comparisons (over an even number of iterations):
  /// X.A1 Y.A1 X.B1 Y.B1, Y.B2 X.B2 Y.A2 X.A2.
  case interleaved
}

/// When the target is rebooted.
public enum RebootPolicy: String, Sendable, Codable, CaseIterable {
  case never
  case asNeeded = "as_needed"
  case initial
  case eachSpec = "each_spec"
  case eachJob = "each_job"
  case eachIteration = "each_iteration"
  case runCompletion = "run_completion"
}
