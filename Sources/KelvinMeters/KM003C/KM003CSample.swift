/// A sample of the queue, 20 bytes, little-endian: number (a counter of milliseconds, of 16 bits), a mark that
/// nobody explains, V in µV, I in µA, then CC1, CC2, D+ and D- in the unit of ``KM003CRate/lineScale``.
///
/// Source: okhsunrog/km003c-protocol-research, docs/features/adcqueue.md.
struct KM003CSample {
  let number: UInt16
  /// In the order of ``KM003CColumn``.
  let codes: InlineArray<6, Int32>

  /// - Parameters:
  ///   - bytes: of a reply.
  ///   - place: where the sample begins; all of it is there.
  init(_ bytes: RawSpan, at place: Int) {
    number = bytes.word(place)
    codes = [
      bytes.long(place + 4), bytes.long(place + 8), Int32(bytes.word(place + 12)),
      Int32(bytes.word(place + 14)), Int32(bytes.word(place + 16)), Int32(bytes.word(place + 18))
    ]
  }
}

/// The values of a moment: V in µV and I in µA at 0 and 4, temperature in 1/128 °C at 24, CC1, CC2, D+ and D- in
/// 0.1 mV from 26 on. What stands between are averages over a time that nobody tells.
///
/// Source: as above; the kernel's drivers/hwmon/powerz.c has the same fields.
struct KM003CValues {
  /// In the order of ``KM003CColumn``.
  let codes: InlineArray<7, Int32>

  /// - Parameters:
  ///   - bytes: of a reply.
  ///   - range: of the part.
  /// - Returns: nil when the part is shorter than such values are.
  init?(_ bytes: RawSpan, _ range: Range<Int>) {
    guard range.count >= KM003CReply.valuesSize else { return nil }
    let place = range.lowerBound
    codes = [
      bytes.long(place), bytes.long(place + 4), Int32(bytes.word(place + 26)),
      Int32(bytes.word(place + 28)), Int32(bytes.word(place + 30)), Int32(bytes.word(place + 32)),
      Int32(Int16(bitPattern: bytes.word(place + 24)))
    ]
  }
}

/// What is measured; raw values are places in ``KM003CSample/codes`` and ``KM003CValues/codes``, of which the
/// queue has all but the temperature.
enum KM003CColumn: Int, Sendable, CaseIterable {
  case voltage, current, cc1, cc2, dPlus, dMinus, temperature

  /// Of the lines in the values of a moment, in volts.
  static let lineScale = 1e-4
}

extension RawSpan {
  fileprivate func word(_ place: Int) -> UInt16 {
    UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: place, as: UInt16.self))
  }

  fileprivate func long(_ place: Int) -> Int32 {
    Int32(littleEndian: unsafeLoadUnaligned(fromByteOffset: place, as: Int32.self))
  }
}
