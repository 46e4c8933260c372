public import KelvinModel

/// Which bench files to read, and what they may refer to.
public struct BenchRequest: Sendable {
  /// Together they are the bench; a name stands in one of them only.
  public var paths: [String]
  /// What `profile` may name.
  public var profileNames: [String]
  /// Meters that stand on a command line instead of in a file, each as YAML: `{driver: hwmon, chip: ina226}`,
  /// `hwmon: {chip: ina226}` or `NAME: {driver: ...}`.
  public var meters: [String]
  public var limits: AgendaRequest.Limits
  /// Boards, and meters, in all files together.
  public var entryLimit: Int

  /// Creates a request.
  public init(
    paths: [String], profileNames: [String], meters: [String] = [],
    limits: AgendaRequest.Limits = .init(),
    entryLimit: Int = 10_000
  ) {
    self.paths = paths
    self.profileNames = profileNames
    self.meters = meters
    self.limits = limits
    self.entryLimit = entryLimit
  }
}

/// A bench as read and validated.
public struct BenchReading: Sendable {
  public let bench: Bench
  /// Every file as read, as for an agenda.
  public let sources: [Agenda.Source]
  /// The names of those of ``BenchRequest/meters``, in their order.
  public let commandLineMeters: [String]
  /// What is doubtful.
  public let warnings: [Diagnostic]
}
