/// A value as the user wrote it: raw text of scalars, order of entries, and where each part stands.
///
/// What a scalar means is decided by the option that reads it (``OptionType``), so that a string
/// option sees `no`, `1.10` or `0x10` as they were written.
public struct LocatedValue: Hashable, Sendable {
  public var location: SourceLocation
  public var content: Content

  public enum Content: Hashable, Sendable {
    case scalar(Scalar)
    case list([LocatedValue])
    case map([Entry])
  }

  /// A scalar's text; `isQuoted` when it can only be a string.
  public struct Scalar: Hashable, Sendable {
    public var text: String
    public var isQuoted: Bool

    /// Creates a scalar.
    public init(_ text: String, isQuoted: Bool = false) {
      self.text = text
      self.isQuoted = isQuoted
    }

    /// Whether this is an unquoted `null`, `~` or nothing (YAML 1.1).
    public var isNull: Bool {
      !isQuoted
        && (text.isEmpty || text == "~" || text == "null" || text == "Null" || text == "NULL")
    }

    /// The value that an untyped reader sees, by the rules of YAML 1.1 that PyYAML and so WA apply:
    /// null, yes/no/on/off/true/false, integers (also 0x, 0o and 0b), floats; otherwise text.
    public var resolved: Value {
      if isQuoted { return .text(text) }
      if isNull { return .null }
      if let flag = asBoolean { return .boolean(flag) }
      if let integer = asInteger { return .integer(integer) }
      if let number = asNumber { return .number(number) }
      return .text(text)
    }

    /// The scalar as a YAML 1.1 boolean, nil when it is none.
    public var asBoolean: Bool? {
      switch text {
      case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": true
      case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": false
      default: nil
      }
    }

    /// The scalar as an integer, nil when it is none or does not fit 64 bits.
    public var asInteger: Int64? {
      var rest = text[...]
      let negative = rest.hasPrefix("-")
      if negative || rest.hasPrefix("+") { rest = rest.dropFirst() }
      guard let first = rest.utf8.first, (0x30...0x39).contains(first), rest.utf8.count <= 128
      else { return nil }
      var digits = rest.filter { $0 != "_" }
      var radix = 10
      if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
        radix = 16
      } else if digits.hasPrefix("0o") {
        radix = 8
      } else if digits.hasPrefix("0b") {
        radix = 2
      }
      if radix != 10 { digits.removeFirst(2) }
      // Int64 itself would take a second sign.
      guard digits.utf8.first != UInt8(ascii: "+"), digits.utf8.first != UInt8(ascii: "-")
      else { return nil }
      return Int64(negative ? "-" + digits : digits, radix: radix)
    }

    /// The scalar as a number, nil when it is none; `1e3`, `.5` and `.inf` count.
    public var asNumber: Double? {
      if let integer = asInteger { return Double(integer) }
      switch text {
      case ".inf", ".Inf", ".INF", "+.inf": return .infinity
      case "-.inf", "-.Inf", "-.INF": return -.infinity
      case ".nan", ".NaN", ".NAN": return .nan
      default: break
      }
      guard text.utf8.count <= 128, let first = text.unicodeScalars.first,
        ("0"..."9").contains(first) || first == "." || first == "-" || first == "+",
        !text.contains(where: { $0.isLetter && $0 != "e" && $0 != "E" })
      else { return nil }
      return Double(text)
    }
  }

  /// A key and its value.
  public struct Entry: Hashable, Sendable {
    public var key: String
    public var keyLocation: SourceLocation
    public var value: LocatedValue

    /// Creates an entry.
    public init(key: String, keyLocation: SourceLocation, value: LocatedValue) {
      self.key = key
      self.keyLocation = keyLocation
      self.value = value
    }
  }

  /// Creates a value.
  public init(_ content: Content, at location: SourceLocation) {
    self.content = content
    self.location = location
  }

  /// The scalar, when this is one.
  public var scalar: Scalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
  /// The elements, when this is a list.
  public var list: [LocatedValue]? { if case .list(let list) = content { list } else { nil } }
  /// The entries in the order written, when this is a map.
  public var map: [Entry]? { if case .map(let map) = content { map } else { nil } }
  /// Whether this is an unquoted null or nothing.
  public var isNull: Bool { scalar?.isNull ?? false }

  /// The value without locations, scalars by the untyped rules of YAML 1.1.
  public var untyped: Value {
    switch content {
    case .scalar(let scalar): scalar.resolved
    case .list(let list): .list(list.map(\.untyped))
    case .map(let map):
      .map(Dictionary(map.map { ($0.key, $0.value.untyped) }) { _, last in last })
    }
  }

  /// What this is, for messages: `'abc'`, `a list`, `a map`, `nothing`.
  public var shortDescription: String {
    switch content {
    case .scalar(let scalar):
      scalar.isNull ? "nothing" : LocatedValue.quoted(scalar.text)
    case .list: "a list"
    case .map: "a map"
    }
  }

  /// The text in single quotes for a message: cut after 60 characters, and printable.
  public static func quoted(_ text: String) -> String {
    let start = text.unicodeScalars.prefix(60)
    let isCut = start.endIndex != text.unicodeScalars.endIndex
    return "'\(printable(String(start)))\(isCut ? "..." : "")'"
  }

  /// The text with control and format characters as `\u{1b}`, so that nothing that a file holds can
  /// drive a terminal.
  public static func printable(_ text: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        shown.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      default: shown.append(scalar)
      }
    }
    return String(shown)
  }
}
