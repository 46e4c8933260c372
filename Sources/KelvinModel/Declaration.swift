/// What an instrument, workload or output processor is and takes: the one source of validation,
/// `kelvin list`, `kelvin show` and completion.
public struct Declaration: Sendable, Hashable {
  public enum Kind: String, Sendable, CaseIterable {
    case instrument, workload, output
    /// What agendas name under `runtime_params`.
    case setting
    /// What a bench file names: how a board is reached, its console, its boot loader, what cuts its
    /// power or resets it, what takes its link away, and what measures it.
    case connection, console, bootloader, power, reset, link, meter
  }

  public let kind: Kind
  public let name: String
  public let aliases: [String]
  /// One line.
  public let summary: String
  /// Paragraphs for `kelvin show`: what is measured and how, sources, limits.
  public let description: String
  public let options: [OptionDeclaration]
  /// Options that exclude each other.
  public let alternatives: [Alternatives]
  /// Metrics that it yields, for `kelvin show`: name, unit, meaning.
  public let metrics: [MetricDeclaration]
  /// What the figures have been checked on, when that is less than a real kernel of this kind.
  public let verified: String?
  public let linkUse: LinkUse

  /// What an instrument or a workload has to do with the link to the board while a workload runs.
  public enum LinkUse: Sendable, Hashable {
    case none
    /// It reads the board through the link: a detached job cannot have it.
    case needs
    /// The link does not live through it: its jobs are always detached.
    case loses
  }

  /// Declares a plug-in.
  public init(
    _ kind: Kind, _ name: String, aliases: [String] = [], summary: String,
    description: String = "", options: [OptionDeclaration] = [],
    alternatives: [Alternatives] = [], metrics: [MetricDeclaration] = [], verified: String? = nil,
    linkUse: LinkUse = .none
  ) {
    self.kind = kind
    self.name = name
    self.aliases = aliases
    self.summary = summary
    self.description = description
    self.options = options
    self.alternatives = alternatives
    self.metrics = metrics
    self.verified = verified
    self.linkUse = linkUse
  }

  /// Options of which one alone is written, such as `path` or `match`.
  public struct Alternatives: Sendable, Hashable {
    public let names: [String]
    /// Whether one must be written.
    public let isRequired: Bool

    /// Groups options that exclude each other.
    public init(_ names: [String], required isRequired: Bool = false) {
      self.names = names
      self.isRequired = isRequired
    }
  }

  /// The option that a scalar or list in place of the map of options stands for, as in
  /// `power: {meter: ppk2-a}`: the only one that is required, or the first of the only alternatives;
  /// nil when nothing or more is required.
  public var shorthand: OptionDeclaration? {
    let required =
      options.filter(\.isRequired).map(\.name)
      + alternatives.filter(\.isRequired).compactMap(\.names.first)
    return required.count == 1 ? options.first { $0.name == required[0] } : nil
  }

  /// The options that say which piece of equipment a choice means; details are left out, so that
  /// two choices with equal identities mean the same.
  public func identity(of choice: DriverChoice) -> [String: Value] {
    var values = choice.options
    for option in options where values[option.name] == nil {
      values[option.name] = option.usualValue
    }
    return values.filter { name, _ in !options.contains { $0.name == name && $0.isDetail } }
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
