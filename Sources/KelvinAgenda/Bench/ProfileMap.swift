internal import KelvinModel

/// The values of a profile, or of a part of one, with the places where they stand.
struct ProfileMap {
  /// What is right, by the options' names.
  private(set) var values: [String: Value] = [:]
  private var located: [String: LocatedValue] = [:]
  /// Starts messages: `board profile 'rock-5b'`.
  let owner: String
  let location: SourceLocation

  /// Checks a map; mistakes go to the checker, what is right is kept.
  ///
  /// - Parameter apart: options whose values the caller checks part by part.
  init(
    _ value: LocatedValue, _ options: [OptionDeclaration], apart: Set<String> = [],
    as owner: String, _ checker: inout ValueChecker
  ) {
    self.owner = owner
    location = value.location
    guard let entries = value.map else {
      checker.diagnostics.error(
        value.location, "\(owner): expected a map, found \(value.shortDescription)")
      return
    }
    values = checker.right(
      entries.filter { !apart.contains($0.key) }, options, as: owner, at: value.location)
    for entry in entries {
      guard let option = options.first(where: { $0.isNamed(entry.key) }) else { continue }
      if !entry.value.isNull { located[option.name] = entry.value }
    }
    for option in options where option.isRequired && located[option.name] == nil {
      checker.diagnostics.error(
        value.location, "\(owner): '\(option.name)' is missing",
        hint: "it takes \(option.type.expectation)")
    }
  }

  /// The value as written; nil when it is not.
  func written(_ name: String) -> LocatedValue? { located[name] }

  /// Where an option's value stands.
  func place(_ name: String) -> SourceLocation { located[name]?.location ?? location }

  func text(_ name: String) -> String? { values[name]?.text }

  func texts(_ name: String) -> [String] { values[name]?.list?.compactMap(\.text) ?? [] }

  /// The elements of a list, checked one by one.
  func elements(
    _ name: String, _ options: [OptionDeclaration], named part: String,
    _ checker: inout ValueChecker
  ) -> [ProfileMap] {
    guard let value = located[name] else { return [] }
    guard let list = value.list else {
      checker.diagnostics.error(
        value.location, "\(owner): \(name): expected a list, found \(value.shortDescription)")
      return []
    }
    return list.prefix(DiagnosticList.limit).map { element in
      let name = element.map?.first { $0.key == "name" }?.value.scalar?.text
      let what = name.map { "\(part) \(LocatedValue.quoted($0))" } ?? "a \(part)"
      return ProfileMap(element, options, as: "\(owner): \(what)", &checker)
    }
  }
}

extension ValueChecker {
  /// The range between two values as written; nil, with a mistake, when the first is above the
  /// second.
  mutating func range(
    _ low: Value?, _ high: Value?, at location: SourceLocation, as owner: String
  ) -> ClosedRange<Double>? {
    guard let low = low?.number, let high = high?.number else { return nil }
    guard low <= high else {
      diagnostics.error(location, "\(owner): 'min' is above 'max'")
      return nil
    }
    return low...high
  }

  /// Says which parts have the same name.
  mutating func refuseRepeats(_ parts: [ProfileMap], of what: String, as owner: String) {
    var places: [String: SourceLocation] = [:]
    for part in parts {
      guard let name = part.text("name") else { continue }
      if let earlier = places[name] {
        diagnostics.error(
          part.place("name"),
          "\(owner): \(what) \(LocatedValue.quoted(name)) is already described at \(earlier)")
      } else {
        places[name] = part.place("name")
      }
    }
  }
}
