/// What came to a kernel log between two readings of it.
///
/// The log is a ring: lines come at its end while others go at its begin. The second reading
/// therefore begins with some end of the first; the longest is taken for what both have.
struct KernelLogDifference {
  /// The lines that came, with their ends.
  let new: [UInt8]
  let lineCount: Int
  /// Whether the readings have something in common, or the first was empty: then nothing is missing.
  let isContinuous: Bool

  /// Compares two readings; time and memory grow with their sizes alone.
  init(before: [UInt8], after: [UInt8]) {
    let old = Array(KernelText(before))
    let lines = Array(KernelText(after))
    let common = KernelLogDifference.overlap(old, lines)
    let begin = common < lines.count ? lines[common].startIndex : after.endIndex
    new = Array(after[begin...])
    lineCount = lines.count - common
    isContinuous = common > 0 || old.isEmpty
  }

  /// How many lines at the end of `old` are those at the begin of `new`, at most (Knuth, Morris and
  /// Pratt's matching, with lines for characters).
  private static func overlap(_ old: [ArraySlice<UInt8>], _ new: [ArraySlice<UInt8>]) -> Int {
    guard !new.isEmpty else { return 0 }
    // The longest proper begin of new that is also an end of new[...index].
    var border = [Int](repeating: 0, count: new.count)
    var length = 0
    for index in new.indices.dropFirst() {
      while length > 0, new[index] != new[length] { length = border[length - 1] }
      if new[index] == new[length] { length += 1 }
      border[index] = length
    }
    var matched = 0
    for line in old {
      if matched == new.count { matched = border[matched - 1] }
      while matched > 0, line != new[matched] { matched = border[matched - 1] }
      if line == new[matched] { matched += 1 }
    }
    return matched
  }
}
