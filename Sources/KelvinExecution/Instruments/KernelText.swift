/// The text of /proc and /sys as lines, blank-separated fields and decimal numbers.
///
/// Works on bytes, because a target may send anything; nothing is copied until a string is asked
/// for.
struct KernelText: Sequence {
  let bytes: [UInt8]

  /// Wraps a file's content; the sequence is its lines without their ends.
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The content without blanks and line ends at both sides, as text.
  var trimmed: String { KernelText.string(bytes[...]) }

  /// The one number that the file holds; nil when it holds anything else.
  var integer: Int64? { KernelText.integer(KernelText.trim(bytes[...])) }

  /// The one counter that the file holds; nil when it holds anything else.
  var counter: UInt64? { KernelText.integer(KernelText.trim(bytes[...])) }

  func makeIterator() -> Lines { Lines(rest: bytes[...]) }

  struct Lines: IteratorProtocol {
    var rest: ArraySlice<UInt8>

    mutating func next() -> ArraySlice<UInt8>? {
      guard !rest.isEmpty else { return nil }
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
        defer { rest = [] }
        return rest
      }
      defer { rest = rest[(end + 1)...] }
      return rest[..<end]
    }
  }

  /// The fields of a line, separated by any number of blanks.
  struct Fields: Sequence, IteratorProtocol {
    /// What has not been given yet.
    var rest: ArraySlice<UInt8>

    init(_ line: ArraySlice<UInt8>) { rest = line }

    mutating func next() -> ArraySlice<UInt8>? {
      guard let begin = rest.firstIndex(where: { !KernelText.isBlank($0) }) else {
        rest = []
        return nil
      }
      let end = rest[begin...].firstIndex(where: KernelText.isBlank) ?? rest.endIndex
      defer { rest = rest[end...] }
      return rest[begin..<end]
    }
  }

  /// A decimal number that fills the whole field and fits; nil for anything else.
  static func integer<Number: FixedWidthInteger>(_ field: ArraySlice<UInt8>) -> Number? {
    var digits = field
    let isNegative = Number.isSigned && digits.first == UInt8(ascii: "-")
    if isNegative { digits = digits.dropFirst() }
    guard !digits.isEmpty else { return nil }
    var value: Number = 0
    for byte in digits {
      guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
      let digit = Number(byte - UInt8(ascii: "0"))
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (next, overflowToo) =
        isNegative
        ? tens.subtractingReportingOverflow(digit) : tens.addingReportingOverflow(digit)
      guard !overflow, !overflowToo else { return nil }
      value = next
    }
    return value
  }

  /// The bytes without blanks at both sides, as text; what is not UTF-8 becomes U+FFFD.
  static func string(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: trim(field), as: UTF8.self)
  }

  static func trim(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let begin = field.firstIndex(where: { !isBlank($0) }),
      let last = field.lastIndex(where: { !isBlank($0) })
    else { return [] }
    return field[begin...last]
  }

  static func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || (byte >= 9 && byte <= 13) || byte == 0
  }
}
