/// Takes out what a JS110's current shows while its range changes: charge that couples over, for up to eight
/// samples, is no current of the board's.
///
/// How many samples depends on both ranges. They are put on the straight line from the last sample before the change
/// to the first one behind them, as Jetperch's own software does unless it is told otherwise ("interp, 1, n, 1"); where ranges
/// change meanwhile, the longer wait holds. Source: jetperch/pyjoulescope, joulescope/raw_processor.pxi
/// (SUPPRESS_MATRIX_N, process). Used by one thread.
struct JS110Switches: Sendable {
  /// By the range that is entered, then by the one that is left.
  private static let windows: [[UInt8]] = [
    [0, 5, 7, 7, 7, 7, 7, 8], [3, 0, 7, 7, 7, 7, 7, 8], [5, 5, 0, 7, 7, 7, 7, 8],
    [5, 5, 5, 0, 7, 7, 7, 8], [5, 5, 5, 5, 0, 7, 7, 8], [5, 5, 5, 5, 5, 0, 7, 8],
    [5, 5, 5, 5, 5, 5, 0, 8], [0, 0, 0, 0, 0, 0, 0, 0]
  ]
  /// As many in a row, and the next one is taken for settled, whatever the ranges do.
  static let longest = 64

  private var range: Int?
  /// Samples up to the one that is right again, with it; 0: nothing goes on.
  private var left = 0
  /// Of those that wait: the place of the first, the code before it, and how many there are.
  private var start = 0
  private var pre: Int64 = 0
  private var waiting = 0
  /// That were replaced.
  private(set) var replaced: Int64 = 0

  /// How many codes at the end of a run wait for what comes behind them.
  var held: Int { waiting }

  /// Forgets what came before: behind a gap.
  mutating func restart() {
    range = nil
    left = 0
    waiting = 0
  }

  /// Whether what ``take(_:_:codes:at:last:)`` would do is nothing, for samples without a change of range.
  var isIdle: Bool { left == 0 }

  /// Takes in that all of some samples had one range.
  mutating func note(range: Int) { self.range = range }

  /// Says that the first codes of the run were taken away.
  mutating func shift(by count: Int) { start -= count }

  /// Replaces what is not right.
  ///
  /// - Parameters:
  ///   - words: samples as they came.
  ///   - count: of the words, from the first on.
  ///   - codes: of a run, with theirs from `place` on.
  ///   - last: the code before the first of the run.
  mutating func take(
    _ words: RawSpan, _ count: Int, codes: inout [Int64], at place: Int, last: Int64
  ) {
    for index in 0..<count {
      let now = JS110Decoder.range(JS110Decoder.word(words, index))
      let here = place + index
      if let range, now != range {
        let window = Int(Self.windows[now][range])
        if window > 0 {
          left = max(left, window + 1)
          if waiting == 0 {
            start = here
            pre = here > 0 ? codes[here - 1] : last
          }
        }
      }
      range = now
      guard left > 0 else { continue }
      left -= 1
      waiting += 1
      if waiting == Self.longest { left = 0 }
      if left == 0 { settle(&codes) }
    }
  }

  /// The last one that waited is right.
  private mutating func settle(_ codes: inout [Int64]) {
    let step = Double(codes[start + waiting - 1] - pre) / Double(waiting)
    for place in 0..<waiting - 1 {
      codes[start + place] = pre + Int64((step * Double(place + 1)).rounded())
    }
    replaced += Int64(waiting - 1)
    waiting = 0
  }
}
