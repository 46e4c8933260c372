@testable import KelvinMeters

/// Packets as a Monsoon sends them, written down anew for tests.
enum MonsoonPackets {
  enum Kind: UInt8 {
    case measurement = 0x00
    case zero = 0x10
    case invalid = 0x20
    case reference = 0x30
  }

  /// An observation: codes of main coarse and fine, USB coarse and fine, aux coarse and fine, the main
  /// voltage's and the USB voltage's.
  struct Observation {
    var kind: Kind
    var codes: [UInt16]

    init(_ kind: Kind, _ codes: [UInt16]) {
      self.kind = kind
      self.codes = codes
    }

    init(_ codes: [UInt16]) { self.init(.measurement, codes) }
  }

  static func packet(_ observations: [Observation], dropped: UInt16 = 0, size: Int = 64) -> [UInt8]
  {
    var bytes = [UInt8(dropped & 0xff), UInt8(dropped >> 8), 0x07, UInt8(observations.count)]
    for observation in observations {
      for code in observation.codes { bytes += [UInt8(code >> 8), UInt8(code & 0xff)] }
      // The byte that nobody explains, and a gain below the kind.
      bytes += [0x30, observation.kind.rawValue | 0x05]
    }
    return bytes + [UInt8](repeating: 0, count: max(0, size - bytes.count))
  }

  static let zeros: [UInt16] = [1000, 1100, 1200, 1300, 1400, 1500, 0, 0]
  static let references: [UInt16] = [21_000, 21_100, 21_200, 21_300, 21_400, 21_500, 0, 0]

  /// Six zeros and six references of each input, in turn; five would do.
  static let calibrations: [[UInt8]] = (0..<4).map { index in
    packet(
      (0..<3).map { place in
        (3 * index + place) % 2 == 0
          ? Observation(.zero, zeros) : Observation(.reference, references)
      })
  }

  /// An HVPM whose inputs, at 20,000 codes above their zeros, see 1 A (coarse) and 10 mA (fine).
  static func scales() -> MonsoonScales {
    var scales = MonsoonScales(.hvpm, [:])
    scales.references = [1000, 10_000, 1000, 10_000, 1000, 10_000]
    return scales
  }

  /// What a stream gave out.
  struct Seen {
    var codes: [[Int64]] = []
    var numbers: [Int64] = []
    var gaps: [(after: Int64, before: Int64, count: Int64)] = []
    var saturations: [Int64] = []

    mutating func take(_ part: MonsoonStream.Part) {
      switch part {
      case .samples(let first, let columns):
        if codes.isEmpty { codes = columns.map { _ in [] } }
        for column in columns.indices { codes[column] += columns[column] }
        numbers += (0..<Int64(columns[0].count)).map { first + $0 }
      case .gap(let after, let before, let count, _): gaps.append((after, before, count))
      case .saturation(_, let number): saturations.append(number)
      }
    }
  }

  /// A stream that is calibrated and gives out from now on.
  static func stream(
    _ model: MonsoonModel = .hvpm, sites: [MonsoonSite] = [.main], scales: MonsoonScales = scales()
  ) -> MonsoonStream {
    var stream = MonsoonStream(model, scales, sites: sites)
    for packet in calibrations { feed(&stream, packet) }
    stream.isOpen = true
    return stream
  }

  @discardableResult
  static func feed(
    _ stream: inout MonsoonStream, _ bytes: [UInt8], most: Int64 = .max
  ) -> Seen {
    var seen = Seen()
    stream.take(bytes.span.bytes, most: most) { seen.take($0) }
    stream.flush { seen.take($0) }
    return seen
  }

  /// Measurements of one main current each, fine: codes above the zero.
  static func measurements(_ codes: [UInt16], volts: UInt16 = 14_800) -> [Observation] {
    codes.map { Observation([1000, 1100 + $0, 1200, 1300, 1400, 1500, volts, 40_000]) }
  }
}
