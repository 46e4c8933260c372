internal import KelvinModel

/// A value and where it was written.
struct Located<Value: Sendable>: Sendable {
  var value: Value
  var location: SourceLocation
}

/// What one level says about its jobs: a config source, a section or a workload entry.
struct JobLayer {
  var iterations: Located<Int>?
  var label: Located<String>?
  /// As written: which workload they are for is not known at every level.
  var parameters: [LocatedValue.Entry] = []
  /// Checked, under the names that declarations give them.
  var runtimeParameters: [Located<JobSpec.Setting>] = []
  var classifiers: [LocatedValue.Entry] = []
  var toggles: [Toggle] = []
  /// `~~`: nothing of the levels before this one stays enabled.
  var dropsInherited = false
  var timeouts: [Timeout] = []
  var cleanupAssets: Located<Bool>?
  /// A value of nil: attached.
  var link: Located<DetachedLink?>?
  /// What was written of `deploy`, by its keys.
  var deploy: [Located<JobSpec.Setting>] = []
  /// `deploy: none`, and where: nothing of the levels before this one stays.
  var deploysNothing: SourceLocation?

  /// An augmentation switched on or off.
  struct Toggle {
    /// Position in ``Declarations/augmentations``.
    var augmentation: Int
    var isEnabled: Bool
    var location: SourceLocation
  }

  struct Timeout {
    var key: JobKey
    var seconds: Double
    var location: SourceLocation
  }
}

/// An agenda and its config files as read, before levels are merged.
struct Outline {
  var configs: [Config] = []
  var sections: [Section] = []
  var workloads: [Workload] = []
  /// Ids of all sections and workload entries, also of those with mistakes.
  var ids: Set<String> = []

  /// One config file, or the agenda's `config`.
  struct Config {
    var layer = JobLayer()
    /// Parameters under a workload's own name, by position in ``Declarations/workloads``.
    var specific: [Int: Parameters] = [:]
  }

  struct Section {
    var id: String
    var group: Located<String>?
    var location: SourceLocation
    var layer = JobLayer()
  }

  struct Workload {
    var id: String
    /// Position in ``Declarations/workloads``.
    var declaration: Int
    /// Position in ``Outline/sections``, nil for one that runs in all sections.
    var section: Int?
    var location: SourceLocation
    var layer = JobLayer()
    /// Its own parameters, validated.
    var parameters: [String: Value] = [:]
  }

  /// Parameters for one workload, validated, and as written for their places.
  struct Parameters {
    var values: [String: Value] = [:]
    var entries: [LocatedValue.Entry] = []
  }
}
