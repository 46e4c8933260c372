internal import KelvinModel

/// A line of sigrok-cli's output of analog values (`-O analog`): `I1: 141.0 mA DC`, a channel's name, a number with the
/// digits that the device has, a unit with a prefix, and what else the device says of it.
///
/// Source: sigrok-cli 0.7.2 with libsigrok 0.5.2, tried: its demo, scpi-pps and scpi-dmm drivers.
struct SigrokLine: Sendable, Hashable {
  var channel: String
  /// In ``unit``; nil where it is none: `inf` is what a meter shows as overload.
  var value: Double?
  /// With its prefix, as it is printed: `mA`.
  var unit: String
  /// Whether it is beyond the range.
  var isOverload: Bool

  /// Reads a line; nil when it is another one.
  init?(_ line: Span<UInt8>) {
    guard line.count < 512, let colon = Self.colon(line) else { return nil }
    channel = Self.text(line.extracting(0..<colon))
    var words: [Range<Int>] = []
    var place = colon + 1
    while place < line.count, words.count < 2 {
      while place < line.count, LineNumber.isBlank(line[place]) { place += 1 }
      let begin = place
      while place < line.count, !LineNumber.isBlank(line[place]) { place += 1 }
      if begin < place { words.append(begin..<place) }
    }
    guard let first = words.first, !channel.isEmpty, !channel.contains(" ") else { return nil }
    let number = Self.text(line.extracting(first))
    isOverload = ["inf", "-inf", "INF"].contains(number)
    value = LineNumber(line.extracting(first))?.value
    guard value != nil || isOverload || number == "nan" || number == "-nan" else { return nil }
    unit = words.count > 1 ? Self.text(line.extracting(words[1])) : ""
  }

  private static func text(_ bytes: Span<UInt8>) -> String {
    bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
  }

  /// The colon behind the channel's name.
  private static func colon(_ line: Span<UInt8>) -> Int? {
    for place in line.indices where line[place] == UInt8(ascii: ":") {
      return place + 1 < line.count && line[place + 1] == 32 ? place : nil
    }
    return nil
  }

  /// The kind of what is measured, and the factor to its base unit; nil for what is no electrical quantity, or no
  /// temperature.
  static func quantity(_ symbol: String) -> (kind: MeterChannel.Kind, factor: Double)? {
    // libsigrok's prefix for a millionth is the letter.
    guard let unit = Unit(symbol: symbol.replacing("μ", with: "u").replacing("µ", with: "u")),
      let kind = MeterChannel.Kind(rawValue: unit.dimension.rawValue)
    else { return nil }
    return (kind, unit.factor)
  }
}
