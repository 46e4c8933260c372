package import KelvinModel

/// Samples of one channel, as the server gives them: their numbers, and when the first of them was.
///
/// Source: qoitech/otii-tcp-client-python, recording.py, get_channel_data: `timestamp` and `interval` in seconds
/// since the recording began, `values` a list of numbers; of digital channels a list of changes, each with its own
/// `timestamp` and a `value` that is true or false.
package struct OtiiPiece: Sendable, Hashable {
  /// What `values` hold.
  package enum Values: Sendable, Hashable {
    /// Codes; .min for what is no number.
    case analog(first: Int64, interval: Double, [Int64])
    /// Nanoseconds since the recording began, and the level from then on.
    case digital([Change])
  }

  /// A digital line took a level.
  package struct Change: Sendable, Hashable {
    package var time: Int64
    package var isHigh: Bool
  }

  package var values: Values

  /// Beyond these, in seconds: a recording of thirty years.
  private static let span = 1e9

  /// Reads the answer's data, whose list was taken out before where it holds plain numbers.
  ///
  /// - Parameters:
  ///   - list: ``OtiiNumbers``' part of the line; nil: the list is in `data`.
  ///   - scale: of the channel, per code.
  /// - Returns: nil when it is none: no times, times beyond reason, a list of something else.
  package init?(_ data: [String: Value], numbers list: [Double]?, scale: Double) {
    if let numbers = list, data["data_type"]?.text ?? "analog" == "analog" {
      guard let seconds = data["timestamp"]?.number, let interval = data["interval"]?.number,
        abs(seconds) < Self.span, interval > 1e-9, interval < 1e6,
        interval * Double(numbers.count) < Self.span
      else {
        // An empty piece needs no times.
        guard numbers.isEmpty else { return nil }
        values = .analog(first: 0, interval: 0, [])
        return
      }
      values = .analog(
        first: Int64((seconds * 1e9).rounded()), interval: interval * 1e9,
        numbers.map { Int64(exactly: ($0 / scale).rounded()) ?? .min })
      return
    }
    var changes: [Change] = []
    for entry in data["values"]?.list ?? [] {
      guard let seconds = entry.map?["timestamp"]?.number, abs(seconds) < Self.span,
        let value = entry.map?["value"]
      else { return nil }
      guard let isHigh = value.boolean ?? value.number.map({ $0 != 0 }) else { return nil }
      changes.append(Change(time: Int64((seconds * 1e9).rounded()), isHigh: isHigh))
    }
    guard data["data_type"]?.text == "digital" else { return nil }
    values = .digital(changes)
  }
}

/// Takes a list of plain numbers out of a line, so that the rest is short and forty thousand numbers do not become
/// as many values of a tree.
package enum OtiiNumbers {
  /// The numbers of `"values":[...]`, and the line without them; nil when there is no such list, or when it holds
  /// anything but numbers and null.
  ///
  /// The bytes `"values"` stand in JSON for that text alone: inside another text their quotes have backslashes.
  package static func extract(_ line: [UInt8]) -> (numbers: [Double], rest: [UInt8])? {
    guard let open = start(line) else { return nil }
    guard let close = line[open...].firstIndex(of: UInt8(ascii: "]")) else { return nil }
    let list = line.span.extracting((open + 1)..<close)
    guard let numbers = numbers(list) else { return nil }
    return (numbers, Array(line[...open] + line[close...]))
  }

  /// Where the list of `"values"` opens.
  private static func start(_ line: [UInt8]) -> Int? {
    let key = Array("\"values\"".utf8)
    var place = 0
    while place + key.count < line.count {
      guard let quote = line[place...].firstIndex(of: key[0]) else { return nil }
      guard line[quote...].starts(with: key) else {
        place = quote + 1
        continue
      }
      var next = quote + key.count
      while next < line.count, isSpace(line[next]) || line[next] == UInt8(ascii: ":") { next += 1 }
      if next < line.count, line[next] == UInt8(ascii: "[") { return next }
      place = quote + 1
    }
    return nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 32 || byte == 9 || byte == 10 || byte == 13
  }

  /// Numbers between commas; null, which JSON has for what is no number, becomes one that is none.
  private static func numbers(_ list: Span<UInt8>) -> [Double]? {
    var numbers: [Double] = []
    numbers.reserveCapacity(list.count / 8)
    var begin = 0
    for place in 0...list.count where place == list.count || list[place] == UInt8(ascii: ",") {
      let field = list.extracting(begin..<place)
      begin = place + 1
      if let number = LineNumber(field) {
        numbers.append(number.value)
      } else if isNothing(field) {
        numbers.append(.nan)
      } else {
        // A list without anything in it.
        return place == list.count && numbers.isEmpty && isBlank(field) ? [] : nil
      }
    }
    return numbers
  }

  private static func isBlank(_ field: Span<UInt8>) -> Bool {
    for place in field.indices where !isSpace(field[place]) { return false }
    return true
  }

  /// `null`, or `NaN` as Python writes it.
  private static func isNothing(_ field: Span<UInt8>) -> Bool {
    var text: [UInt8] = []
    for place in field.indices where !isSpace(field[place]) {
      guard text.count < 8 else { return false }
      text.append(field[place])
    }
    return text == Array("null".utf8) || text == Array("NaN".utf8)
  }
}
