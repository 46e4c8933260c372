internal import KelvinModel

/// Scalars of YAML files that Kelvin writes.
enum YAMLText {
  /// A scalar that reads back as this text: in single quotes, or with escapes where it holds what is
  /// not printable (devices may say anything of themselves).
  static func quoted(_ text: String) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { (" "..."~").contains($0) }
    guard isPlain else { return "\"" + text.unicodeScalars.map(escaped).joined() + "\"" }
    return "'"
      + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
      + "'"
  }

  /// YAML 1.2, 5.7. Beyond JSON's own, YAML takes U+0085 for a line's end.
  private static func escaped(_ scalar: Unicode.Scalar) -> String {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
      .paragraphSeparator:
      let hex = String(scalar.value, radix: 16)
      return "\\U" + String(repeating: "0", count: 8 - hex.count) + hex
    default: return scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
    }
  }

  /// `{'@ID_PATH': 'pci-0000:00:14.0-usb-0:2', ID_USB_INTERFACE_NUM: '00'}`
  static func match(_ match: DeviceMatch) -> String {
    let entries = match.keys.map { key in
      let name = (key.inAncestors ? "@" : "") + key.name
      // A plain key must not begin with @ (YAML 1.2, 5.3: reserved).
      let isPlain = name.unicodeScalars.allSatisfy {
        ("A"..."Z").contains($0) || ("a"..."z").contains($0) || ("0"..."9").contains($0)
          || $0 == "_"
      }
      return "\(isPlain ? name : quoted(name)): \(quoted(key.value))"
    }
    return "{" + entries.joined(separator: ", ") + "}"
  }

  /// Small letters, digits and dashes, for a name: never empty.
  static func name(_ text: String) -> String {
    let words = text.lowercased().unicodeScalars.split { scalar in
      !(("a"..."z").contains(scalar) || ("0"..."9").contains(scalar))
    }
    return words.isEmpty ? "device" : words.map { String($0) }.joined(separator: "-")
  }
}
