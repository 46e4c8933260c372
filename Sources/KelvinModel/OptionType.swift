/// The type of an option: what users may write, and what code gets.
public indirect enum OptionType: Sendable, Hashable {
  /// `true`/`false` and YAML 1.1's other words. Gives ``Value/boolean``.
  case boolean
  /// Gives ``Value/integer``.
  case integer
  /// Gives ``Value/number``.
  case number
  /// Any scalar as written. Gives ``Value/text``.
  case text
  /// A file path on the host; `~` is expanded, relative paths are relative to the file that names
  /// them. Gives ``Value/text``.
  case path
  /// One of these words. Gives ``Value/text``.
  case choice([String])
  /// A number with a unit of this dimension; bare numbers are taken in `bare`, or refused when that
  /// is nil. Gives ``Value/number`` in the dimension's base unit.
  case quantity(Dimension, bare: String?)
  /// One of these words, which give ``Value/text``, or what the other type takes.
  case word([String], or: OptionType)
  /// A PCRE2 pattern. Gives ``Value/text``; its syntax is checked by whoever compiles it.
  case pattern
  /// A list of words, or one string that is split as a shell splits words (quotes honored, nothing
  /// expanded). Gives ``Value/list`` of text.
  case argv
  /// A list; a single element may stand for a list of one.
  case list(OptionType)
  /// A map with any keys.
  case map(OptionType)
  /// A map with these fields; a scalar or list stands for the field `shorthand` alone.
  case structure([OptionDeclaration], shorthand: String?)
  /// Anything, untyped.
  case any

  /// What may be written, for messages and documentation: `a time such as 5 s`.
  public var expectation: String {
    switch self {
    case .boolean: "true or false"
    case .integer: "an integer"
    case .number: "a number"
    case .text: "text"
    case .path: "a path"
    case .choice(let words): "one of " + words.joined(separator: ", ")
    case .quantity(let dimension, _):
      "\(dimension == .energy ? "an" : "a") \(dimension.rawValue) such as '\(dimension.example)'"
    case .word(let words, let other): words.joined(separator: ", ") + " or \(other.expectation)"
    case .pattern: "a regular expression"
    case .argv: "a list of words or a command line"
    case .list(let element): "a list, each element \(element.expectation)"
    case .map(let element): "a map, each value \(element.expectation)"
    case .structure(let fields, _): "a map of " + fields.map(\.name).joined(separator: ", ")
    case .any: "any value"
    }
  }
}

/// One option, declared once: parsing, validation, `kelvin show`, completion and the reference are
/// derived from it.
public struct OptionDeclaration: Sendable, Hashable {
  public let name: String
  public let aliases: [String]
  public let type: OptionType
  /// Nil: the option is absent unless written.
  public let defaultValue: Value?
  /// What something else than Kelvin takes, mostly, where nothing is written: the same thing is meant
  /// with and without it.
  public let usualValue: Value?
  public let isRequired: Bool
  /// In the base unit for quantities.
  public let range: ClosedRange<Double>?
  /// One or two sentences.
  public let documentation: String
  /// Whether it only says how a thing of the bench is used (a baud rate, a delay), not which thing is
  /// meant: two boards whose choices differ in details alone claim the same thing.
  public let isDetail: Bool

  /// Declares an option.
  public init(
    _ name: String, _ type: OptionType, aliases: [String] = [], default defaultValue: Value? = nil,
    usually usualValue: Value? = nil, required isRequired: Bool = false,
    range: ClosedRange<Double>? = nil, isDetail: Bool = false, _ documentation: String
  ) {
    self.name = name
    self.aliases = aliases
    self.type = type
    self.defaultValue = defaultValue
    self.usualValue = usualValue
    self.isRequired = isRequired
    self.range = range
    self.documentation = documentation
    self.isDetail = isDetail
  }

  /// Whether `key` names this option.
  public func isNamed(_ key: String) -> Bool { key == name || aliases.contains(key) }
}
