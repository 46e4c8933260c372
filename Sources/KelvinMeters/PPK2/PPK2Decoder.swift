internal import KelvinModel

/// Turns samples of a PPK2 that are known to be in order into codes.
///
/// A code of current is ``scale``: a quarter of the finest step of the converter, so that rounding to it
/// adds nothing. Used by one thread.
package struct PPK2Decoder: Sendable {
  /// In amperes.
  static let scale = 1e-8

  /// What a run of samples showed beside its values.
  package struct Notes: Sendable {
    /// Samples at the converter's end: the first, the last, how many; -1 for none.
    package var saturated = (first: -1, last: -1, count: 0)
    /// Samples whose range is another than the one before.
    package var switched = (first: -1, last: -1, count: 0)
  }

  /// Of a code of current: coefficients of each range, eight so that three bits always find one.
  private let origins: [Double]
  private let squares: [Double]
  private let slopes: [Double]
  private let constants: [Double]
  private let isFiltered: Bool
  private var filter = PPK2SpikeFilter()
  private var range = -1

  /// - Parameter isFiltered: whether Nordic's spike filter is applied.
  package init(_ calibration: PPK2Calibration, isFiltered: Bool) {
    func padded(_ value: (PPK2Calibration.Range) -> Double) -> [Double] {
      calibration.ranges.map(value) + Array(repeating: 0, count: 8 - PPK2Calibration.rangeCount)
    }
    origins = padded { $0.origin }
    squares = padded { $0.square / Self.scale }
    slopes = padded { $0.slope / Self.scale }
    constants = padded { $0.constant / Self.scale }
    self.isFiltered = isFiltered
  }

  /// Forgets what came before: behind a gap.
  mutating func restart() {
    filter = PPK2SpikeFilter()
    range = -1
  }

  /// Decodes samples.
  ///
  /// - Parameters:
  ///   - bytes: four a sample, nothing else.
  ///   - codes: takes one of each sample.
  /// - Returns: what they showed.
  package mutating func decode(_ bytes: RawSpan, into codes: inout OutputSpan<Int64>) -> Notes {
    let count = bytes.byteCount / PPK2Word.size
    precondition(codes.freeCapacity >= count && bytes.byteCount % PPK2Word.size == 0)
    var notes = Notes()
    // Arrays of their own, so that spans of them do not hold up the rest of this value.
    let arrays = (origins, squares, slopes, constants)
    let (origins, squares) = (arrays.0.span, arrays.1.span)
    let (slopes, constants) = (arrays.2.span, arrays.3.span)
    precondition(
      origins.count == 8 && squares.count == 8 && slopes.count == 8 && constants.count == 8)
    var filter = filter
    var range = range
    for index in 0..<count {
      let word = PPK2Word(
        UInt32(
          littleEndian: bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: index &* PPK2Word.size, as: UInt32.self)))
      let now = word.range
      let distance = Double(Int32(truncatingIfNeeded: word.adc &* 4)) - origins[unchecked: now]
      var value =
        (squares[unchecked: now] * distance + slopes[unchecked: now]) * distance
        + constants[unchecked: now]
      if isFiltered { value = filter.filter(value, range: now) }
      codes.append(Self.rounded(value))
      if now != range {
        if range >= 0 { Self.note(index, &notes.switched) }
        range = now
      }
      if word.adc == PPK2Word.greatest { Self.note(index, &notes.saturated) }
    }
    self.filter = filter
    self.range = range
    return notes
  }

  /// To the nearest integer, in the two instructions that every processor has: adding 3·2⁵¹ leaves no bit
  /// behind the point. For values within ±2⁵¹, of which ``PPK2Calibration`` makes sure.
  @inline(__always)
  private static func rounded(_ value: Double) -> Int64 {
    let shift = 6_755_399_441_055_744.0
    return Int64(bitPattern: (value + shift).bitPattern) &- Int64(bitPattern: shift.bitPattern)
  }

  private static func note(_ index: Int, _ run: inout (first: Int, last: Int, count: Int)) {
    if run.count == 0 { run.first = index }
    run.last = index
    run.count += 1
  }
}
