internal import KelvinModel
internal import KelvinStore

/// The option `fields`: which of a file's fields become metrics.
enum FieldChoice {
  static func option(default fields: [String], _ documentation: String) -> OptionDeclaration {
    OptionDeclaration(
      "fields", .list(.text), default: .list(fields.map(Value.text)),
      documentation + " 'all' takes every field that the kernel has.")
  }

  /// The fields with these names, out of those that a file's format has.
  ///
  /// - Throws: a configuration failure that names what is unknown.
  static func pick<Field>(
    _ names: [String], from fields: [Field], name: (Field) -> String
  ) throws(PlainFailure) -> [Field] {
    if names.contains("all") { return fields }
    var picked: [Field] = []
    for wanted in names {
      guard let field = fields.first(where: { name($0) == wanted }) else {
        throw PlainFailure(
          .configuration, "fields: unknown field '\(wanted)'",
          hint: NearestName.hint(for: wanted, in: fields.map(name)))
      }
      picked.append(field)
    }
    return picked
  }

  /// The wanted fields that are there, in the order wanted; the others are logged, with the name
  /// that was probably meant.
  ///
  /// - Throws: ``InstrumentUnavailable`` when none is there.
  static func resolve(
    _ settings: [String: Value], in known: [String], of path: String, instrument: String,
    log: RunLog
  ) throws -> [String] {
    let wanted = settings.texts("fields")
    if wanted.contains("all") { return known }
    let existing = Set(known)
    let missing = wanted.filter { !existing.contains($0) }
    guard missing.count < wanted.count else {
      throw InstrumentUnavailable(
        "\(path): has none of the fields \(wanted.shortList)",
        hint: known.isEmpty ? "the file is empty or has another format" : "")
    }
    if !missing.isEmpty {
      let names = missing.map { name in
        NearestName.of(name, in: known).map { "\(name) (did you mean '\($0)'?)" } ?? name
      }
      log.log(
        .warning, source: instrument, "\(path): this kernel has no \(names.shortList)")
    }
    return wanted.filter(existing.contains)
  }
}

extension [String: Value] {
  /// A list of text; empty when absent.
  func texts(_ name: String) -> [String] {
    self[name]?.list?.compactMap(\.text) ?? []
  }

  /// A flag; false when absent.
  func flag(_ name: String) -> Bool { self[name]?.boolean ?? false }
}
