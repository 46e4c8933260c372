/// What the sampler on a board says (docs/sampling.md).
enum SamplerMessage: Hashable, Sendable {
  /// It is ready to start.
  struct Hello: Hashable, Sendable {
    var processID: Int64
    /// Why SCHED_FIFO was not granted, and its memory not locked: an errno, 0 when they were.
    var realtimeError: Int64
    var lockError: Int64
    /// Bytes of its buffer; 0 when there was no memory for it, and then it has ended.
    var bufferBytes: Int64
    /// Whether a suspend of the board is noticed. If not, its clock stands still meanwhile: a program of version 1,
    /// or a kernel without CLOCK_BOOTTIME.
    var noticesSuspends = false
  }

  /// It read a question of the host at the first time and answered at the second, on its own clock.
  struct Clock: Hashable, Sendable {
    var nonce: Int64
    var received: Int64
    var sent: Int64
  }

  /// A run of samples, their times on the board's clock.
  struct Data: Hashable, Sendable {
    /// Samples before these, lost ones included.
    var first: UInt64
    var samples: [Sample]
  }

  /// The board slept; times on its clock, which counts the sleep.
  struct Suspend: Hashable, Sendable {
    /// From 1 on.
    var number: Int64
    var from: Int64
    var to: Int64
    var asleep: Int64
  }

  /// What it counted from start to stop; times in nanoseconds, and less than 0 what the board does not
  /// tell.
  struct End: Hashable, Sendable {
    var begin, end: Int64
    var ticks, taken, late, overruns, samples, lost: Int64
    var sumOfLateness, maxLateness: Int64
    var cpu, switches, preemptions, faults, bytesOut, bytesIn: Int64
    var linkCPU, linkRuns, forks: Int64
    /// How often and how long the board slept since the program began; -1 when it does not notice.
    var suspends: Int64 = -1
    var asleep: Int64 = -1
  }

  case hello(Hello)
  case clock(Clock)
  case data(Data)
  case suspend(Suspend)
  case end(End)
}

/// Takes the sampler's frames out of a stream of bytes, whatever else is in it.
///
/// A frame counts when it is whole and its CRC is right; bytes that belong to none are skipped, and
/// counted. Holds at most one frame beside what was handed in.
struct SamplerFrames {
  /// Bytes that belonged to no frame, frames whose CRC was wrong or that made no sense.
  private(set) var skipped = 0
  private(set) var damaged = 0
  private var bytes: [UInt8] = []
  private let files: Int

  static let headerSize = 5
  static let checkSize = 4
  static let greatestPayload = 4096 - headerSize - checkSize

  /// - Parameter files: how many are sampled; channels beyond are damage.
  init(files: Int) { self.files = files }

  /// Takes what has come.
  ///
  /// - Returns: the messages that are whole now, in their order.
  mutating func take(_ more: [UInt8]) -> [SamplerMessage] {
    bytes += more
    var messages: [SamplerMessage] = []
    let end = bytes.withUnsafeBytes { all -> Int in
      var position = 0
      while all.count - position >= SamplerFrames.headerSize {
        guard all[position] == 0xc5, all[position + 1] == 0x4b else {
          position += 1
          skipped += 1
          continue
        }
        let length = Int(all[position + 3]) | Int(all[position + 4]) << 8
        guard length <= SamplerFrames.greatestPayload else {
          position += 1
          skipped += 1
          continue
        }
        let size = SamplerFrames.headerSize + length + SamplerFrames.checkSize
        guard all.count - position >= size else { break }
        let frame = UnsafeRawBufferPointer(rebasing: all[position..<(position + size)])
        guard SamplerFrames.isIntact(frame) else {
          // Another frame may begin within what looked like this one.
          damaged += 1
          position += 1
          skipped += 1
          continue
        }
        let start = SamplerFrames.headerSize
        var payload = SamplerPayload(
          UnsafeRawBufferPointer(rebasing: frame[start..<(start + length)]))
        if let message = payload.message(frame[2], files: files) {
          messages.append(message)
        } else {
          damaged += 1
        }
        position += size
      }
      return position
    }
    bytes.removeFirst(end)
    return messages
  }

  private static func isIntact(_ frame: UnsafeRawBufferPointer) -> Bool {
    let end = frame.count - checkSize
    var crc = CRC32()
    crc.add(UnsafeRawBufferPointer(rebasing: frame[2..<end]))
    let said = frame.loadUnaligned(fromByteOffset: end, as: UInt32.self)
    return crc.value == UInt32(littleEndian: said)
  }
}

/// Reads a frame's payload; what makes no sense gives nil, never a wrong number.
private struct SamplerPayload {
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func message(_ type: UInt8, files: Int) -> SamplerMessage? {
    switch type {
    case UInt8(ascii: "H"):
      guard let n = numbers(8...9), n[0] == n.count - 7 else { return nil }
      return .hello(
        .init(
          processID: n[1], realtimeError: n[2], lockError: n[3], bufferBytes: n[4],
          noticesSuspends: n.count == 9 && n[8] == 1))
    case UInt8(ascii: "C"):
      guard let n = numbers(3...3) else { return nil }
      return .clock(.init(nonce: n[0], received: n[1], sent: n[2]))
    case UInt8(ascii: "D"): return data(files: files).map(SamplerMessage.data)
    case UInt8(ascii: "S"):
      // Of less than 36 years, and no more than from one time to the other.
      guard let n = numbers(4...4), n.allSatisfy({ $0 >= 0 && $0 < 1 << 60 }), n[0] > 0,
        n[1] <= n[2], n[3] <= n[2] - n[1]
      else { return nil }
      return .suspend(.init(number: n[0], from: n[1], to: n[2], asleep: n[3]))
    case UInt8(ascii: "E"):
      // Counts and nanoseconds of less than 36 years, whose sums fit; -1 is what is not known. Version 1 has no
      // suspends.
      guard let n = numbers(19...21), n.count != 20,
        n.allSatisfy({ $0 >= -1 && $0 < 1 << 60 })
      else { return nil }
      var end = SamplerMessage.End(
        begin: n[0], end: n[1], ticks: n[2], taken: n[3], late: n[4], overruns: n[5],
        samples: n[6], lost: n[7], sumOfLateness: n[8], maxLateness: n[9], cpu: n[10],
        switches: n[11], preemptions: n[12], faults: n[13], bytesOut: n[14], bytesIn: n[15],
        linkCPU: n[16], linkRuns: n[17], forks: n[18])
      if n.count == 21 { (end.suspends, end.asleep) = (n[19], n[20]) }
      return .end(end)
    default: return nil
    }
  }

  /// So many signed numbers, and nothing behind them.
  private mutating func numbers(_ counts: ClosedRange<Int>) -> [Int64]? {
    var numbers: [Int64] = []
    while position < bytes.count {
      guard numbers.count < counts.upperBound, let number = signed() else { return nil }
      numbers.append(number)
    }
    return counts.contains(numbers.count) ? numbers : nil
  }

  private mutating func data(files: Int) -> SamplerMessage.Data? {
    guard files > 0, let first = varint(), let begin = varint(), begin < UInt64(files),
      let time = varint(), var time = Int64(exactly: time)
    else { return nil }
    var channel = Int(begin)
    var samples: [Sample] = []
    // A sample takes two bytes at least.
    samples.reserveCapacity((bytes.count - position) / 2)
    var mantissas = [Int64](repeating: 0, count: files)
    var kinds = [UInt8](repeating: 0, count: files)
    while position < bytes.count {
      guard let step = varint() else { return nil }
      let (sum, overflow) = time.addingReportingOverflow(Int64(step >> 1))
      guard !overflow else { return nil }
      time = sum
      if step & 1 != 0 {
        guard position < bytes.count else { return nil }
        kinds[channel] = bytes[position]
        position += 1
      }
      guard let change = signed(), let status = Sample.Status(rawValue: kinds[channel] >> 4)
      else { return nil }
      mantissas[channel] &+= change
      samples.append(
        Sample(
          nanoseconds: time, mantissa: mantissas[channel], channel: UInt16(channel),
          decimals: kinds[channel] & 15, status: status))
      channel = channel + 1 == files ? 0 : channel + 1
    }
    guard first <= UInt64(Int64.max) else { return nil }
    return .init(first: first, samples: samples)
  }

  private mutating func signed() -> Int64? {
    varint().map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
  }

  /// Nil at the end of the bytes, and for more than 64 bits.
  private mutating func varint() -> UInt64? {
    var number: UInt64 = 0
    var shift: UInt64 = 0
    while position < bytes.count, shift < 64 {
      let byte = bytes[position]
      position += 1
      guard shift < 63 || byte <= 1 else { return nil }
      number |= UInt64(byte & 127) << shift
      if byte < 128 { return number }
      shift += 7
    }
    return nil
  }
}
