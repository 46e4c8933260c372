internal import KelvinModel

/// How values of a file become codes.
///
/// A float is a whole multiple of a power of two; when the largest magnitude and the smallest step
/// of a channel are less than 2^62 apart, all its values are whole multiples of that step, and nothing
/// is lost. Otherwise the step is as small as 63 bits allow, and the caller is told so.
struct ValueCodes {
  /// Value = code * scale + offset.
  private(set) var scale: Double
  private(set) var offset: Double
  /// Whether every value that was looked at is kept to the last bit.
  private(set) var isExact = true

  /// Codes by a scale that is known.
  init(scale: Double, offset: Double) {
    self.scale = scale
    self.offset = offset
  }

  /// Finds the scale for values; those that are not finite are left out.
  init(fitting values: some Sequence<Double>) {
    var largest = 0.0
    var step = Double.infinity
    for value in values where value.isFinite && value != 0 {
      largest = max(largest, value.magnitude)
      // Its last bit that is set.
      let bits = value.significandBitPattern
      let zeros = bits == 0 ? Double.significandBitCount : bits.trailingZeroBitCount
      step = min(step, value.ulp * Self.power(zeros))
    }
    offset = 0
    scale = step.isFinite ? step : 1
    if largest / scale >= 0x1p62 {
      isExact = false
      scale = largest.ulp * 0x1p-9
    }
  }

  private static func power(_ exponent: Int) -> Double {
    Double(sign: .plus, exponent: exponent, significand: 1)
  }

  /// The code of a value; nil when it is not finite or too large.
  func code(_ value: Double) -> Int64? {
    let code = ((value - offset) / scale).rounded()
    return code.magnitude < 0x1p63 ? Int64(code) : nil
  }

  /// Whether a value comes back as it was.
  func holds(_ value: Double) -> Bool {
    guard let code = code(value) else { return false }
    return Double(code) * scale + offset == value
  }
}

/// Values at a fixed rate become blocks, and values that are no numbers gaps between them.
struct SampleRun {
  var channel: Int
  /// Time of the value with index 0, and the distance of the next, in nanoseconds.
  var origin: Int64
  var step: Double
  /// Whether values that are missing become gaps; not where the file's header knows its gaps, since a
  /// slower channel has no value in most places.
  var findsGaps = true

  func time(_ index: Int) -> Int64 { origin &+ Int64((Double(index) * step).rounded()) }

  /// Appends values to a capture.
  func append(_ values: [Double], _ codes: ValueCodes, to capture: inout ImportedCapture) {
    // Times beyond would overflow.
    guard Double(values.count) * step < 0x1p61, origin.magnitude < 1 << 62 else {
      capture.damage =
        capture.damage ?? CaptureFileFailure(.corrupt, "the samples last longer than 70 years")
      return
    }
    var run: [Int64] = []
    var start = 0
    var last: Int?
    for (index, value) in values.enumerated() {
      guard let code = codes.code(value) else {
        capture.append(channel: channel, origin: origin, step: step, index: start, codes: run[...])
        run.removeAll(keepingCapacity: true)
        continue
      }
      if run.isEmpty {
        start = index
        if findsGaps, let last {
          capture.events.append(
            CaptureEvent(
              .gap, channel: channel, from: time(last), to: time(index),
              count: Int64(index - last - 1)))
        }
      }
      run.append(code)
      last = index
    }
    capture.append(channel: channel, origin: origin, step: step, index: start, codes: run[...])
  }
}
