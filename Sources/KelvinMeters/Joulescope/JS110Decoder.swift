/// Turns samples of a JS110 that follow each other into codes. Pure; used by one thread.
///
/// A sample is a word of 32 bits, the lowest byte first: bits 0, 1 and 16 are the range of the current, bits 2 to 15 its
/// code, bit 17 is another than in the sample before, bits 18 to 31 are the voltage's code. With inputs, bit 2 is
/// input 0, and bit 18 input 1. All ones stand for a sample that is missing.
/// Source: jetperch/joulescope_driver, src/devices/js110/js110_sample_processor.c; bit 17: pyjoulescope,
/// joulescope/calibration.py (raw_split).
package struct JS110Decoder: Sendable {
  /// Of codes, in amperes and in volts: below a quarter of the finest steps, 1.5 nA and 0.29 mV.
  package static let currentScale = 1e-10
  package static let voltageScale = 1e-5

  package static let wordSize = 4
  static let missing: UInt32 = 0xffff_ffff
  /// In this range nothing flows; its current is 0.
  static let off = 7

  /// What a run of samples showed beside its values; places in that run.
  package struct Notes: Sendable {
    /// Samples at an end of their converter: the first, the last, how many; -1 for none.
    package struct Marks: Sendable {
      package var first = -1
      package var last = -1
      package var count = 0

      @inline(__always)
      mutating func add(_ index: Int) {
        if count == 0 { first = index }
        last = index
        count += 1
      }
    }

    /// How many were decoded: all, or those before one that is missing.
    package var decoded = 0
    package var current = Marks()
    package var voltage = Marks()
    /// Samples whose range is another than the one before.
    package var switched = Marks()
    /// Samples whose bit 17 is that of the one before.
    package var unsteady = Marks()
  }

  /// Code = (converter's code)·slope + constant: of each range, eight so that three bits always find one.
  private let slopes: [Double]
  private let constants: [Double]
  private let voltageSlopes: [Double]
  private let voltageConstants: [Double]
  /// Of a converter's code: all bits, or but the lowest one.
  private let mask: UInt32
  /// Of the sample before: its range, and its word; nil behind a gap.
  private var before: (range: Int, word: UInt32)?

  /// - Parameter hasInputs: whether the lowest bits are inputs; values are taken to lie between both.
  package init(_ calibration: JS110Calibration, hasInputs: Bool) {
    let half = hasInputs ? 0.5 : 0
    let currents = calibration.current + [JS110Calibration.Line(offset: 0, gain: 0)]
    slopes = currents.map { $0.gain / Self.currentScale }
    constants = currents.map { ($0.offset + half) * $0.gain / Self.currentScale }
    voltageSlopes = calibration.voltage.map { $0.gain / Self.voltageScale }
    voltageConstants = calibration.voltage.map {
      ($0.offset + half) * $0.gain / Self.voltageScale
    }
    mask = hasInputs ? 0x3ffe : 0x3fff
  }

  /// Forgets what came before: behind a gap.
  package mutating func restart() { before = nil }

  /// Decodes samples, up to one that is missing.
  ///
  /// - Parameters:
  ///   - words: four bytes a sample, nothing else.
  ///   - voltageRange: 0 for 15 V, 1 for 5 V.
  ///   - current: takes a code of each sample.
  ///   - voltage: as well.
  package mutating func decode(
    _ words: RawSpan, voltageRange: Int, into current: inout OutputSpan<Int64>,
    _ voltage: inout OutputSpan<Int64>
  ) -> Notes {
    let count = words.byteCount / Self.wordSize
    precondition(words.byteCount % Self.wordSize == 0)
    precondition(current.freeCapacity >= count && voltage.freeCapacity >= count)
    var notes = Notes()
    guard count > 0 else { return notes }
    // Arrays of their own, so that spans of them do not hold up the rest of this value.
    let arrays = (slopes, constants)
    let (slopes, constants) = (arrays.0.span, arrays.1.span)
    precondition(slopes.count == 8 && constants.count == 8)
    let voltageSlope = voltageSlopes[voltageRange]
    let voltageConstant = voltageConstants[voltageRange]
    let mask = mask
    // Half of how many codes at an end are that end: one, or two where the lowest bit is an input.
    let end = 0x4000 &- mask
    let first = Self.word(words, 0)
    var range = before?.range ?? Self.range(first)
    var last = before?.word ?? ~first
    var index = 0
    while index < count {
      let word = Self.word(words, index)
      if word == Self.missing { break }
      let now = Self.range(word)
      let i = word >> 2 & mask
      let v = word >> 18 & mask
      current.append(
        Self.rounded(
          Double(Int32(bitPattern: i)) * slopes[unchecked: now] + constants[unchecked: now]))
      voltage.append(Self.rounded(Double(Int32(bitPattern: v)) * voltageSlope + voltageConstant))
      if now != range {
        notes.switched.add(index)
        range = now
      }
      if (word ^ last) & 0x2_0000 == 0 { notes.unsteady.add(index) }
      if (i &+ end) & 0x3fff < 2 &* end, now != Self.off { notes.current.add(index) }
      if (v &+ end) & 0x3fff < 2 &* end { notes.voltage.add(index) }
      last = word
      index &+= 1
    }
    notes.decoded = index
    if index > 0 { before = (range, last) }
    return notes
  }

  @inline(__always)
  static func word(_ words: RawSpan, _ index: Int) -> UInt32 {
    UInt32(
      littleEndian: words.unsafeLoadUnaligned(
        fromUncheckedByteOffset: index &* wordSize, as: UInt32.self))
  }

  @inline(__always)
  static func range(_ word: UInt32) -> Int { Int(word & 3 | word >> 14 & 4) }

  /// To the nearest integer, in the two instructions that every processor has: adding 3·2⁵¹ leaves no bit
  /// behind the point. For values within ±2⁵¹, of which ``JS110Calibration`` makes sure.
  @inline(__always)
  private static func rounded(_ value: Double) -> Int64 {
    let shift = 6_755_399_441_055_744.0
    return Int64(bitPattern: (value + shift).bitPattern) &- Int64(bitPattern: shift.bitPattern)
  }
}
