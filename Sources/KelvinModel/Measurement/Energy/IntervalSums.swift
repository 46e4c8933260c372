/// What is summed up for one interval, block by block, in constant memory.
struct IntervalSums: Sendable {
  let from: Int64
  var to: Int64
  /// Joules that were measured.
  var energy = CompensatedSum()
  /// Coulombs and volt-seconds of the time that was measured.
  var charge = CompensatedSum()
  var voltSeconds = CompensatedSum()
  /// In nanoseconds.
  var covered: Int64 = 0
  /// Within the interval, its ends included.
  var samples: Int64 = 0
  var least = Double.infinity
  var greatest = -Double.infinity
  var longestStep: Int64 = 0
  var waveform = WaveformSums()
  var currentRuns = CodeRuns()
  var voltageRuns = CodeRuns()
  /// Power around the two ends.
  var atStart = Edge()
  var atEnd = Edge()
  var losses = Losses()
  var events: [CaptureEvent.Kind: Int] = [:]
  /// In nanoseconds: events that came after their samples had been counted.
  var doubtful: Int64 = 0
  /// Whether the panel before the one that comes was measured and whole.
  var joined = false
  var isBegun = false

  /// Least and greatest power near an end of the interval, and the power at it.
  struct Edge: Sendable {
    var power: Double?
    var least = Double.infinity
    var greatest = -Double.infinity

    mutating func add(_ power: Double) {
      least = min(least, power)
      greatest = max(greatest, power)
    }
  }
}

/// Runs of equal values: they share one rounding error.
struct CodeRuns: Sendable {
  /// Σ (length of run)², in samples.
  var squares = 0.0
  private var last = Double.nan
  private var length = 0.0

  /// Adds values of the samples in a range, and gives Σ weight·value for the trapezoid with one step.
  @inline(__always)
  mutating func add(_ value: Double) {
    length = value == last ? length + 1 : 1
    last = value
    squares += 2 * length - 1
  }
}
