internal import KelvinModel
internal import KelvinPatterns

/// What a program's lines hold, and how they are read.
struct LinePlan: Sendable {
  enum Field: Sendable, Hashable { case time, unused, channel(Int) }

  /// How a printed number becomes a code of its channel.
  struct Coding: Sendable, Hashable {
    /// Codes in one of what is printed.
    var factor: Double
    /// Each line holds what was added since the line before; the sum makes a counter.
    var isSummed: Bool
    /// High where it is not 0.
    var isLevel = false
  }

  /// Where the time of a line comes from.
  enum Timing: Sendable, Hashable {
    /// Printed, in units of 10^-digits seconds.
    case printed(Clock, digits: Int)
    /// Lines come at an even pace, and are counted.
    case counted
    /// When a line came, which is so late at most, in nanoseconds.
    case arrival(late: Double)
  }

  /// Which clock printed times are of.
  enum Clock: String, Sendable, Hashable, CaseIterable {
    /// This machine's CLOCK_MONOTONIC.
    case monotonic
    /// The wall clock of this machine, since 1970.
    case epoch
    /// One that only the lines' arrival tells something about.
    case own
  }

  var format: LineFormat
  var fields: [Field]
  var channels: [Channel]
  /// Of each channel.
  var codings: [Coding]
  var timing: Timing
  /// Nanoseconds from line to line, as stated; needed where lines are counted.
  var period: Double?
  /// Lines at the beginning that are passed over.
  var header: Int
  /// What lines that are passed over begin with; empty: there are none.
  var comment: [UInt8]
  /// Lines that it matches are passed over, too.
  var skip: Pattern?
}

extension LinePlan {
  /// What would show that a line is missing.
  var witnesses: [String] {
    switch timing {
    case .counted: ["host clock against line count"]
    case .printed: period == nil ? [] : ["time stamps against rate"]
    case .arrival: []
    }
  }
}

extension LinePlan {
  /// Whether nothing is looked for in a line: it is empty, a comment, or one that is to be skipped.
  ///
  /// - Throws: when a regular expression does not come to an end within its limits.
  func passesOver(_ line: Span<UInt8>) throws(Pattern.LimitFailure) -> Bool {
    var start = 0
    while start < line.count, LineNumber.isBlank(line[start]) { start += 1 }
    guard start < line.count else { return true }
    if isComment(line.extracting(start..<line.count)) { return true }
    guard let skip else { return false }
    let found = line.withUnsafeBytes { bytes in
      Result { () throws(Pattern.LimitFailure) in try skip.firstMatch(in: bytes, group: 0) }
    }
    return try found.get() != nil
  }

  private func isComment(_ text: Span<UInt8>) -> Bool {
    guard !comment.isEmpty, text.count >= comment.count else { return false }
    for index in comment.indices where text[index] != comment[index] { return false }
    return true
  }
}
