/// What the kernel says of one CPU's ring buffer in its file `stats`.
struct TraceStatistics: Sendable, Hashable {
  /// Events that are there to be read.
  var entries: UInt64 = 0
  /// Events that newer ones took the place of.
  var overrun: UInt64 = 0
  /// Events that came, by interrupts, while a page was full of unfinished ones.
  var commitOverrun: UInt64 = 0
  /// Events that found the buffer full, where new ones do not replace old ones.
  var dropped: UInt64 = 0

  /// Events that happened and are not in the buffer.
  var lost: UInt64 {
    [overrun, commitOverrun, dropped].reduce(0) { sum, count in
      let (sum, overflow) = sum.addingReportingOverflow(count)
      return overflow ? .max : sum
    }
  }

  /// Reads the text: `NAME: NUMBER` lines; what is missing counts as 0.
  init(_ text: [UInt8]) {
    for line in KernelText(text) {
      guard let colon = line.lastIndex(of: UInt8(ascii: ":")),
        let count: UInt64 = KernelText.integer(KernelText.trim(line[(colon + 1)...]))
      else { continue }
      switch KernelText.string(line[..<colon]) {
      case "entries": entries = count
      case "overrun": overrun = count
      case "commit overrun": commitOverrun = count
      case "dropped events": dropped = count
      default: break
      }
    }
  }
}
