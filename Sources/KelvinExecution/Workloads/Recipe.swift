public import KelvinModel

/// A workload as a small declaration over a command: what it needs, which command line its
/// parameters make, and what its output says. ``CommandWorkload`` does the rest.
public struct Recipe: Sendable {
  public var declaration: Declaration
  /// Programs it always needs.
  public var requirements: [Requirement]
  /// Programs of which its parameters choose one, for the hint when that one is missing.
  public var optional: [Requirement]
  /// The command line for validated parameters.
  public var argv: @Sendable (Parameters) throws -> [String]
  /// Host files that the command line names: they are brought to the target, and their words in the
  /// command line become the paths there.
  public var files: @Sendable (Parameters) -> [String]
  /// Metrics from the workload's output, beyond those that the user's patterns find.
  public var parse: @Sendable (WorkloadOutput) throws -> [Metric]
  /// Added to the environment.
  public var environment: [String: String]

  /// Declares a workload.
  public init(
    _ declaration: Declaration, requirements: [Requirement] = [],
    environment: [String: String] = [:],
    files: @escaping @Sendable (Parameters) -> [String] = { _ in [] },
    argv: @escaping @Sendable (Parameters) throws -> [String],
    optional: [Requirement] = [],
    parse: @escaping @Sendable (WorkloadOutput) throws -> [Metric] = { _ in [] }
  ) {
    self.declaration = declaration
    self.requirements = requirements
    self.optional = optional
    self.environment = environment
    self.files = files
    self.argv = argv
    self.parse = parse
  }

  /// The workload as the registry lists it, with the options that all commands have.
  public var type: WorkloadType {
    let recipe = self
    let full = Declaration(
      declaration.kind, declaration.name, aliases: declaration.aliases,
      summary: declaration.summary, description: declaration.description,
      options: declaration.options + CommandWorkload.commonOptions, metrics: declaration.metrics,
      verified: declaration.verified)
    return WorkloadType(full, requirements: requirements + optional) { spec in
      try CommandWorkload(recipe, spec)
    }
  }
}

/// A spec's validated parameters by name.
public struct Parameters: Sendable {
  let values: [String: Value]

  /// The parameter, or nil when it is absent.
  public subscript(name: String) -> Value? { values[name] }
  public func text(_ name: String) -> String? { values[name]?.text }
  public func integer(_ name: String) -> Int64? { values[name]?.integer }
  public func number(_ name: String) -> Double? { values[name]?.number }
  public func flag(_ name: String) -> Bool { values[name]?.boolean ?? false }
  public func words(_ name: String) -> [String] { values[name]?.list?.compactMap(\.text) ?? [] }
  /// Seconds rounded to a whole number, at least 1: for tools that take no fractions.
  public func wholeSeconds(_ name: String) -> String? {
    number(name).map { "\(max(1, Int($0.rounded())))" }
  }
}

/// What a workload printed; read when it is asked for.
public struct WorkloadOutput: Sendable {
  public let parameters: Parameters
  let standardOutputPath: String
  let standardErrorPath: String
  /// What messages and metrics name as their source.
  public let source: String

  /// Bytes of standard output beyond which a parser sees nothing.
  static let limit = 16 << 20

  /// The lines of standard output as text; what is not UTF-8 becomes U+FFFD.
  public func lines() throws -> [Substring] { try text().split(whereSeparator: \.isNewline) }

  /// Standard output as text.
  public func text() throws -> String { try WorkloadOutput.text(standardOutputPath) }

  /// Standard error as text.
  public func errorText() throws -> String { try WorkloadOutput.text(standardErrorPath) }

  private static func text(_ path: String) throws -> String {
    guard let bytes = try? HostFile.read(path, limit: limit) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A metric of this workload.
  public func metric(
    _ name: String, _ value: Double, unit: String = "", lowerIsBetter: Bool? = nil,
    classifiers: [String: String] = [:]
  ) -> Metric {
    Metric(
      name, .number(value), unit: unit, lowerIsBetter: lowerIsBetter, classifiers: classifiers,
      source: source)
  }
}
