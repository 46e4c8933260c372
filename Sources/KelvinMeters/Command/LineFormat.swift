internal import KelvinPatterns

/// How a line falls into fields.
enum LineFormat: Sendable, Hashable {
  /// At each of these bytes; at runs of blanks when it is one. So many fields are needed.
  case separated(by: UInt8, count: Int)
  case template(LineTemplate)
  /// Groups of a regular expression, by their numbers.
  case pattern(Pattern, groups: [Int])

  /// Where a line's fields are; false when it has not all of them.
  ///
  /// - Throws: when a regular expression does not come to an end within its limits.
  func find(
    in line: Span<UInt8>, _ fields: inout [Range<Int>]
  ) throws(Pattern.LimitFailure) -> Bool {
    switch self {
    case .template(let template): return template.find(in: line, &fields)
    case .pattern(let pattern, let groups):
      return try Self.groups(groups, of: pattern, in: line, &fields)
    case .separated(let separator, let count):
      fields.removeAll(keepingCapacity: true)
      if LineNumber.isBlank(separator) {
        Self.words(of: line, count, &fields)
      } else {
        Self.columns(of: line, separator, count, &fields)
      }
      return fields.count == count
    }
  }

  /// A group that took no part is an empty field, which is no number.
  private static func groups(
    _ groups: [Int], of pattern: Pattern, in line: Span<UInt8>, _ fields: inout [Range<Int>]
  ) throws(Pattern.LimitFailure) -> Bool {
    fields.removeAll(keepingCapacity: true)
    let found: Result<[Range<Int>?]?, Pattern.LimitFailure> = line.withUnsafeBytes { bytes in
      Result { () throws(Pattern.LimitFailure) in
        var ranges: [Range<Int>?] = []
        return try pattern.firstMatch(in: bytes, groups: groups, &ranges) ? ranges : nil
      }
    }
    guard let ranges = try found.get() else { return false }
    for range in ranges { fields.append(range ?? 0..<0) }
    return true
  }

  private static func words(of line: Span<UInt8>, _ count: Int, _ fields: inout [Range<Int>]) {
    var place = 0
    while fields.count < count {
      while place < line.count, LineNumber.isBlank(line[place]) { place += 1 }
      guard place < line.count else { return }
      let start = place
      while place < line.count, !LineNumber.isBlank(line[place]) { place += 1 }
      fields.append(start..<place)
    }
  }

  private static func columns(
    of line: Span<UInt8>, _ separator: UInt8, _ count: Int, _ fields: inout [Range<Int>]
  ) {
    var start = 0
    var place = 0
    while fields.count < count {
      if place == line.count || line[place] == separator {
        fields.append(unquoted(start..<place, in: line))
        if place == line.count { return }
        start = place + 1
      }
      place += 1
    }
  }

  /// Without blanks at both sides and a pair of quotes.
  private static func unquoted(_ field: Range<Int>, in line: Span<UInt8>) -> Range<Int> {
    var (low, high) = (field.lowerBound, field.upperBound)
    while low < high, LineNumber.isBlank(line[low]) { low += 1 }
    while high > low, LineNumber.isBlank(line[high - 1]) { high -= 1 }
    let quote = UInt8(ascii: "\"")
    if high - low >= 2, line[low] == quote, line[high - 1] == quote { return low + 1..<high - 1 }
    return low..<high
  }
}
