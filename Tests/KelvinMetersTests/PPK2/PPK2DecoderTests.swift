import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Codes of a PPK2 become currents.
struct PPK2DecoderTests {
  /// The text that a unit answers, read.
  static func metadata(_ unit: PPK2Unit) throws -> PPK2Metadata {
    try #require(
      PPK2Metadata(Array(unit.metadata(millivolts: 3300, mode: 2, faults: PPK2Faults()).utf8)))
  }

  static func decode(
    _ bytes: [UInt8], _ decoder: inout PPK2Decoder
  ) -> (codes: [Int64], notes: PPK2Decoder.Notes) {
    var notes = PPK2Decoder.Notes()
    let codes = [Int64](capacity: bytes.count / 4) { output in
      notes = decoder.decode(bytes.span.bytes, into: &output)
    }
    return (codes, notes)
  }

  /// The simulator turns currents into codes by its own arithmetic.
  @Test func findsTheCurrentsThatWereSent() throws {
    for seed in UInt64(1)...5 {
      let unit = PPK2Unit(seed: seed)
      let calibration = try #require(PPK2Calibration(Self.metadata(unit), volts: 3.3))
      var decoder = PPK2Decoder(calibration, isFiltered: false)
      let wave = PPK2Waveform(unit, volts: 3.3, seed: seed)
      let bytes = (0..<Int64(100_000)).flatMap { sample in
        let word = wave.word(sample)
        return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
      }
      let (codes, notes) = Self.decode(bytes, &decoder)
      var worst = 0.0
      for (sample, code) in codes.enumerated() {
        let truth = wave.truth[sample]
        // A step of the converter in this range, and half of a code.
        let step = 4 * 1.8 / 163_840 / unit.resistance[unit.range(of: truth)] * 1.2
        worst = max(worst, (abs(Double(code) * 1e-8 - truth) - 0.5e-8) / step)
      }
      #expect(worst <= 1, "seed \(seed): \(worst) steps")
      let sum = codes.reduce(0.0) { $0 + Double($1) } * 1e-8 / 100_000
      let mean = wave.mean(from: 0, to: 99_999)
      #expect(abs(sum / mean - 1) < 1e-4, "seed \(seed)")
      // To work and back ten times, of which the first begins the stream, and to send and back.
      #expect(notes.switched.count == 21)
      #expect(notes.saturated.count == 0)
    }
  }

  /// As pc-nrfconnect-ppk describes it, written down once more in its own order.
  static func reference(_ values: [(Double, range: Int)]) -> [Double] {
    var (fast, slow) = (0.0, 0.0)
    var last: Int?
    var (left, inRange) = (0, 0)
    return values.map { value, range in
      let before = (fast, slow)
      fast = last == nil ? value : 0.18 * value + 0.82 * fast
      slow = last == nil ? value : 0.06 * value + 0.94 * slow
      var result = value
      if let last, last != range || left > 0 {
        if last != range { (inRange, left) = (0, 3) } else { inRange += 1 }
        if range == 4 {
          if inRange < 2 { (fast, slow) = before }
          result = slow
        } else {
          result = fast
        }
        left -= 1
      }
      last = range
      return result
    }
  }

  @Test func filtersAsTheApplicationDoes() {
    var random = SeededGenerator(seed: 8)
    for _ in 0..<200 {
      var values: [(Double, range: Int)] = []
      while values.count < 60 {
        let range = Int.random(in: 0..<5, using: &random)
        for _ in 0..<Int.random(in: 1...9, using: &random) {
          values.append((.random(in: 0...1, using: &random), range))
        }
      }
      var filter = PPK2SpikeFilter()
      let filtered = values.map { filter.filter($0.0, range: $0.range) }
      for (mine, theirs) in zip(filtered, Self.reference(values)) {
        #expect(abs(mine - theirs) < 1e-12)
      }
    }
  }

  @Test func tellsWhereItsRangeEnds() throws {
    let calibration = try #require(PPK2Calibration(nil, volts: 3.3))
    var decoder = PPK2Decoder(calibration, isFiltered: true)
    let words: [UInt32] = [100, 0x3fff, 0x3fff | 4 << 14, 0x3ffe | 4 << 14, 7 | 4 << 14]
    let bytes = words.flatMap { word in
      [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
    }
    let notes = Self.decode(bytes, &decoder).notes
    #expect(notes.saturated.first == 1 && notes.saturated.last == 2 && notes.saturated.count == 2)
    #expect(notes.switched.first == 2 && notes.switched.count == 1)
  }
}
