/// A configuration or result value without its location: what JSON can say, with exact integers.
public enum Value: Hashable, Sendable {
  case null
  case boolean(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([Value])
  case map([String: Value])

  /// The text, when this is text.
  public var text: String? { if case .text(let text) = self { text } else { nil } }
  /// The flag, when this is one.
  public var boolean: Bool? { if case .boolean(let flag) = self { flag } else { nil } }
  /// The integer, when this is one.
  public var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }
  /// The number, also of an integer.
  public var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
  /// The elements, when this is a list.
  public var list: [Value]? { if case .list(let list) = self { list } else { nil } }
  /// The entries, when this is a map.
  public var map: [String: Value]? { if case .map(let map) = self { map } else { nil } }

  /// One line for a person: text unquoted at the top, JSON below it.
  public var display: String {
    if case .text(let text) = self { return text }
    return json
  }

  /// Compact JSON with sorted keys, so that equal values give equal text.
  public var json: String {
    var text = ""
    writeJSON(to: &text)
    return text
  }

  /// Appends ``json`` to `text`. Numbers that JSON cannot say (NaN, infinities) become null.
  public func writeJSON(to text: inout String) {
    switch self {
    case .null: text += "null"
    case .boolean(let flag): text += flag ? "true" : "false"
    case .integer(let integer): text += String(integer)
    case .number(let number): text += number.isFinite ? "\(number)" : "null"
    case .text(let string): Value.writeJSON(string, to: &text)
    case .list(let list):
      text += "["
      for (index, element) in list.enumerated() {
        if index > 0 { text += "," }
        element.writeJSON(to: &text)
      }
      text += "]"
    case .map(let map):
      text += "{"
      for (index, entry) in map.sorted(by: { $0.key < $1.key }).enumerated() {
        if index > 0 { text += "," }
        Value.writeJSON(entry.key, to: &text)
        text += ":"
        entry.value.writeJSON(to: &text)
      }
      text += "}"
    }
  }

  /// Appends a JSON string literal: quotes, backslashes and control characters escaped.
  public static func writeJSON(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7f}", "\u{2028}", "\u{2029}":
        let hex = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}

extension Value: Codable {
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let flag = try? container.decode(Bool.self) {
      self = .boolean(flag)
    } else if let integer = try? container.decode(Int64.self) {
      self = .integer(integer)
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else if let text = try? container.decode(String.self) {
      self = .text(text)
    } else if let list = try? container.decode([Value].self) {
      self = .list(list)
    } else {
      self = .map(try container.decode([String: Value].self))
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .boolean(let flag): try container.encode(flag)
    case .integer(let integer): try container.encode(integer)
    case .number(let number): try container.encode(number)
    case .text(let text): try container.encode(text)
    case .list(let list): try container.encode(list)
    case .map(let map): try container.encode(map)
    }
  }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral,
  ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int64) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(arrayLiteral elements: Value...) { self = .list(elements) }
  public init(dictionaryLiteral elements: (String, Value)...) {
    self = .map(Dictionary(elements) { _, last in last })
  }
  public init(nilLiteral: ()) { self = .null }
}
