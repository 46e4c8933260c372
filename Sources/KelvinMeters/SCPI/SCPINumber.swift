/// A number in an instrument's answer.
package enum SCPINumber: Sendable, Hashable {
  /// - Parameter step: what its last digit stands for: 0.001 of `3.300`.
  case value(Double, step: Double)
  /// The instrument could not measure as much: 9.9E37 stands for infinity, and −9.9E37 for its opposite
  /// (SCPI 1999, volume 1, 7.2.1.4; Rohde & Schwarz's and Siglent's manuals say the same).
  case overload(isNegative: Bool)
  /// There is no value: 9.91E37 (SCPI 1999, 7.2.1.5); Keysight's supplies say so of an overload, too.
  case notANumber

  /// Reads the forms NR1, NR2 and NR3 of IEEE 488.2, 8.7.2 to 8.7.4: `7`, `3.300`, `+1.234560E-03`; and the
  /// words `INF`, `NINF`, `NAN`, which some instruments send. Blanks around it (bytes up to 32, 7.4.1.2) are
  /// passed over.
  ///
  /// - Returns: nil when it is anything else: a unit behind it, too, since nobody knows which.
  package init?(_ text: some Collection<UInt8>) {
    let bytes = Self.trimmed(text)
    // The longest that anybody sends has some twenty characters.
    guard !bytes.isEmpty, bytes.count <= 40 else { return nil }
    switch String(decoding: bytes, as: UTF8.self).uppercased() {
    case "INF", "+INF", "INFINITY": self = .overload(isNegative: false)
    case "NINF", "-INF", "NINFINITY": self = .overload(isNegative: true)
    case "NAN", "+NAN", "-NAN": self = .notANumber
    default:
      guard let (number, step) = Self.decimal(bytes) else { return nil }
      self.init(number, step: step)
    }
  }

  /// Makes one of a number, whatever it stands for.
  package init(_ number: Double, step: Double) {
    // As single floats the two differ by a thousand times their precision.
    switch abs(number) {
    case ..<9.8e37: self = .value(number, step: step)
    case ..<9.905e37: self = .overload(isNegative: number < 0)
    default: self = .notANumber
    }
  }

  private static func trimmed(_ text: some Collection<UInt8>) -> [UInt8] {
    func isBlank(_ byte: UInt8) -> Bool { byte <= 32 }
    let front = Array(text.drop(while: isBlank))
    return Array(front[..<(front.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? 0)])
  }

  private static func decimal(_ bytes: [UInt8]) -> (number: Double, step: Double)? {
    var place = 0
    func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
    func sign() {
      if place < bytes.count, bytes[place] == 43 || bytes[place] == 45 { place += 1 }
    }
    func digits() -> Int {
      let start = place
      while place < bytes.count, isDigit(bytes[place]) { place += 1 }
      return place - start
    }
    sign()
    var count = digits()
    var behindPoint = 0
    if place < bytes.count, bytes[place] == 46 {
      place += 1
      behindPoint = digits()
      count += behindPoint
    }
    guard count > 0 else { return nil }
    var exponent = 0
    if place < bytes.count, bytes[place] | 32 == 101 {
      place += 1
      let start = place
      sign()
      let length = digits()
      guard (1...4).contains(length),
        let read = Int(String(decoding: bytes[start..<place], as: UTF8.self))
      else { return nil }
      exponent = read
    }
    guard place == bytes.count, let number = Double(String(decoding: bytes, as: UTF8.self)) else {
      return nil
    }
    return (number, power(of: exponent - behindPoint))
  }

  /// Of ten; exactly what is written `1e-3`.
  private static func power(of exponent: Int) -> Double { Double("1e\(exponent)") ?? 0 }
}
