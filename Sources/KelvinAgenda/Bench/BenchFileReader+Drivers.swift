internal import KelvinModel

// Drivers and their options.
extension BenchFileReader {
  /// Reads `{usb-hub: {match: {...}, port: 3}}`, or `local`: one driver with its options.
  mutating func choice(
    _ value: LocatedValue, _ kind: Declaration.Kind, _ owner: String
  ) -> DriverChoice? {
    guard !value.isNull else { return nil }
    let key = kind.rawValue
    if let scalar = value.scalar {
      return choice(
        .init(
          key: scalar.text, keyLocation: value.location,
          value: LocatedValue(.map([]), at: value.location)),
        kind, owner)
    }
    guard let entries = value.map, let first = entries.first else {
      let found = value.list == nil ? "an empty map" : "a list"
      checker.diagnostics.error(
        value.location, "\(owner): \(key): expected one driver with its options, found \(found)",
        hint: "write '\(key): {DRIVER: {OPTION: VALUE}}'")
      return nil
    }
    guard entries.count == 1 else {
      refuseSeveral(entries, value, kind, owner)
      return nil
    }
    return choice(first, kind, owner)
  }

  private mutating func choice(
    _ entry: LocatedValue.Entry, _ kind: Declaration.Kind, _ owner: String
  ) -> DriverChoice? {
    guard let declaration = driverDeclaration(entry.key, kind, at: entry.keyLocation, owner)
    else { return nil }
    let owner = "\(owner): \(kind.rawValue) '\(declaration.name)'"
    var entries = entry.value.map ?? []
    if entry.value.map == nil, !entry.value.isNull {
      guard let shorthand = declaration.shorthand else {
        checker.diagnostics.error(
          entry.value.location,
          "\(owner): expected a map of options, found \(entry.value.shortDescription)",
          hint: declaration.options.isEmpty ? "it takes no options" : "")
        return nil
      }
      entries = [
        .init(key: shorthand.name, keyLocation: entry.value.location, value: entry.value)
      ]
    }
    let options = checker.options(entries, of: declaration, at: entry.keyLocation, as: owner)
    return options.map {
      DriverChoice(declaration.name, options: $0, location: entry.keyLocation)
    }
  }

  private mutating func refuseSeveral(
    _ entries: [LocatedValue.Entry], _ value: LocatedValue, _ kind: Declaration.Kind,
    _ owner: String
  ) {
    let key = kind.rawValue
    if let driver = entries.first(where: { $0.key == "driver" }) {
      let name = driver.value.scalar?.text ?? "DRIVER"
      checker.diagnostics.error(
        driver.keyLocation, "\(owner): \(key): the driver's name stands before its options",
        hint: "write '\(key): {\(LocatedValue.printable(name)): {...}}'")
      return
    }
    var seen: [String: LocatedValue.Entry] = [:]
    for entry in entries.prefix(DiagnosticList.limit) {
      let name = declarations.driver(kind, named: entry.key)?.name ?? entry.key
      if let earlier = seen[name] {
        checker.diagnostics.error(
          entry.keyLocation,
          "\(owner): \(key): \(LocatedValue.quoted(entry.key)) names the same driver as "
            + "\(LocatedValue.quoted(earlier.key)) at \(earlier.keyLocation)",
          hint: "put the options together")
        return
      }
      seen[name] = entry
    }
    let names = entries.prefix(4).map { LocatedValue.quoted($0.key) }.joined(separator: ", ")
    checker.diagnostics.error(
      value.location, "\(owner): \(key): expected one driver, found \(entries.count): \(names)",
      hint: "options stand below the driver's name: '\(key): {DRIVER: {OPTION: VALUE}}'")
  }

  /// The driver of this name; nil with the reason in the diagnostics.
  mutating func driverDeclaration(
    _ name: String, _ kind: Declaration.Kind, at location: SourceLocation, _ owner: String
  ) -> Declaration? {
    if let declaration = declarations.driver(kind, named: name) { return declaration }
    let what = kind == .meter ? "driver" : "\(kind.rawValue) driver"
    checker.diagnostics.error(
      location, "\(owner): unknown \(what) \(LocatedValue.quoted(name))",
      hint: checker.diagnostics.isFull ? "" : declarations.hint(for: name, kind))
    return nil
  }
}

extension ValueChecker {
  /// The options of a driver with its defaults; nil when anything is wrong.
  mutating func options(
    _ entries: [LocatedValue.Entry], of declaration: Declaration, at location: SourceLocation,
    as owner: String
  ) -> [String: Value]? {
    // Keys differ, so most of so many are unknown; the first mistakes are enough.
    let entries = Array(entries.prefix(DiagnosticList.limit))
    var isRight = checkPatterns(entries, declaration.options, as: owner)
    let values = diagnostics.collect { found in
      declaration.options.validate(entries, as: owner, at: location, into: &found)
    }
    for entry in entries {
      guard let option = declaration.options.first(where: { $0.isNamed(entry.key) }),
        option.type == .map(.text), option.name == "match", entry.value.map?.isEmpty == true
      else { continue }
      isRight = false
      diagnostics.error(
        entry.value.location, "\(owner): \(option.name): no key is given, so that anything matches",
        hint: "'kelvin bench scan' prints the keys of what is attached")
    }
    for group in declaration.alternatives {
      let written = entries.filter { entry in
        !entry.value.isNull
          && declaration.options.contains { $0.isNamed(entry.key) && group.names.contains($0.name) }
      }
      let names = group.names.map { "'\($0)'" }.joined(separator: ", ")
      if written.count > 1 {
        isRight = false
        diagnostics.error(
          written[1].keyLocation,
          "\(owner): '\(written[1].key)' and '\(written[0].key)' exclude each other",
          hint: "write one of \(names)")
      } else if written.isEmpty, group.isRequired {
        isRight = false
        diagnostics.error(location, "\(owner): one of \(names) is missing")
      }
    }
    return isRight ? values : nil
  }
}
