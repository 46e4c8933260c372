extension Value {
  /// Reads JSON text, such as ``Value/json`` writes; nil when it is malformed, nests deeper than 256
  /// levels, or is followed by anything.
  ///
  /// A number with a point or an exponent stays a number, all others are integers: a general decoder
  /// would turn `5.0` into 5.
  package init?(json text: String) {
    var text = text
    let value = text.withUTF8 { bytes -> Value? in
      var parser = JSONParser(bytes: bytes)
      guard let value = parser.value(depth: 0) else { return nil }
      parser.skipSpace()
      guard parser.isAtEnd else { return nil }
      return value
    }
    guard let value else { return nil }
    self = value
  }

  /// Compact JSON of a map of texts, its keys sorted.
  package static func json(_ map: [String: String]) -> String {
    if map.isEmpty { return "{}" }
    return Value.map(map.mapValues(Value.text)).json
  }

  /// Compact JSON of a list of texts.
  package static func json(_ list: [String]) -> String { Value.list(list.map(Value.text)).json }
}

/// A recursive descent over UTF-8 bytes.
private struct JSONParser {
  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0

  init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  var isAtEnd: Bool { position == bytes.count }

  /// The byte at the position, 0 at the end.
  private var next: UInt8 { position < bytes.count ? bytes[position] : 0 }

  mutating func skipSpace() {
    while next == 0x20 || next == 0x0A || next == 0x0D || next == 0x09 { position += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte, !isAtEnd else { return false }
    position += 1
    return true
  }

  private mutating func take(_ word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard bytes.count - position >= count else { return false }
    for index in 0..<count where bytes[position + index] != word.utf8Start[index] { return false }
    position += count
    return true
  }

  mutating func value(depth: Int) -> Value? {
    guard depth < 256 else { return nil }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return map(depth: depth)
    case UInt8(ascii: "["): return list(depth: depth)
    case UInt8(ascii: "\""): return string().map(Value.text)
    case UInt8(ascii: "t"): return take("true") ? .some(.boolean(true)) : .none
    case UInt8(ascii: "f"): return take("false") ? .some(.boolean(false)) : .none
    case UInt8(ascii: "n"): return take("null") ? .some(.null) : .none
    default: return number()
    }
  }

  private mutating func list(depth: Int) -> Value? {
    position += 1
    var list: [Value] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .list(list) }
    while let element = value(depth: depth + 1) {
      list.append(element)
      skipSpace()
      if take(UInt8(ascii: "]")) { return .list(list) }
      guard take(UInt8(ascii: ",")) else { return nil }
    }
    return nil
  }

  private mutating func map(depth: Int) -> Value? {
    position += 1
    var map: [String: Value] = [:]
    skipSpace()
    if take(UInt8(ascii: "}")) { return .map(map) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\""), let key = string() else { return nil }
      skipSpace()
      guard take(UInt8(ascii: ":")), let element = value(depth: depth + 1) else { return nil }
      map[key] = element
      skipSpace()
      if take(UInt8(ascii: "}")) { return .map(map) }
      guard take(UInt8(ascii: ",")) else { return nil }
    }
  }

  private mutating func number() -> Value? {
    let start = position
    var isInteger = true
    while !isAtEnd {
      switch next {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"), UInt8(ascii: "+"):
        isInteger = false
      default:
        return number(start: start, isInteger: isInteger)
      }
      position += 1
    }
    return number(start: start, isInteger: isInteger)
  }

  private func number(start: Int, isInteger: Bool) -> Value? {
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    return Double(text).map(Value.number)
  }

  private mutating func string() -> String? {
    position += 1
    let start = position
    while !isAtEnd, next != UInt8(ascii: "\""), next != UInt8(ascii: "\\") { position += 1 }
    if next == UInt8(ascii: "\""), !isAtEnd {
      defer { position += 1 }
      return String(decoding: bytes[start..<position], as: UTF8.self)
    }
    var units = Array(bytes[start..<position])
    while !isAtEnd {
      let byte = next
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: units, as: UTF8.self) }
      guard byte == UInt8(ascii: "\\") else {
        units.append(byte)
        continue
      }
      guard let scalar = escape() else { return nil }
      units.append(contentsOf: Array(String(Character(scalar)).utf8))
    }
    return nil
  }

  /// The scalar that an escape stands for, after its backslash.
  private mutating func escape() -> Unicode.Scalar? {
    let byte = next
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let high = hexadecimal() else { return nil }
      guard (0xD800..<0xDC00).contains(high) else { return Unicode.Scalar(high) }
      guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")), let low = hexadecimal(),
        (0xDC00..<0xE000).contains(low)
      else { return nil }
      return Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
    default: return nil
    }
  }

  private mutating func hexadecimal() -> UInt32? {
    guard bytes.count - position >= 4 else { return nil }
    var number: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(next)).hexDigitValue else { return nil }
      number = number << 4 + UInt32(digit)
      position += 1
    }
    return number
  }
}
