/// A workload that a board must pass to be trusted, beside the jobs that are measured.
public struct HealthCheck: Sendable, Hashable, Codable {
  /// The workload with its parameters; no augmentations, and no settings of the device.
  public var spec: JobSpec
  /// When it runs; never empty unless ``every`` is set.
  public var times: Set<Time>
  /// After so many jobs since the last check; nil: not by count.
  public var every: Int?

  /// A moment at which a board is not trusted without a check.
  public enum Time: String, Sendable, Hashable, Codable, CaseIterable {
    /// Before the first job of a life of the run.
    case start
    /// After it was brought back, or has rebooted by itself.
    case recovery
  }

  /// What messages and the store call it; no spec of an agenda can have this id.
  public static let id = "health-check"

  /// Creates a check.
  public init(spec: JobSpec, times: Set<Time> = Set(Time.allCases), every: Int? = nil) {
    self.spec = spec
    self.times = times
    self.every = every
  }

  /// Creates a check by a workload.
  ///
  /// - Parameter seconds: how long each of its stages may take.
  public init(
    workload: String, parameters: [String: Value] = [:], seconds: Double = HealthCheck.seconds,
    times: Set<Time> = Set(Time.allCases), every: Int? = nil
  ) {
    self.init(
      spec: JobSpec(
        id: HealthCheck.id, label: HealthCheck.id, workload: workload, parameters: parameters,
        timeouts: StageTimeouts(
          setup: seconds, run: seconds, extract: seconds, teardown: seconds)),
      times: times, every: every)
  }

  /// How long each stage may take where nobody says otherwise.
  public static let seconds = 60.0
}

extension HealthCheck: CustomStringConvertible {
  /// `command, at start and recovery, every 20 jobs`
  public var description: String {
    let moments = Time.allCases.filter(times.contains).map(\.rawValue).joined(separator: " and ")
    return spec.workload + (moments.isEmpty ? "" : ", at \(moments)")
      + (every.map { ", every \($0) job(s)" } ?? "")
  }
}
