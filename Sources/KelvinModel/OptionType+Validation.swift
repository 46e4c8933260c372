internal import Glibc

extension OptionType {
  /// Checks a value as written against this type and gives the value that code reads.
  ///
  /// - Parameters:
  ///   - value: as written.
  ///   - name: what the option is called in messages, e.g. `workload 'fio': size`.
  ///   - diagnostics: every mistake is appended, each with its place.
  /// - Returns: nil when anything was wrong.
  public func validate(
    _ value: LocatedValue, as name: String, range: ClosedRange<Double>? = nil,
    into diagnostics: inout [Diagnostic]
  ) -> Value? {
    func refuse(_ hint: String = "") -> Value? {
      diagnostics.append(
        Diagnostic(
          at: value.location, "\(name): expected \(expectation), found \(value.shortDescription)",
          hint: hint))
      return nil
    }
    func ranged(_ number: Double, _ result: Value, unit: String = "") -> Value? {
      guard let range, !range.contains(number) else { return result }
      let suffix = unit.isEmpty ? "" : " \(unit)"
      let wanted =
        range.upperBound == .infinity || range.upperBound >= 1e15
        ? "at least \(short(range.lowerBound))\(suffix)"
        : "between \(short(range.lowerBound)) and \(short(range.upperBound))\(suffix)"
      diagnostics.append(
        Diagnostic(
          at: value.location, "\(name): expected \(wanted), found \(value.shortDescription)"))
      return nil
    }

    switch self {
    case .boolean:
      guard let scalar = value.scalar, let flag = scalar.asBoolean else { return refuse() }
      return .boolean(flag)
    case .integer:
      guard let integer = value.scalar?.asInteger else { return refuse() }
      return ranged(Double(integer), .integer(integer))
    case .number:
      guard let number = value.scalar?.asNumber, number.isFinite else { return refuse() }
      return ranged(number, .number(number))
    case .text:
      guard let scalar = value.scalar, !scalar.isNull else { return refuse() }
      return .text(scalar.text)
    case .pattern:
      guard let scalar = value.scalar, !scalar.text.isEmpty else { return refuse() }
      return .text(scalar.text)
    case .path:
      guard let scalar = value.scalar, !scalar.text.isEmpty, !scalar.text.contains("\0") else {
        return refuse()
      }
      return .text(expandPath(scalar.text, relativeTo: value.location.file))
    case .choice(let words):
      guard let scalar = value.scalar else { return refuse() }
      if words.contains(scalar.text) { return .text(scalar.text) }
      // YAML 1.1 users write `off` unquoted; PyYAML would have made it false.
      return refuse(NearestName.of(scalar.text, in: words).map { "did you mean '\($0)'?" } ?? "")
    case .word(let words, let other):
      if let scalar = value.scalar, words.contains(scalar.text) { return .text(scalar.text) }
      var found: [Diagnostic] = []
      if let checked = other.validate(value, as: name, range: range, into: &found) {
        return checked
      }
      // What is wrong within a map is told where it stands.
      if value.map != nil, case .structure = other {
        diagnostics += found
        return nil
      }
      // What is out of range, or lacks a unit, is told by the other type.
      guard value.scalar.map({ Quantity($0.text) == nil }) ?? true else {
        diagnostics += found
        return nil
      }
      return refuse(
        value.scalar.flatMap { NearestName.of($0.text, in: words) }.map { "did you mean '\($0)'?" }
          ?? "")
    case .quantity(let dimension, let bare):
      guard let scalar = value.scalar, let quantity = Quantity(scalar.text) else {
        // `m` is refused because it could be either.
        let isMinutes = dimension == .time && value.scalar?.text.hasSuffix("m") == true
        return refuse(isMinutes ? "minutes are 'min', milliseconds 'ms'" : "")
      }
      if let unit = quantity.unit {
        guard unit.dimension == dimension else { return refuse() }
        return ranged(quantity.value, .number(quantity.value), unit: dimension.baseUnit)
      }
      if dimension == .ratio {
        return ranged(quantity.value, .number(quantity.value))
      }
      guard let bare, let unit = Unit(symbol: bare) else {
        return refuse("write the unit: '\(scalar.text) \(dimension.baseUnit)'")
      }
      let number = quantity.value * unit.factor
      return ranged(number, .number(number), unit: dimension.baseUnit)
    case .argv:
      switch value.content {
      case .list(let elements):
        var words: [Value] = []
        for element in elements {
          guard let scalar = element.scalar, !scalar.text.contains("\0") else { return refuse() }
          words.append(.text(scalar.text))
        }
        return words.isEmpty ? refuse() : .list(words)
      case .scalar(let scalar):
        guard let words = ShellWords.split(scalar.text), !words.isEmpty else {
          return refuse("write a list of words, or close every quote")
        }
        return .list(words.map(Value.text))
      case .map: return refuse()
      }
    case .list(let element):
      let elements = value.list ?? [value]
      if value.isNull { return .list([]) }
      var values: [Value] = []
      var isComplete = true
      for item in elements {
        if let checked = element.validate(item, as: name, range: range, into: &diagnostics) {
          values.append(checked)
        } else {
          isComplete = false
        }
      }
      return isComplete ? .list(values) : nil
    case .map(let element):
      if value.isNull { return .map([:]) }
      guard let entries = value.map else { return refuse() }
      var values: [String: Value] = [:]
      var isComplete = true
      for entry in entries {
        let name = "\(name): \(LocatedValue.quoted(entry.key).dropFirst().dropLast())"
        if let checked = element.validate(
          entry.value, as: name, range: range, into: &diagnostics)
        {
          values[entry.key] = checked
        } else {
          isComplete = false
        }
      }
      return isComplete ? .map(values) : nil
    case .structure(let fields, let shorthand):
      var entries = value.map
      if entries == nil, let shorthand {
        entries = [.init(key: shorthand, keyLocation: value.location, value: value)]
      }
      guard let entries else { return refuse() }
      return fields.validate(entries, as: name, at: value.location, into: &diagnostics)
        .map(Value.map)
    case .any:
      return value.untyped
    }
  }

  private func short(_ number: Double) -> String {
    number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
  }

  private func expandPath(_ path: String, relativeTo file: String) -> String {
    if path == "~" || path.hasPrefix("~/") {
      guard let home = getenv("HOME") else { return path }
      return String(cString: home) + path.dropFirst(1)
    }
    if path.hasPrefix("/") { return path }
    var path = path
    while path.hasPrefix("./"), path != "./" { path.removeFirst(2) }
    guard let slash = file.lastIndex(of: "/") else { return path }
    return String(file[...slash]) + path
  }
}

extension [OptionDeclaration] {
  /// Checks entries against these declarations: unknown keys with the nearest name, a key written
  /// twice under two of its names, wrong values, missing required options. Defaults are filled in.
  ///
  /// - Returns: values by the options' own names; nil when anything was wrong.
  public func validate(
    _ entries: [LocatedValue.Entry], as name: String, at location: SourceLocation,
    fillDefaults: Bool = true, into diagnostics: inout [Diagnostic]
  ) -> [String: Value]? {
    let errorsBefore = diagnostics.count
    var values: [String: Value] = [:]
    var written: [String: SourceLocation] = [:]
    for entry in entries {
      guard let option = first(where: { $0.isNamed(entry.key) }) else {
        diagnostics.append(
          Diagnostic(
            at: entry.keyLocation, "\(name): unknown key \(LocatedValue.quoted(entry.key))",
            hint: unknownKeyHint(entry.key)))
        continue
      }
      if let earlier = written[option.name] {
        diagnostics.append(
          Diagnostic(
            at: entry.keyLocation,
            "\(name): '\(entry.key)' sets '\(option.name)' again, already set at \(earlier)"))
        continue
      }
      written[option.name] = entry.keyLocation
      if entry.value.isNull, !option.isRequired { continue }
      if let value = option.type.validate(
        entry.value, as: "\(name): \(option.name)", range: option.range, into: &diagnostics)
      {
        values[option.name] = value
      }
    }
    for option in self where written[option.name] == nil && option.isRequired && fillDefaults {
      diagnostics.append(
        Diagnostic(
          at: location, "\(name): '\(option.name)' is missing",
          hint: "it takes \(option.type.expectation)"))
    }
    guard diagnostics.count == errorsBefore else { return nil }
    return fillDefaults ? withDefaults(values) : values
  }

  /// The nearest of all names and aliases, or the list of names when it is short.
  private func unknownKeyHint(_ key: String) -> String {
    if let nearest = NearestName.of(key, in: flatMap { [$0.name] + $0.aliases }) {
      return "did you mean '\(nearest)'?"
    }
    return isEmpty ? "it takes no settings" : NearestName.hint(for: key, in: map(\.name))
  }

  /// The values with defaults for what is absent.
  public func withDefaults(_ values: [String: Value]) -> [String: Value] {
    var values = values
    for option in self where values[option.name] == nil {
      values[option.name] = option.defaultValue
    }
    return values
  }
}
