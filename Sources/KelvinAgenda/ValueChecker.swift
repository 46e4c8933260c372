internal import KelvinModel

/// Validates values against declarations and collects what is wrong.
struct ValueChecker {
  let declarations: Declarations
  var diagnostics = DiagnosticList()
  /// Problem texts by pattern; nil when it is fine.
  private var patterns: [String: String?] = [:]
  private var patternProblems = 0

  init(_ declarations: Declarations) { self.declarations = declarations }

  /// The value of one option; nil when it is wrong or null.
  mutating func value(
    _ value: LocatedValue, of option: OptionDeclaration, as owner: String
  ) -> Value? {
    guard !value.isNull else { return nil }
    return diagnostics.collect { found in
      option.type.validate(
        value, as: "\(owner): \(option.name)", range: option.range, into: &found)
    }
  }

  /// The settings of a plug-in as far as they are written; wrong ones are missing.
  mutating func settings(
    _ entries: [LocatedValue.Entry], of declaration: Declaration, at location: SourceLocation
  ) -> [String: Value] {
    right(
      entries, declaration.options, as: "\(declaration.kind.rawValue) '\(declaration.name)'",
      at: location)
  }

  /// The values as far as they are written and right; nothing is required, no defaults are filled
  /// in.
  mutating func right(
    _ entries: [LocatedValue.Entry], _ options: [OptionDeclaration], as owner: String,
    at location: SourceLocation
  ) -> [String: Value] {
    // Keys differ, so most of so many are unknown; the first mistakes are enough.
    let entries =
      entries.count > DiagnosticList.limit
      ? Array(entries.prefix(DiagnosticList.limit)) : entries
    checkPatterns(entries, options, as: owner)
    let all = diagnostics.collect { found in
      options.validate(entries, as: owner, at: location, fillDefaults: false, into: &found)
    }
    if let all { return all }
    var right: [String: Value] = [:]
    for entry in entries {
      var ignored: [Diagnostic] = []
      let value = options.validate(
        [entry], as: owner, at: location, fillDefaults: false, into: &ignored)
      right.merge(value ?? [:]) { first, _ in first }
    }
    return right
  }

  /// Checks every regular expression in the values of these options.
  ///
  /// - Returns: whether all are fine.
  @discardableResult
  mutating func checkPatterns(
    _ entries: [LocatedValue.Entry], _ options: [OptionDeclaration], as owner: String
  ) -> Bool {
    let before = patternProblems
    for entry in entries {
      if let option = options.first(where: { $0.isNamed(entry.key) }) {
        checkPatterns(entry.value, option.type, as: "\(owner): \(option.name)")
      }
    }
    return patternProblems == before
  }

  /// Checks every regular expression that a value holds where its type says so.
  private mutating func checkPatterns(
    _ value: LocatedValue, _ type: OptionType, as owner: String
  ) {
    switch type {
    case .pattern:
      guard let text = value.scalar?.text, !text.isEmpty, !value.isNull else { return }
      if patterns[text] == nil { patterns[text] = .some(declarations.checkPattern(text)) }
      if let problem = patterns[text] ?? nil {
        patternProblems += 1
        diagnostics.error(
          value.location,
          "\(owner): \(LocatedValue.quoted(text)) is not a regular expression: \(problem)")
      }
    case .list(let element) where element.holdsPattern:
      for item in value.list ?? [value] { checkPatterns(item, element, as: owner) }
    case .map(let element) where element.holdsPattern:
      for entry in value.map ?? [] { checkPatterns(entry.value, element, as: owner) }
    case .structure(let fields, let shorthand):
      guard let entries = value.map else {
        if let field = fields.first(where: { $0.name == shorthand }) {
          checkPatterns(value, field.type, as: owner)
        }
        return
      }
      for entry in entries {
        if let field = fields.first(where: { $0.isNamed(entry.key) }) {
          checkPatterns(entry.value, field.type, as: owner)
        }
      }
    default: break
    }
  }

  /// Says which required settings are not written anywhere.
  mutating func requireAll(
    of declaration: Declaration, at location: SourceLocation,
    isWritten: (OptionDeclaration) -> Bool
  ) {
    for option in declaration.options where option.isRequired && !isWritten(option) {
      diagnostics.error(
        location, "\(declaration.kind.rawValue) '\(declaration.name)': '\(option.name)' is missing",
        hint: "it takes \(option.type.expectation)")
    }
  }
}

extension OptionType {
  fileprivate var holdsPattern: Bool {
    switch self {
    case .pattern: true
    case .list(let element), .map(let element): element.holdsPattern
    case .structure(let fields, _): fields.contains { $0.type.holdsPattern }
    default: false
    }
  }
}
