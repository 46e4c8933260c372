/// A named value with its unit: a result of a job.
public struct Metric: Hashable, Sendable, Codable {
  public var name: String
  public var value: MetricValue
  /// A unit as in ``Unit`` where it is one of those, otherwise the tool's own word; empty when the
  /// value is a pure number or text.
  public var unit: String
  /// Standard uncertainty of the value, in its unit: where its source knows how far it can be trusted.
  public var uncertainty: Double?
  /// True when smaller is better, false when larger is, nil when neither is known.
  public var lowerIsBetter: Bool?
  /// Tells apart metrics of one name: `cpu: 3`, `zone: soc`.
  public var classifiers: [String: String]
  /// The augmentation or workload that produced it.
  public var source: String

  /// Creates a metric.
  public init(
    _ name: String, _ value: MetricValue, unit: String = "", uncertainty: Double? = nil,
    lowerIsBetter: Bool? = nil, classifiers: [String: String] = [:], source: String = ""
  ) {
    self.name = name
    self.value = value
    self.unit = unit
    self.uncertainty = uncertainty
    self.lowerIsBetter = lowerIsBetter
    self.classifiers = classifiers
    self.source = source
  }
}

/// A metric's value: integers stay exact, everything else is a double or text.
public enum MetricValue: Hashable, Sendable, Codable {
  case integer(Int64)
  case number(Double)
  case text(String)

  /// The value as a double; nil for text.
  public var double: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    case .text: nil
    }
  }

  /// Shortest text that reads back as the same value.
  public var text: String {
    switch self {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): value
    }
  }
}

/// A file that a job or a run left behind.
public struct Artifact: Hashable, Sendable, Codable {
  /// What the file is for.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case log, meta, data, export, raw
  }

  public var name: String
  /// Relative to the run directory.
  public var path: String
  public var kind: Kind
  public var description: String
  /// The augmentation or workload that produced it.
  public var source: String

  /// Creates a record of a file.
  public init(
    name: String, path: String, kind: Kind, description: String = "", source: String = ""
  ) {
    self.name = name
    self.path = path
    self.kind = kind
    self.description = description
    self.source = source
  }
}
