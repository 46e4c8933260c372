public import KelvinModel

/// What exists: built-ins are listed here and nowhere else; plug-ins are added by whoever passes a
/// registry on.
public struct Registry: Sendable {
  public var workloads: [WorkloadType]
  public var instruments: [any Instrument.Type]

  /// Creates a registry.
  public init(workloads: [WorkloadType], instruments: [any Instrument.Type]) {
    self.workloads = workloads
    self.instruments = instruments
  }

  /// The instruments' declarations, each with the options that all instruments have.
  public var instrumentDeclarations: [Declaration] {
    instruments.map { type in
      let declaration = type.declaration
      return Declaration(
        declaration.kind, declaration.name, aliases: declaration.aliases,
        summary: declaration.summary, description: declaration.description,
        options: declaration.options + Registry.commonInstrumentOptions,
        alternatives: declaration.alternatives, metrics: declaration.metrics,
        verified: declaration.verified, linkUse: declaration.linkUse)
    }
  }

  /// Options of every instrument.
  static let commonInstrumentOptions = [
    OptionDeclaration(
      "required", .boolean, default: false,
      "When the instrument fails or has nothing to measure, fail the job instead of marking it "
        + "partial.")
  ]

  /// What is wrong with settings of an instrument as a whole; nil when nothing is, or when it is none.
  public func problem(with settings: [String: Value], of name: String) -> PlainFailure? {
    do {
      _ = try instrument(named: name)?.init(settings: settings)
      return nil
    } catch {
      return PlainFailure(error)
    }
  }

  func instrument(named name: String) -> (any Instrument.Type)? {
    instruments.first { $0.declaration.name == name }
  }

  func workload(named name: String) -> WorkloadType? {
    workloads.first { $0.declaration.name == name }
  }
}
