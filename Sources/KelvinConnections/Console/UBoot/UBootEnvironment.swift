/// The environment as `printenv` lists it. Pure.
///
/// U-Boot escapes newlines and backslashes of values with a backslash there (hexport_r() in
/// lib/hashtable.c), and tells how many bytes the list has.
package struct UBootEnvironment: Sendable, Hashable {
  /// A variable's name and value.
  package struct Variable: Sendable, Hashable {
    package var name: [UInt8]
    package var value: [UInt8]
  }

  /// In the order of the list.
  package private(set) var variables: [Variable] = []
  /// Whether the list has as many bytes as it says; nil when it does not say.
  package private(set) var isWhole: Bool?

  /// Reads the output of `printenv`. Never fails: what is no variable is left out.
  package init(_ output: [UInt8]) {
    var list = output[...]
    let note = Array("\nEnvironment size: ".utf8)
    if let found = output.lastRange(of: note) {
      list = output[..<found.lowerBound]
      let digits = output[found.upperBound...].prefix { (48...57).contains($0) }
      if let size = Int(String(decoding: digits, as: UTF8.self)) {
        // The size counts the ending zero.
        isWhole = size == list.count + 1
      }
    }
    var name: [UInt8]?
    var text: [UInt8] = []
    var isEscaped = false
    for byte in list {
      if isEscaped {
        isEscaped = false
        // Lists of older versions escape nothing.
        if byte != 10, byte != UInt8(ascii: "\\") { text.append(UInt8(ascii: "\\")) }
        text.append(byte)
        continue
      }
      switch byte {
      case UInt8(ascii: "\\"): isEscaped = true
      case UInt8(ascii: "=") where name == nil: (name, text) = (text, [])
      case 10:
        if let name { variables.append(Variable(name: name, value: text)) }
        (name, text) = (nil, [])
      default: text.append(byte)
      }
    }
    if isEscaped { text.append(UInt8(ascii: "\\")) }
    if let name { variables.append(Variable(name: name, value: text)) }
  }

  /// The value of a variable; nil when there is none.
  package subscript(name: String) -> [UInt8]? {
    variables.first { $0.name.elementsEqual(name.utf8) }?.value
  }
}

extension Array where Element == UInt8 {
  /// Where some bytes come last.
  func lastRange(of bytes: [UInt8]) -> Range<Int>? {
    guard !bytes.isEmpty, count >= bytes.count else { return nil }
    for start in stride(from: count - bytes.count, through: 0, by: -1)
    where self[start] == bytes[0] && self[start...].starts(with: bytes) {
      return start..<start + bytes.count
    }
    return nil
  }
}
