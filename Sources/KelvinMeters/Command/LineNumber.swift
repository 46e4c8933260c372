/// A decimal number as programs print it, exactly: mantissa · 10^exponent.
struct LineNumber: Sendable, Hashable {
  var mantissa: Int64
  var exponent: Int

  /// Reads `-12.50`, `1.5e-3`, `+7`, with blanks around it.
  ///
  /// Of more than 19 digits the last are left out. Nil for everything else: `nan`, `inf`, hexadecimal,
  /// words, nothing, and exponents beyond ±300.
  init?(_ text: Span<UInt8>) {
    var place = 0
    var end = text.count
    while place < end, Self.isBlank(text[place]) { place += 1 }
    while end > place, Self.isBlank(text[end - 1]) { end -= 1 }
    guard place < end else { return nil }
    let isNegative = text[place] == UInt8(ascii: "-")
    if isNegative || text[place] == UInt8(ascii: "+") { place += 1 }
    var (value, scale, digits) = (Int64(0), 0, 0)
    var isFraction = false
    while place < end {
      let byte = text[place]
      if byte == UInt8(ascii: "."), !isFraction {
        isFraction = true
      } else if byte >= 48, byte <= 57 {
        digits += 1
        if value < 922_337_203_685_477_580 {
          value = value * 10 + Int64(byte - 48)
          if isFraction { scale -= 1 }
        } else if !isFraction {
          scale += 1
        }
      } else {
        break
      }
      place += 1
    }
    guard digits > 0 else { return nil }
    if place < end, text[place] | 0x20 == UInt8(ascii: "e") {
      guard let power = Self.power(text.extracting((place + 1)..<end)) else { return nil }
      scale += power
      place = end
    }
    guard place == end, abs(scale) <= 300 || value == 0 else { return nil }
    mantissa = isNegative ? -value : value
    exponent = value == 0 ? 0 : scale
  }

  /// The exponent after an `e`.
  private static func power(_ text: Span<UInt8>) -> Int? {
    var place = 0
    let isNegative = text.count > 0 && text[0] == UInt8(ascii: "-")
    if isNegative || text.count > 0 && text[0] == UInt8(ascii: "+") { place = 1 }
    guard place < text.count, text.count - place <= 4 else { return nil }
    var value = 0
    while place < text.count {
      guard text[place] >= 48, text[place] <= 57 else { return nil }
      value = value * 10 + Int(text[place] - 48)
      place += 1
    }
    return isNegative ? -value : value
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 || byte == 13 }

  /// As near as a Double comes.
  var value: Double {
    // Powers of ten up to 22 are exact, and one division rounds once.
    exponent < 0
      ? Double(mantissa) / Self.ten(-exponent) : Double(mantissa) * Self.ten(exponent)
  }

  private static func ten(_ power: Int) -> Double {
    var (result, base, rest) = (1.0, 10.0, power)
    while rest > 0 {
      if rest & 1 == 1 { result *= base }
      base *= base
      rest >>= 1
    }
    return result
  }

  /// The number in units of 10^-digits, rounded to the nearest; nil when it does not fit.
  func scaled(to digits: Int) -> Int64? {
    var (result, shift) = (mantissa, exponent + digits)
    while shift > 0 {
      let (product, isOver) = result.multipliedReportingOverflow(by: 10)
      if isOver { return nil }
      if product == 0 { return 0 }
      result = product
      shift -= 1
    }
    var rounding: Int64 = 0
    while shift < 0, result != 0 || rounding != 0 {
      rounding = result % 10
      result /= 10
      shift += 1
    }
    return result + (rounding >= 5 ? 1 : rounding <= -5 ? -1 : 0)
  }
}
