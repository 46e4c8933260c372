internal import KelvinModel

/// What is known of a channel while its capture goes on: the samples of the block that is not full yet,
/// and the entries of each level that are not a row yet. Its size does not grow with the capture.
struct ChannelWriter {
  /// What becomes of an append, in the order in which it is written.
  struct Output {
    /// Writes the block that the encoder holds, over the row that has it already. Gives the row.
    var block:
      (_ row: Int64?, _ ordinal: Int64, _ count: Int, SampleSummary, BlockEncoder) throws -> Int64
    /// Writes a full row of a level.
    var row: (_ level: Int, _ ordinal: Int64, ByteBuffer) throws -> Void
  }

  /// Full blocks so far.
  private var closed: Int64 = 0
  /// The row of the block that is not full.
  private var openRow: Int64?
  /// The samples behind them; their times are computed when ``regular`` is not nil.
  private var codes: [Int64] = []
  private var times: [Int64] = []
  private var regular: RegularTimes?
  /// The last sample before ``codes``.
  private var previous: SamplePoint?
  /// When the last sample was taken.
  private var lastTime: Int64?
  /// Of each level from 1 on: the entries that are not in a row yet, and the rows.
  private var pending: [[SampleSummary]] = []
  private var rows: [Int64] = []
  private var gaps: [Gap] = []

  /// Gaps that are remembered until all that was measured before their end is in full blocks.
  private static let mostGaps = 4096

  /// Notes that nothing was measured between two times.
  mutating func add(_ gap: Gap) {
    if gaps.count == ChannelWriter.mostGaps { gaps.removeFirst(gaps.count / 2) }
    gaps.append(gap)
  }

  /// Why a block cannot follow; nil when it can.
  func objection(to block: SampleBlock) -> String? {
    guard block.times.count == block.codes.count else {
      return "has \(block.times.count) times and \(block.codes.count) codes"
    }
    guard block.codes.count <= maximumBlockCount else {
      return "has \(block.codes.count) samples; \(maximumBlockCount) are the most"
    }
    let first: Int64
    switch block.times {
    case .each(let times):
      first = times.first ?? 0
      var last = first
      for time in times {
        if time < last { return "has times that do not ascend" }
        last = time
      }
    case .regular(let anchor, let step, let count):
      first = anchor
      guard RegularTimes(anchor: anchor, step: step, offset: 0).isSound(count: count) else {
        return "has times that cannot be: from \(anchor) in steps of \(step)"
      }
    }
    if let lastTime, first < lastTime {
      return "begins at \(first), before the one before ended at \(lastTime)"
    }
    return nil
  }

  /// Takes in a block that nothing speaks against, and writes what becomes of it.
  mutating func append(
    _ block: SampleBlock, _ encoder: inout BlockEncoder, _ output: Output
  ) throws {
    let count = block.codes.count
    guard count > 0 else { return }
    var position = 0
    while position < count {
      if codes.isEmpty, count - position >= BlockLayout.blockCount {
        try close(
          block.codes, from: position, ChannelWriter.times(block.times, from: position), &encoder,
          output)
        position += BlockLayout.blockCount
        continue
      }
      let size = min(BlockLayout.blockCount - codes.count, count - position)
      keep(block, position..<position + size)
      position += size
      if codes.count == BlockLayout.blockCount {
        try close(codes, from: 0, keptTimes, &encoder, output)
        codes.removeAll(keepingCapacity: true)
        times.removeAll(keepingCapacity: true)
        regular = nil
      }
    }
    lastTime = block.times[count - 1]
    guard !codes.isEmpty else { return }
    let summary = encoder.encode(
      codes: codes, from: 0, count: codes.count, times: keptTimes, previous: previous, gaps: gaps)
    openRow = try output.block(openRow, closed, codes.count, summary, encoder)
  }

  private var keptTimes: BlockEncoder.Times {
    regular.map(BlockEncoder.Times.regular) ?? .each(times, from: 0)
  }

  private static func times(_ times: SampleTimes, from position: Int) -> BlockEncoder.Times {
    switch times {
    case .each(let times): .each(times, from: position)
    case .regular(let first, let step, _):
      .regular(RegularTimes(anchor: first, step: step, offset: position))
    }
  }

  /// Appends a part of a block to what waits for a full one.
  private mutating func keep(_ block: SampleBlock, _ range: Range<Int>) {
    if codes.isEmpty, case .regular(let first, let step, _) = block.times {
      regular = RegularTimes(anchor: first, step: step, offset: range.lowerBound)
    } else if let run = regular {
      // Whole steps only: others would have to be compared one by one.
      var goesOn = false
      if case .regular(_, let step, _) = block.times {
        goesOn =
          step == run.step && run.isWhole
          && block.times[range.lowerBound] == run[codes.count]
      }
      if !goesOn {
        times.append(contentsOf: (0..<codes.count).lazy.map { run[$0] })
        regular = nil
      }
    }
    codes.append(contentsOf: block.codes[range])
    guard regular == nil else { return }
    switch block.times {
    case .each(let all): times.append(contentsOf: all[range])
    case .regular: times.append(contentsOf: range.lazy.map { block.times[$0] })
    }
  }

  /// Writes a full block and what it adds to the pyramid.
  private mutating func close(
    _ codes: [Int64], from start: Int, _ times: BlockEncoder.Times,
    _ encoder: inout BlockEncoder,
    _ output: Output
  ) throws {
    let summary = encoder.encode(
      codes: codes, from: start, count: BlockLayout.blockCount, times: times, previous: previous,
      gaps: gaps)
    _ = try output.block(openRow, closed, BlockLayout.blockCount, summary, encoder)
    openRow = nil
    closed += 1
    previous = SamplePoint(
      time: summary.last, code: codes[start + BlockLayout.blockCount - 1])
    if !gaps.isEmpty { gaps.removeAll { $0.to <= summary.last } }
    for entry in encoder.entries { try add(entry, level: 1, output) }
  }

  /// Adds an entry to a level: each 8 make one of the next, each 64 a row.
  private mutating func add(_ entry: SampleSummary, level: Int, _ output: Output) throws {
    guard level <= Pyramid.topLevel else { return }
    if pending.count < level {
      pending.append([])
      rows.append(0)
    }
    pending[level - 1].append(entry)
    let entries = pending[level - 1]
    if entries.count % Pyramid.fanOut == 0 {
      let last = entries.suffix(Pyramid.fanOut)
      try add(
        last.dropFirst().reduce(last[last.startIndex]) { $0.joined(with: $1) }, level: level + 1,
        output)
    }
    if entries.count == Pyramid.entriesPerRow {
      try output.row(level, rows[level - 1], Pyramid.encode(entries[...]))
      rows[level - 1] += 1
      pending[level - 1].removeAll(keepingCapacity: true)
    }
  }
}
