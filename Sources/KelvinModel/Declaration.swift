/// What an instrument, workload or output processor is and takes: the one source of validation,
/// `kelvin list`, `kelvin show` and completion.
public struct Declaration: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case instrument, workload, output
    /// What a bench file names: how a board is reached, its console, what cuts its power or resets it,
    /// and what measures it.
    case connection, console, power, reset, meter
  }

  public let kind: Kind
  public let name: String
  public let aliases: [String]
  /// One line.
  public let summary: String
  /// Paragraphs for `kelvin show`: what is measured and how, sources, limits.
  public let description: String
  public let options: [OptionDeclaration]
  /// Metrics that it yields, for `kelvin show`: name, unit, meaning.
  public let metrics: [MetricDeclaration]
  /// What the figures have been checked on, when that is less than a real kernel of this kind.
  public let verified: String?

  /// Declares a plug-in.
  public init(
    _ kind: Kind, _ name: String, aliases: [String] = [], summary: String,
    description: String = "", options: [OptionDeclaration] = [],
    metrics: [MetricDeclaration] = [], verified: String? = nil
  ) {
    self.kind = kind
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.description = description
    self.options = options
    self.metrics = metrics
    self.verified = verified
  }
}

/// A metric that a plug-in yields, for its documentation.
public struct MetricDeclaration: Sendable, Hashable {
  public let name: String
  public let unit: String
  public let documentation: String

  /// Declares a metric.
  public init(_ name: String, unit: String = "", _ documentation: String) {
    self.name = name
    self.unit = unit
    self.documentation = documentation
  }
}
