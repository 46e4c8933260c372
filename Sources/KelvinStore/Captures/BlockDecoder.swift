/// Reads the blobs of blocks: the groups first, then whichever samples are asked for.
struct BlockDecoder {
  private(set) var groups: [Group] = []
  /// Nil when each time is kept.
  private(set) var regular: RegularTimes?
  private let count: Int
  private let seed: UInt64
  private let size: Int

  /// A group: what it comes to, and where its samples lie in the other blob.
  struct Group {
    var summary: SampleSummary
    /// Number of its first sample in the block.
    var start: Int
    var count: Int
    fileprivate var offset: Int
    fileprivate var lowestTime: Int64
    fileprivate var timeWidth: Int
    fileprivate var codeWidth: Int
  }

  /// Reads the blob of table `groups` for a block of `count` samples; nil when it is damaged.
  init?(groups bytes: [UInt8], count: Int) {
    guard count > 0, count <= BlockLayout.blockCount, bytes.isSealed(seed: 0) else { return nil }
    self.count = count
    seed = bytes.word(at: bytes.count - 8)
    var reader = ByteReader(bytes, end: bytes.count - 8)
    groups.reserveCapacity(
      (count + BlockLayout.groupCount - 1) / BlockLayout.groupCount)
    guard reader.byte() == BlockLayout.format, let kind = reader.byte() else { return nil }
    if kind == BlockLayout.regularTimes {
      guard let anchor = reader.word(), let step = reader.number(), let offset = reader.varint(),
        offset <= 1 << 40
      else { return nil }
      let times = RegularTimes(
        anchor: Int64(bitPattern: anchor), step: step, offset: Int(offset))
      guard times.isSound(count: count) else { return nil }
      regular = times
    } else if kind != BlockLayout.eachTime {
      return nil
    }
    guard reader.varint() == UInt64(count) else { return nil }
    var offset = 1
    var lastTime: Int64 = 0
    var minimum: Int64 = 0
    for start in stride(from: 0, to: count, by: BlockLayout.groupCount) {
      let size = min(BlockLayout.groupCount, count - start)
      var (lowest, timeWidth): (Int64, Int) = (0, 0)
      let (first, last): (Int64, Int64)
      if let regular {
        (first, last) = (regular[start], regular[start + size - 1])
      } else {
        guard let step = reader.varint(), let span = reader.varint(), let low = reader.signed(),
          let width = reader.byte(), width <= 8
        else { return nil }
        first = lastTime &+ Int64(bitPattern: step)
        last = first &+ Int64(bitPattern: span)
        guard last >= first, start == 0 || first >= lastTime else { return nil }
        (lowest, timeWidth) = (low, Int(width))
      }
      guard let low = reader.signed(), let range = reader.varint(), let sum = reader.number(),
        let integral = reader.number(), let covered = reader.varint()
      else { return nil }
      minimum = minimum &+ low
      let summary = SampleSummary(
        first: first, last: last, min: minimum, max: minimum &+ Int64(bitPattern: range), sum: sum,
        integral: integral, covered: covered)
      guard summary.max >= summary.min else { return nil }
      let codeWidth = byteWidth(range)
      groups.append(
        Group(
          summary: summary, start: start, count: size, offset: offset, lowestTime: lowest,
          timeWidth: timeWidth, codeWidth: codeWidth))
      offset += size * (timeWidth + codeWidth)
      lastTime = last
    }
    guard reader.isAtEnd else { return nil }
    self.size = offset + 8
  }

  /// Whether a blob of table `blocks` is whole and belongs to these groups.
  func accepts(_ data: [UInt8]) -> Bool {
    data.count == size && data[0] == BlockLayout.format && data.isSealed(seed: seed)
  }

  /// Reads the samples of a group out of a blob that was accepted, to the ends of two arrays.
  func append(_ group: Group, of data: [UInt8], times: inout [Int64], codes: inout [Int64]) {
    append(group, of: data, times: &times)
    append(group, of: data, codes: &codes)
  }

  /// Reads the times of a group.
  func append(_ group: Group, of data: [UInt8], times: inout [Int64]) {
    if let regular {
      guard regular.isWhole else {
        for index in group.start..<group.start + group.count { times.append(regular[index]) }
        return
      }
      // Without rounding, which is a call.
      let step = Int64(regular.step)
      for index in 0..<group.count {
        times.append(group.summary.first &+ Int64(index) &* step)
      }
      return
    }
    let span = UInt64(bitPattern: group.summary.last &- group.summary.first)
    var line = TimeLine(first: group.summary.first, span: span, count: group.count)
    let bytes = data.span.bytes
    for index in 0..<group.count {
      let distance = BlockDecoder.value(
        bytes, group.offset &+ index &* group.timeWidth, group.timeWidth)
      times.append(line.next() &+ group.lowestTime &+ Int64(bitPattern: distance))
    }
  }

  /// Reads the codes of a group.
  func append(_ group: Group, of data: [UInt8], codes: inout [Int64]) {
    let bytes = data.span.bytes
    let start = group.offset + group.count * group.timeWidth
    for index in 0..<group.count {
      let distance = BlockDecoder.value(
        bytes, start &+ index &* group.codeWidth, group.codeWidth)
      codes.append(group.summary.min &+ Int64(bitPattern: distance))
    }
  }

  /// The last sample of a group.
  func last(of group: Group, in data: [UInt8]) -> SamplePoint {
    let start = group.offset + group.count * group.timeWidth
    let distance = BlockDecoder.value(
      data.span.bytes, start + (group.count - 1) * group.codeWidth, group.codeWidth)
    return SamplePoint(
      time: group.summary.last, code: group.summary.min &+ Int64(bitPattern: distance))
  }

  /// A little-endian integer of 0 to 8 bytes. The checksum lies behind the last one, so that eight can
  /// be read of each.
  @inline(__always)
  private static func value(_ bytes: RawSpan, _ offset: Int, _ width: Int) -> UInt64 {
    guard width > 0 else { return 0 }
    let word = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    return UInt64(littleEndian: word) & (UInt64.max &>> UInt64(64 &- 8 &* width))
  }
}
