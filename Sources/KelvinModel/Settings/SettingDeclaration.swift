/// A setting of a board that agendas may name under `runtime_params`: the one source of validation,
/// `kelvin list settings` and the reference.
public struct SettingDeclaration: Sendable, Hashable {
  /// What a setting may hold for.
  public enum Reach: Sendable, Hashable {
    /// The board as a whole.
    case board
    /// All CPUs, one of them, or one kind of them.
    case cpus
    /// One CPU: it has no meaning for all.
    case oneCPU

    func contains(_ scope: SettingScope) -> Bool {
      switch (self, scope) {
      case (.board, .all), (.cpus, _), (.oneCPU, .cpu): true
      default: false
      }
    }
  }

  public let option: OptionDeclaration
  public let reach: Reach
  /// Under which heading it is listed: `cpufreq`.
  public let group: String
  /// What it has been checked on, when that is less than a real kernel.
  public let verified: String?

  public var name: String { option.name }
  public var aliases: [String] { option.aliases }

  /// Declares a setting.
  public init(
    _ name: String, _ type: OptionType, aliases: [String] = [], reach: Reach = .board,
    range: ClosedRange<Double>? = nil, group: String, verified: String? = nil,
    _ documentation: String
  ) {
    option = OptionDeclaration(name, type, aliases: aliases, range: range, documentation)
    self.reach = reach
    self.group = group
    self.verified = verified
  }

  /// How it is written, with what it may hold for: `[cpuN_|KIND_]governor`.
  public var usage: String {
    switch reach {
    case .board: name
    case .oneCPU: "cpuN_\(name)"
    case .cpus:
      name.hasPrefix("num_") ? "num_[KIND_]\(name.dropFirst(4))" : "[cpuN_|KIND_]\(name)"
    }
  }

  /// For lists and pages.
  public var declaration: Declaration {
    let range = option.range.map { range in
      let unit =
        switch option.type {
        case .quantity(let dimension, _), .word(_, .quantity(let dimension, _)):
          " " + dimension.baseUnit
        default: ""
        }
      return ", \(SettingDeclaration.text(range.lowerBound)) to "
        + "\(SettingDeclaration.text(range.upperBound))\(unit)"
    }
    return Declaration(
      .setting, name, aliases: aliases, summary: option.documentation,
      description: "Written '\(usage)' under 'runtime_params'. Takes \(option.type.expectation)"
        + (range ?? "") + ".", verified: verified)
  }

  private static func text(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
  }
}

/// The settings that agendas may name, and what can be said of them before any board is there.
public struct SettingVocabulary: Sendable {
  public let declarations: [SettingDeclaration]
  /// What is wrong with settings that are right each by itself, such as a frequency beside its limits:
  /// for each problem the name of the setting that it is told of.
  public let conflicts: @Sendable ([JobSpec.Setting]) -> [Problem]

  /// A contradiction between settings.
  public struct Problem: Sendable, Hashable {
    public var setting: String
    public var message: String
    public var hint: String

    /// Creates a problem.
    public init(_ setting: String, _ message: String, hint: String = "") {
      self.setting = setting
      self.message = message
      self.hint = hint
    }
  }

  /// Collects what there is.
  public init(
    _ declarations: [SettingDeclaration] = [],
    conflicts: @escaping @Sendable ([JobSpec.Setting]) -> [Problem] = { _ in [] }
  ) {
    self.declarations = declarations
    self.conflicts = conflicts
  }

  /// The declaration of a name.
  public subscript(name: SettingName) -> SettingDeclaration? {
    declarations.first { $0.name == name.base }
  }

  /// What to write instead of an unknown name; empty when nothing is near.
  public func hint(for unknown: String) -> String {
    let names = declarations.flatMap { declaration -> [String] in
      declaration.reach == .oneCPU ? [] : [declaration.name] + declaration.aliases
    }
    // The prefix of a scope is no part of the misspelt word.
    let words = unknown.split(separator: "_", maxSplits: 1)
    let candidates = [unknown] + (words.count == 2 ? [String(words[1])] : [])
    for candidate in candidates {
      guard let nearest = NearestName.of(candidate, in: names) else { continue }
      let prefix = candidate == unknown ? "" : unknown.dropLast(candidate.count)
      return "did you mean '\(prefix)\(nearest)'?"
    }
    return "'kelvin list settings' lists them"
  }
}
