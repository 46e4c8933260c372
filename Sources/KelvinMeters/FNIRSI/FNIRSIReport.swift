internal import KelvinModel

/// What a FNIRSI tester sends: reports of 64 bytes, each of four samples, a hundredth of a second apart.
///
/// Bytes 0 and 1 are aa 04; then four times 15 bytes, the lowest one first: voltage and current in 10 µ of their units,
/// 32 bits each; D+ and D- in mV, 16 bits; a byte that is 1; temperature in 0.1 °C, 16 bits. Byte 62 is unknown, and
/// byte 63 a checksum of bytes 1 to 62. There is no number and no time in it.
///
/// Source: baryluk/fnirsi-usb-power-data-logger, fnirsi_logger.py; the checksum: PyPI's usb-multimeter 3.0.0,
/// usb_meter.py. That voltage and current have a sign is read as fqueze/usb-power-profiling reads them.
struct FNIRSIReport: Sendable, Hashable {
  /// Of a report, in bytes.
  static let size = 64
  /// With which each begins.
  static let mark: UInt8 = 0xaa
  /// Of samples, as the second byte.
  private static let ofSamples: UInt8 = 0x04
  /// Samples of one, and from one to the next, in nanoseconds.
  static let samples = 4
  static let period: Int64 = 10_000_000
  private static let sampleSize = 15

  static let channels = [
    Channel.tester("voltage", .voltage, "V", 1e-5),
    Channel.tester("current", .current, "A", 1e-5),
    Channel.tester("data-plus", .voltage, "V", 1e-3),
    Channel.tester("data-minus", .voltage, "V", 1e-3),
    Channel.tester("temperature", .temperature, "degC", 0.1)
  ]

  /// Channel by channel, four codes each.
  let codes: [[Int64]]

  /// What some bytes are.
  enum Kind: Sendable, Hashable {
    case samples(FNIRSIReport)
    /// A report of another kind, such as the answer to the first command.
    case other
    /// No report: another size, or another beginning.
    case foreign
    /// Its checksum is wrong.
    case damaged
  }

  /// - Parameter isChecked: whether the checksum must be right.
  static func read(_ bytes: RawSpan, isChecked: Bool) -> Kind {
    guard bytes.byteCount == size else { return .foreign }
    let all = (0..<size).map { bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    guard all[0] == mark else { return .foreign }
    guard all[1] == ofSamples else { return .other }
    guard !isChecked || checksum(all[1..<(size - 1)]) == all[size - 1] else { return .damaged }
    let number = TesterBytes(all[...])
    var codes = channels.map { _ in [Int64]() }
    for sample in 0..<samples {
      let place = 2 + sample * sampleSize
      codes[0].append(Int64(Int32(bitPattern: number.little32(place))))
      codes[1].append(Int64(Int32(bitPattern: number.little32(place + 4))))
      codes[2].append(Int64(number.little16(place + 8)))
      codes[3].append(Int64(number.little16(place + 10)))
      codes[4].append(Int64(number.little16(place + 13)))
    }
    return .samples(FNIRSIReport(codes: codes))
  }

  /// A remainder of 8 bits: of polynomial 0x39, highest bit first, from 0x42. The published commands end with it.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt8 {
    var sum: UInt8 = 0x42
    for byte in bytes {
      sum ^= byte
      for _ in 0..<8 { sum = sum & 0x80 != 0 ? sum << 1 ^ 0x39 : sum << 1 }
    }
    return sum
  }
}
