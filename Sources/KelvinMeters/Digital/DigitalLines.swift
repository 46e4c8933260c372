public import KelvinModel

/// Makes samples of digital lines from words that a meter delivers beside its values, a bit for each line.
///
/// Lines rarely change, so of each stretch of one level only the first and the last sample are given: an edge
/// still lies between the same two samples, and a line at rest costs two samples a batch, whatever the meter's
/// rate. Whoever reads such a channel may take the level between two equal samples for theirs, unless an
/// event says that something is missing there (docs/captures.md). Used by one thread.
public struct DigitalLines: Sendable {
  private let channels: [Int]
  private let mask: UInt32
  /// The last word, and when it was; nil before the first and behind a loss.
  private var last: (time: Int64, word: UInt32)?
  /// When the newest sample of each line was that has been handed over.
  private var lastGiven: [Int64?]
  private var times: [[Int64]]
  private var codes: [[Int64]]

  /// - Parameter channels: the channel of each line, the one of the lowest bit first; 32 at most. Their
  ///   kind is `logic`, and their codes are 0 and 1.
  public init(channels: [Int]) {
    precondition(channels.count <= 32)
    self.channels = channels
    mask = channels.count == 32 ? .max : 1 << UInt32(channels.count) &- 1
    lastGiven = channels.map { _ in nil }
    times = channels.map { _ in [] }
    codes = times
  }

  /// Channels of lines that are called by their place: `D0`, `D1`, ...
  public static func channels(named names: [String], site: String = "") -> [Channel] {
    names.map { Channel(name: $0, unit: "", site: site, kind: .logic) }
  }

  /// Takes words that follow each other without a gap, and gives a block for each line.
  ///
  /// The newest word of each batch is among what is given, so that the lines never lag behind the values.
  ///
  /// - Parameters:
  ///   - words: one a sample.
  ///   - times: when they were sampled, on the meter's clock; ascending, also against earlier calls.
  public mutating func take(_ words: Span<UInt32>, _ times: SampleTimes) -> [SampleBlock] {
    precondition(words.count == times.count)
    guard words.count > 0 else { return [] }
    var word = words[0] & mask
    if let last {
      if last.word != word { change(from: last, to: (times[0], word)) }
    } else {
      giveAll((times[0], word))
    }
    for index in 1..<max(1, words.count) where words[index] & mask != word {
      let next = words[index] & mask
      change(from: (times[index - 1], word), to: (times[index], next))
      word = next
    }
    let newest = (times[words.count - 1], word)
    giveAll(newest)
    last = newest
    return hand()
  }

  /// Says that samples are missing behind what was taken: no level is carried over.
  public mutating func lose() { last = nil }

  /// The last sample of the old level, if it has not been given, and the first of the new one.
  private mutating func change(
    from before: (time: Int64, word: UInt32), to after: (time: Int64, word: UInt32)
  ) {
    var changed = before.word ^ after.word
    while changed != 0 {
      let line = changed.trailingZeroBitCount
      changed &= changed &- 1
      give(line, before)
      give(line, after)
    }
  }

  private mutating func giveAll(_ sample: (time: Int64, word: UInt32)) {
    for line in channels.indices { give(line, sample) }
  }

  private mutating func give(_ line: Int, _ sample: (time: Int64, word: UInt32)) {
    if let given = times[line].last ?? lastGiven[line], given >= sample.time { return }
    times[line].append(sample.time)
    codes[line].append(Int64(sample.word >> UInt32(line) & 1))
  }

  private mutating func hand() -> [SampleBlock] {
    channels.indices.compactMap { line in
      guard let newest = times[line].last else { return nil }
      lastGiven[line] = newest
      defer { (times[line], codes[line]) = ([], []) }
      return SampleBlock(channel: channels[line], times: times[line], codes: codes[line])
    }
  }
}
