/// Makes the blobs of blocks, and their summaries. Its memory is allocated once, so it is handed on in
/// place and never copied; as an object, each access to it would be checked while the program runs.
struct BlockEncoder {
  /// The blob of table `blocks`, and that of table `groups`.
  private(set) var data = ByteBuffer(
    capacity: BlockLayout.blockCount * 16 + BlockLayout.groupCount + 16)
  private(set) var groups = ByteBuffer(
    capacity: BlockLayout.blockCount / BlockLayout.groupCount * 88 + 64)
  /// The entries of the lowest level of the pyramid, one of each 8 groups or of the fewer at the end;
  /// together they are the block.
  private(set) var entries: [SampleSummary] = []
  private var residuals = [Int64](repeating: 0, count: BlockLayout.groupCount)

  /// When the samples of a block were taken: as a part of an array, or computed.
  enum Times {
    case each([Int64], from: Int)
    case regular(RegularTimes)
  }

  /// Encodes up to 8192 samples, at least one, with ascending times.
  ///
  /// - Parameters:
  ///   - codes: of which `count` from `start` on are taken.
  ///   - previous: The sample before them; nil at the beginning of a capture.
  ///   - gaps: Times over which nothing is to be integrated.
  /// - Returns: the summary of all of them.
  mutating func encode(
    codes: [Int64], from start: Int, count: Int, times: Times, previous: SamplePoint?, gaps: [Gap]
  ) -> SampleSummary {
    precondition(count > 0 && count <= BlockLayout.blockCount)
    data.removeAll()
    groups.removeAll()
    entries.removeAll(keepingCapacity: true)
    data.append(BlockLayout.format)
    groups.append(BlockLayout.format)
    switch times {
    case .each: groups.append(BlockLayout.eachTime)
    case .regular(let times):
      groups.append(BlockLayout.regularTimes)
      groups.append(word: UInt64(bitPattern: times.anchor))
      groups.append(times.step)
      groups.append(varint: UInt64(times.offset))
    }
    groups.append(varint: UInt64(count))
    var state = State(previous: previous)
    // Out of here, so that a span of it can be taken while the buffers are written.
    swap(&state.residuals, &residuals)
    defer { swap(&state.residuals, &residuals) }
    let all = codes.span.extracting(start..<start + count)
    var position = 0
    while position < count {
      let size = min(BlockLayout.groupCount, count - position)
      let codes = all.extracting(position..<position + size)
      var group: SampleSummary
      switch times {
      case .each(let times, let offset):
        let times = times.span.extracting(offset + position..<offset + position + size)
        append(times, &state)
        group = summarize(codes, first: times[0], last: times[size - 1])
        // The second pass costs more than the first: only times at unequal distances need it.
        (group.integral, group.covered) = integrate(codes, times, state.previous, gaps)
      case .regular(let times):
        let (first, last) = (times[position], times[position + size - 1])
        group = summarize(codes, first: first, last: last)
        // All but the half of the ends, a step each: the sum of the trapezoids.
        let ends = (Double(codes[0]) + Double(codes[size - 1])) / 2
        group.integral = (group.sum - ends) * times.step
        group.covered = UInt64(bitPattern: last &- first)
        if let previous = state.previous, !gaps.touch(from: previous.time, to: first) {
          group.integral += previous.area(to: SamplePoint(time: first, code: codes[0]))
          group.covered &+= UInt64(bitPattern: first &- previous.time)
        }
      }
      append(codes, group, &state)
      state.previous = SamplePoint(time: group.last, code: codes[size - 1])
      state.lastTime = group.last
      if position % (BlockLayout.groupCount * Pyramid.fanOut) == 0 {
        entries.append(group)
      } else {
        entries[entries.count - 1] = entries[entries.count - 1].joined(with: group)
      }
      position += size
    }
    groups.seal(seed: 0)
    // So that neither blob passes with another's.
    data.seal(seed: groups.checksum)
    return entries.dropFirst().reduce(entries[0]) { $0.joined(with: $1) }
  }

  /// What one group hands to the next.
  private struct State {
    var previous: SamplePoint?
    var lastTime: Int64 = 0
    var minimum: Int64 = 0
    var residuals: [Int64] = []
  }

  /// Smallest, largest and sum.
  private func summarize(_ codes: Span<Int64>, first: Int64, last: Int64) -> SampleSummary {
    var (low, high) = (codes[0], codes[0])
    var total: Int64 = 0
    for index in 0..<codes.count {
      let code = codes[index]
      low = min(low, code)
      high = max(high, code)
      total &+= code
    }
    var sum: Double
    let range = UInt64(bitPattern: high &- low)
    if range < 1 << 56 {
      // Exact whatever wrapped: the distances from the smallest come to less than 2^63.
      sum = Double(UInt64(bitPattern: total &- low &* Int64(codes.count)))
      sum += Double(low) * Double(codes.count)
    } else {
      sum = 0
      for index in 0..<codes.count { sum += Double(codes[index]) }
    }
    return SampleSummary(
      first: first, last: last, min: low, max: high, sum: sum, integral: 0, covered: 0)
  }

  /// The integral over times at any distances, and the time it covers.
  private func integrate(
    _ codes: Span<Int64>, _ times: Span<Int64>, _ previous: SamplePoint?, _ gaps: [Gap]
  ) -> (Double, UInt64) {
    var point = previous ?? SamplePoint(time: times[0], code: codes[0])
    let hasGap = gaps.touch(from: point.time, to: times[times.count - 1])
    var integral = 0.0
    var covered: UInt64 = 0
    for index in 0..<codes.count {
      let next = SamplePoint(time: times[index], code: codes[index])
      if !hasGap || !gaps.touch(from: point.time, to: next.time) {
        integral += point.area(to: next)
        covered &+= UInt64(bitPattern: next.time &- point.time)
      }
      point = next
    }
    return (integral, covered)
  }

  /// A group's times: its ends to `groups`, the distances from the line between them to `data`.
  private mutating func append(_ times: Span<Int64>, _ state: inout State) {
    let first = times[0]
    let span = UInt64(bitPattern: times[times.count - 1] &- first)
    var line = TimeLine(first: first, span: span, count: times.count)
    var (low, high) = (Int64.max, Int64.min)
    for index in 0..<times.count {
      let residual = times[index] &- line.next()
      state.residuals[index] = residual
      low = min(low, residual)
      high = max(high, residual)
    }
    let width = byteWidth(UInt64(bitPattern: high &- low))
    groups.append(varint: UInt64(bitPattern: first &- state.lastTime))
    groups.append(varint: span)
    groups.append(signed: low)
    groups.append(UInt8(width))
    data.append(state.residuals.span.extracting(0..<times.count), above: low, width: width)
  }

  /// A group's summary to `groups`, its codes to `data`.
  private mutating func append(_ codes: Span<Int64>, _ group: SampleSummary, _ state: inout State) {
    let range = UInt64(bitPattern: group.max &- group.min)
    groups.append(signed: group.min &- state.minimum)
    groups.append(varint: range)
    groups.append(group.sum)
    groups.append(group.integral)
    groups.append(varint: group.covered)
    state.minimum = group.min
    data.append(codes, above: group.min, width: byteWidth(range))
  }
}
