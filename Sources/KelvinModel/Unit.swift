/// What a quantity measures; each dimension has one base unit in which values are kept.
public enum Dimension: String, Sendable, Codable, CaseIterable {
  case time, frequency, voltage, current, power, energy, charge, resistance, temperature, size,
    ratio

  /// The base unit: values of this dimension are kept in it.
  public var baseUnit: String {
    switch self {
    case .time: "s"
    case .frequency: "Hz"
    case .voltage: "V"
    case .current: "A"
    case .power: "W"
    case .energy: "J"
    case .charge: "C"
    case .resistance: "ohm"
    case .temperature: "degC"
    case .size: "B"
    case .ratio: ""
    }
  }

  /// An example for messages and help.
  public var example: String {
    switch self {
    case .time: "5 s"
    case .frequency: "1.2 GHz"
    case .voltage: "800 mV"
    case .current: "10 mA"
    case .power: "1.5 W"
    case .energy: "3 J"
    case .charge: "2 mAh"
    case .resistance: "10 mohm"
    case .temperature: "45 degC"
    case .size: "64 KiB"
    case .ratio: "1 %"
    }
  }
}

/// A unit that users may write, as a factor of its dimension's base unit.
public struct Unit: Hashable, Sendable {
  public let symbol: String
  public let dimension: Dimension
  /// How many base units one of these is.
  public let factor: Double

  /// Finds the unit with this symbol: SI prefixes n, u (or µ), m, k, M, G, T before s, Hz, V, A, W,
  /// J, C, ohm; min, h, Ah, Wh (also prefixed); B with k, M, G and Ki, Mi, Gi; degC, mdegC; %, ppm.
  ///
  /// `m` alone is refused: minutes are `min`, meters are not measured here.
  public init?(symbol: String) {
    self.symbol = symbol
    if let (dimension, factor) = Unit.fixed[symbol] {
      self.dimension = dimension
      self.factor = factor
      return
    }
    for (base, dimension, factor) in Unit.prefixable where symbol.hasSuffix(base) {
      guard let prefix = Unit.prefixes[String(symbol.dropLast(base.count))] else { continue }
      self.dimension = dimension
      self.factor = factor * prefix
      return
    }
    return nil
  }

  private static let fixed: [String: (Dimension, Double)] = [
    "min": (.time, 60), "h": (.time, 3600), "d": (.time, 86_400),
    "B": (.size, 1), "kB": (.size, 1e3), "MB": (.size, 1e6), "GB": (.size, 1e9),
    "KiB": (.size, 1024), "MiB": (.size, 1_048_576), "GiB": (.size, 1_073_741_824),
    "degC": (.temperature, 1), "°C": (.temperature, 1), "mdegC": (.temperature, 1e-3),
    "%": (.ratio, 0.01), "ppm": (.ratio, 1e-6)
  ]
  private static let prefixable: [(String, Dimension, Double)] = [
    ("Hz", .frequency, 1), ("ohm", .resistance, 1), ("Ah", .charge, 3600), ("Wh", .energy, 3600),
    ("s", .time, 1), ("V", .voltage, 1), ("A", .current, 1), ("W", .power, 1), ("J", .energy, 1),
    ("C", .charge, 1)
  ]
  private static let prefixes: [String: Double] = [
    "": 1, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12
  ]
}

/// A number with a unit, as written: `1.2 GHz`.
public struct Quantity: Hashable, Sendable {
  /// In the base unit of the dimension.
  public let value: Double
  /// Nil when a bare number was written.
  public let unit: Unit?

  /// Reads `5 s`, `5s`, `1e3 mV`, `-3 degC`, `1 %` or a bare number.
  ///
  /// Nil when the number is malformed or not finite, the unit is unknown, or the text is longer
  /// than 64 bytes.
  public init?(_ text: String) {
    guard text.utf8.count <= 64 else { return nil }
    let trimmed = text.trimmingASCIIWhitespace
    // The longest prefix that reads as a number: "1e3 s" must not end at "1".
    var end = trimmed.endIndex
    while end > trimmed.startIndex {
      let number = trimmed[..<end].trimmingASCIIWhitespace
      if let value = Double(number), value.isFinite, !number.contains(where: \.isHexPrefix) {
        let symbol = trimmed[end...].trimmingASCIIWhitespace
        if symbol.isEmpty {
          self.value = value
          self.unit = nil
          return
        }
        guard let unit = Unit(symbol: String(symbol)) else { return nil }
        self.value = value * unit.factor
        self.unit = unit
        return
      }
      guard trimmed.distance(from: end, to: trimmed.endIndex) < 8 else { return nil }
      end = trimmed.index(before: end)
    }
    return nil
  }
}

extension Character {
  fileprivate var isHexPrefix: Bool { self == "x" || self == "X" || self == "p" || self == "P" }
}

extension StringProtocol {
  /// Without spaces, tabs and line ends at both sides.
  public var trimmingASCIIWhitespace: SubSequence {
    let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0.isNewline }
    guard let first = firstIndex(where: { !isSpace($0) }),
      let last = lastIndex(where: { !isSpace($0) })
    else { return self[startIndex..<startIndex] }
    return self[first...last]
  }
}
