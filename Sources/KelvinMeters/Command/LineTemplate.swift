/// How a line is written, with names in braces for what changes: `P = {power} W, U = {voltage} V`.
///
/// Each name takes what is there up to the text that follows it; `{}` takes it, too, and nobody wants it.
/// Blanks in the template are any number of blanks in the line. What follows the last text may be
/// anything. `{{` and `}}` are braces. A line is gone through once for each text: nothing is tried
/// again, so that no line can take long.
struct LineTemplate: Sendable, Hashable {
  /// What stands before the first name.
  private var head: [UInt8] = []
  /// What stands after each name; empty at the end of the line only.
  private var tails: [[UInt8]] = []
  /// In the order in which they are written; empty for `{}`.
  private(set) var names: [String] = []

  /// Why a text is no template.
  struct Problem: Error, Hashable { var text: String }

  /// Reads a template.
  init(_ text: String) throws(Problem) {
    var literal: [UInt8] = []
    let bytes = Array(text.utf8)
    var place = 0
    while place < bytes.count {
      let byte = bytes[place]
      let next = place + 1 < bytes.count ? bytes[place + 1] : 0
      guard byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") else {
        literal.append(byte)
        place += 1
        continue
      }
      if next == byte {
        literal.append(byte)
        place += 2
        continue
      }
      guard byte == UInt8(ascii: "{"), let end = bytes[place...].firstIndex(of: UInt8(ascii: "}"))
      else { throw Problem(text: "a brace stands alone; braces themselves are written twice") }
      if names.isEmpty {
        head = literal
      } else if literal.isEmpty {
        throw Problem(text: "two names without a text between them")
      } else {
        tails.append(literal)
      }
      literal = []
      names.append(String(decoding: bytes[(place + 1)..<end], as: UTF8.self))
      place = end + 1
    }
    guard !names.isEmpty else { throw Problem(text: "it has no {name}") }
    tails.append(literal)
  }

  /// Where each name's text is in a line; false when the line is another one.
  func find(in line: Span<UInt8>, _ fields: inout [Range<Int>]) -> Bool {
    fields.removeAll(keepingCapacity: true)
    var place = Self.afterBlanks(in: line, from: 0)
    if !head.isEmpty {
      guard let end = Self.match(head, in: line, at: place) else { return false }
      place = end
    }
    for tail in tails {
      place = Self.afterBlanks(in: line, from: place)
      guard !tail.isEmpty else {
        fields.append(place..<line.count)
        return true
      }
      var end = place
      var after: Int?
      while end < line.count {
        after = Self.match(tail, in: line, at: end)
        if after != nil { break }
        end += 1
      }
      guard let after else { return false }
      fields.append(place..<end)
      place = after
    }
    return true
  }

  private static func afterBlanks(in line: Span<UInt8>, from start: Int) -> Int {
    var place = start
    while place < line.count, LineNumber.isBlank(line[place]) { place += 1 }
    return place
  }

  /// The place behind a text that stands at a place; nil when it does not.
  private static func match(_ text: [UInt8], in line: Span<UInt8>, at start: Int) -> Int? {
    var place = start
    var index = 0
    while index < text.count {
      if LineNumber.isBlank(text[index]) {
        while index < text.count, LineNumber.isBlank(text[index]) { index += 1 }
        let after = afterBlanks(in: line, from: place)
        // At the end of a line blanks may be missing.
        guard after > place || index == text.count && place == line.count else { return nil }
        place = after
        continue
      }
      guard place < line.count, line[place] == text[index] else { return nil }
      place += 1
      index += 1
    }
    return place
  }
}
