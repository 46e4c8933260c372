internal import KelvinModel

/// Documentation from the declarations that the code uses.
enum DeclarationText {
  /// A line each: name and summary.
  static func list(_ declarations: [Declaration]) -> String {
    list(declarations.map { ($0.name, $0.summary, $0.verified) })
  }

  /// A line each: name, summary, and what it was checked on.
  static func list(_ things: [(name: String, summary: String, verified: String?)]) -> String {
    let width = things.map(\.name.count).max() ?? 0
    return things.map { name, summary, verified in
      let padding = String(repeating: " ", count: width - name.count)
      // A figure says how far it can be trusted wherever it is offered.
      let note = verified.map { " (verified: \($0))" } ?? ""
      return LocatedValue.printable("\(name)\(padding)  \(summary)\(note)")
    }.joined(separator: "\n")
  }

  /// A page: what it is, its options, its metrics.
  static func page(_ declaration: Declaration, columns: Int) -> String {
    var lines = ["\(declaration.name) (\(declaration.kind.rawValue))", ""]
    lines += wrap(declaration.summary, columns: columns, indent: 0)
    if !declaration.aliases.isEmpty {
      lines += ["", "also called: " + declaration.aliases.joined(separator: ", ")]
    }
    for paragraph in declaration.description.split(separator: "\n\n") {
      lines.append("")
      lines += wrap(
        String(paragraph).replacing("\n", with: " "), columns: columns, indent: 0)
    }
    if let verified = declaration.verified {
      lines += [""] + wrap("verified: \(verified)", columns: columns, indent: 0)
    }
    if !declaration.options.isEmpty {
      lines += ["", "OPTIONS"]
      for option in declaration.options {
        let notes = suffix(option, declaration)
        lines.append("  \(option.name): \(option.type.expectation)\(notes)")
        lines += wrap(option.documentation, columns: columns, indent: 6)
      }
    }
    if !declaration.metrics.isEmpty {
      lines += ["", "METRICS"]
      for metric in declaration.metrics {
        lines.append("  \(metric.name)" + (metric.unit.isEmpty ? "" : " [\(metric.unit)]"))
        lines += wrap(metric.documentation, columns: columns, indent: 6)
      }
    }
    return lines.joined(separator: "\n")
  }

  private static func suffix(_ option: OptionDeclaration, _ declaration: Declaration) -> String {
    var notes: [String] = []
    if option.isRequired { notes.append("required") }
    for group in declaration.alternatives where group.names.contains(option.name) {
      let others = group.names.filter { $0 != option.name }.joined(separator: " or ")
      notes.append(group.isRequired ? "this or \(others) is required" : "excludes \(others)")
    }
    if let value = option.defaultValue { notes.append("default \(value.display)") }
    if !option.aliases.isEmpty { notes.append("also " + option.aliases.joined(separator: ", ")) }
    return notes.isEmpty ? "" : " (" + notes.joined(separator: "; ") + ")"
  }

  /// Lines of at most so many columns, each after a margin.
  static func wrap(_ text: String, columns: Int, indent: Int) -> [String] {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = ""
    for word in text.split(separator: " ") {
      if !line.isEmpty, indent + line.count + 1 + word.count > columns {
        lines.append(margin + line)
        line = ""
      }
      line += line.isEmpty ? String(word) : " " + word
    }
    if !line.isEmpty { lines.append(margin + line) }
    return lines
  }

  /// The declaration as data.
  static func value(_ declaration: Declaration) -> Value {
    .map([
      "kind": .text(declaration.kind.rawValue), "name": .text(declaration.name),
      "aliases": .list(declaration.aliases.map(Value.text)),
      "summary": .text(declaration.summary), "description": .text(declaration.description),
      "verified": declaration.verified.map(Value.text) ?? .null,
      "alternatives": .list(
        declaration.alternatives.map { group in
          .map([
            "names": .list(group.names.map(Value.text)), "required": .boolean(group.isRequired)
          ])
        }),
      "options": .list(
        declaration.options.map { option in
          .map([
            "name": .text(option.name), "type": .text(option.type.expectation),
            "aliases": .list(option.aliases.map(Value.text)),
            "default": option.defaultValue ?? .null, "required": .boolean(option.isRequired),
            "documentation": .text(option.documentation)
          ])
        }),
      "metrics": .list(
        declaration.metrics.map { metric in
          .map([
            "name": .text(metric.name), "unit": .text(metric.unit),
            "documentation": .text(metric.documentation)
          ])
        })
    ])
  }
}
