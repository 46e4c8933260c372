import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Streams of frames with all that can happen to them on the way.
struct EnergyProbeStreamTests {
  static let wave = EnergyProbeWaveform(seed: 3)

  /// What is enabled, and how many fields that are. Rail 2's current goes on by one as the numbers do.
  static let masks: [[UInt8]] = [[1, 0, 0], [0, 0, 4], [0, 6, 0], [1, 6, 7], [7, 7, 7]]

  static func fields(_ masks: [UInt8]) -> Int { masks.reduce(0) { $0 + $1.nonzeroBitCount } }

  /// Frames of the wave as they are sent.
  static func bytes(_ frames: Range<Int64>, _ masks: [UInt8]) -> [UInt8] {
    frames.flatMap { wave.frame($0, number: $0, masks: masks) }
  }

  /// What a stream gave: frames by their numbers, and gaps.
  struct Heard {
    var frames: [(number: Int64, bytes: [UInt8])] = []
    var gaps: [(after: Int64, before: Int64, count: Int64)] = []
    var lost: Int64 = 0
    var stale = 0
  }

  /// Sends bytes in pieces, of which the first frame has this number.
  static func hear(
    _ bytes: [UInt8], _ masks: [UInt8], pieces: [Int] = [4096], from first: Int64 = 0
  ) -> Heard {
    var heard = Heard()
    let framing = EnergyProbeFraming(
      fields: fields(masks), first: UInt32(truncatingIfNeeded: first & 65_535))
    var stream = NumberedStream(framing)
    func give(_ part: NumberedStream<EnergyProbeFraming>.Part, _ span: Span<UInt8>) {
      switch part {
      case .samples(let first, let range):
        #expect(range.count % framing.size == 0 && !range.isEmpty)
        for index in 0..<range.count / framing.size {
          let place = range.lowerBound + index * framing.size
          heard.frames.append(
            (first + Int64(index), (place..<place + framing.size).map { span[$0] }))
        }
      case .gap(let after, let before, let count, _): heard.gaps.append((after, before, count))
      }
    }
    var (place, turn) = (0, 0)
    while place < bytes.count {
      let end = min(bytes.count, place + pieces[turn % pieces.count])
      let piece = Array(bytes[place..<end])
      stream.take(piece.span, give: give)
      place = end
      turn += 1
    }
    let nothing: [UInt8] = []
    stream.take(nothing.span, isLast: true, give: give)
    heard.lost = stream.lost
    heard.stale = stream.stale
    return heard
  }

  /// That each frame is the one that was sent under its number.
  static func check(_ heard: Heard, _ masks: [UInt8], from first: Int64 = 0, _ what: String) {
    let wrong = heard.frames.filter { number, bytes in
      bytes != wave.frame(first + number, number: first + number, masks: masks)
    }
    let count = wrong.count
    #expect(
      count == 0, "\(what): of \(heard.frames.count) made up, \(wrong.first?.number ?? 0) first")
  }

  @Test(arguments: [[4096], [1], [3, 5, 7], [64], [1, 4000, 13]])
  func whatIsInOrderComesAsItWasSent(pieces: [Int]) {
    for masks in Self.masks {
      let heard = Self.hear(Self.bytes(0..<1500, masks), masks, pieces: pieces)
      Self.check(heard, masks, "plain \(masks)")
      // The last one of all has no number behind it that says that it is whole.
      #expect(heard.frames.count == 1499 && heard.gaps.isEmpty && heard.lost == 0)
      #expect(heard.frames.first?.number == 0 && heard.frames.last?.number == 1498)
    }
  }

  @Test func numbersGoRound() {
    for masks in Self.masks {
      let heard = Self.hear(Self.bytes(65_400..<65_700, masks), masks, from: 65_400)
      Self.check(heard, masks, from: 65_400, "\(masks)")
      #expect(heard.frames.count == 299 && heard.gaps.isEmpty && heard.stale == 0)
    }
  }

  @Test func aLostByteCostsFewFramesAndMakesNoneUp() {
    var greatest: Int64 = 0
    for masks in Self.masks {
      let size = 2 * (1 + Self.fields(masks))
      // In each phase; while rail 2 climbs, where it falls back, and where numbers begin again.
      for frame in [60, 500, 990, 1000, 65_530, 65_536] as [Int64] {
        for byte in 0..<size {
          for pieces in [[4096], [37]] {
            let first = frame - 40
            var bytes = Self.bytes(first..<frame + 100, masks)
            bytes.remove(at: Int(frame - first) * size + byte)
            let heard = Self.hear(bytes, masks, pieces: pieces, from: first)
            let what = "byte \(byte) of frame \(frame), \(masks), pieces of \(pieces)"
            Self.check(heard, masks, from: first, what)
            #expect(heard.gaps.count == 1, "\(what): \(heard.gaps)")
            #expect(heard.lost >= 1 && heard.lost <= 16, "\(what): \(heard.lost)")
            #expect(
              Int64(heard.frames.count) + heard.lost + 1 == frame + 100 - first, "\(what)")
            greatest = max(greatest, heard.lost)
          }
        }
      }
    }
    #expect(greatest <= 5)
  }

  /// What is lost before the first one that is whole is no loss within what was measured.
  @Test func beginsWithTheFirstWholeFrame() {
    for masks in Self.masks {
      let bytes = Self.bytes(0..<100, masks)
      for cut in 0...40 {
        let heard = Self.hear(Array(bytes.dropFirst(cut)), masks)
        let size = 2 * (1 + Self.fields(masks))
        let first = Int64((cut + size - 1) / size)
        Self.check(heard, masks, from: first, "\(cut) \(masks)")
        #expect(Int64(heard.frames.count) == 99 - first && heard.lost == 0, "\(cut) \(masks)")
      }
    }
  }

  @Test(arguments: [1, 2, 12, 255, 256, 257, 999, 1000, 32_768, 65_534, 65_535] as [Int64])
  func lostFramesAreCountedByTheirNumbers(count: Int64) {
    // Where rail 2's current climbs as numbers do, what is far away is not sure at once: see below.
    for masks in Self.masks where masks[2] & 4 == 0 || count < 16 {
      let bytes = Self.bytes(0..<300, masks) + Self.bytes(300 + count..<600 + count, masks)
      let heard = Self.hear(bytes, masks)
      // Two more at its ends, which might be of two halves.
      #expect(heard.lost == count + 2 && heard.gaps.count == 1, "\(masks): \(heard.gaps)")
      #expect(heard.gaps.first?.after == 298 && heard.gaps.first?.before == 301 + count)
      Self.check(heard, masks, "\(count) \(masks)")
      #expect(heard.frames.count == 597)
    }
  }

  /// A value that climbs as numbers do is a number as good as any: nothing is given out before it falls back.
  @Test func whatIsNotSureIsNotBelieved() {
    for masks in Self.masks where masks[2] & 4 != 0 {
      for count in [100, 740, 64_000] as [Int64] {
        for cut in stride(from: 0, to: 2 * (1 + Self.fields(masks)), by: 3) {
          let rest = Self.bytes(300 + count..<1600 + count, masks)
          let heard = Self.hear(Self.bytes(0..<300, masks) + rest.dropFirst(cut), masks)
          let what = "\(count), \(cut) bytes, \(masks)"
          Self.check(heard, masks, what)
          #expect(heard.gaps.count == 1 && heard.gaps.first?.after == 298, "\(what)")
          // It falls back at each full thousand.
          let fall = (300 + count + 999) / 1000 * 1000
          let next = heard.gaps.first?.before ?? 0
          #expect(next <= fall + 16 && next >= 300 + count, "\(what): \(next)")
        }
      }
    }
  }

  /// Which is why there is a clock beside it.
  @Test func aWholeRoundOfNumbersIsInvisible() {
    let masks: [UInt8] = [7, 0, 0]
    let bytes = Self.bytes(0..<300, masks) + Self.bytes(300 + 65_536..<600 + 65_536, masks)
    let heard = Self.hear(bytes, masks)
    #expect(heard.lost == 0 && heard.gaps.isEmpty && heard.frames.count == 599)
  }

  @Test func strangersBetweenFramesAreLeftOut() {
    var random = SeededGenerator(seed: 11)
    for masks in Self.masks {
      for count in [1, 2, 3, 4, 5, 16, 20, 61, 64, 100, 1000, 5000] {
        let noise = random.bytes(count)
        let bytes = Self.bytes(0..<300, masks) + noise + Self.bytes(300..<600, masks)
        let heard = Self.hear(bytes, masks)
        Self.check(heard, masks, "\(count) \(masks)")
        // Behind many of them nothing is sure before rail 2 falls back.
        let isSure = masks[2] & 4 == 0 || count < 64
        #expect(heard.frames.count >= (isSure ? 599 - 34 : 298), "\(count) \(masks)")
        #expect(heard.gaps.count == (isSure ? 1 : heard.gaps.count), "\(count) \(masks)")
      }
    }
  }

  @Test func anyFlippedBitIsFoundOrIsAValue() {
    let masks: [UInt8] = [1, 6, 7]
    for bit in 0..<14 * 8 {
      var bytes = Self.bytes(0..<200, masks)
      bytes[14 * 100 + bit / 8] ^= 1 << UInt8(bit % 8)
      let heard = Self.hear(bytes, masks)
      // Of the number each; a value that could have been sent is a value.
      let isFound = bit < 16
      #expect(heard.gaps.isEmpty != isFound, "bit \(bit): \(heard.gaps)")
      let wrong = heard.frames.filter {
        $0.bytes != Self.wave.frame($0.number, number: $0.number, masks: masks)
      }
      #expect(wrong.count == (isFound ? 0 : 1), "bit \(bit)")
      #expect(isFound || wrong.first?.number == 100)
    }
  }

  /// Whatever comes behind the last frame: an acknowledgment does.
  @Test func anEndAtAnyByteMakesNothingUp() {
    for masks in Self.masks {
      let size = 2 * (1 + Self.fields(masks))
      let bytes = Self.bytes(0..<24, masks)
      for length in 0...bytes.count {
        for end in [[], [0xac]] as [[UInt8]] {
          let heard = Self.hear(Array(bytes[..<length]) + end, masks)
          Self.check(heard, masks, "\(length) \(masks)")
          // As long as there are enough to know that these are frames.
          let whole = (length + end.count) / size
          #expect(heard.frames.count == (whole >= 8 ? whole - 1 : 0), "\(length) \(masks)")
        }
      }
    }
  }

  @Test func randomBytesGiveNothing() {
    var random = SeededGenerator(seed: 20)
    for masks in Self.masks {
      #expect(Self.hear(random.bytes(60_000), masks, pieces: [1, 977]).frames.isEmpty)
    }
  }

  /// Losses of all kinds one after the other, drawn from a seed: nothing is ever made up.
  @Test func survivesWhateverHappens() {
    for seed in UInt64(1)...60 {
      var random = SeededGenerator(seed: seed)
      let masks = Self.masks[Int(seed) % Self.masks.count]
      var bytes: [UInt8] = []
      // Far from what rail 2 climbs through; some go round.
      let first = 20_000 + Int64(seed) * 720
      var next = first
      var breaks = 0
      while next < first + 4000 {
        let count = Int64.random(in: 40...400, using: &random)
        var run = Self.bytes(next..<next + count, masks)
        next += count
        switch Int.random(in: 0..<4, using: &random) {
        case 0: next += Int64.random(in: 1...500, using: &random)
        case 1: run.removeLast(Int.random(in: 1...23, using: &random))
        case 2 where !bytes.isEmpty: run.removeFirst(Int.random(in: 1...23, using: &random))
        default: breaks -= 1
        }
        breaks += 1
        bytes += run
      }
      let pieces = (0..<5).map { _ in Int.random(in: 1...300, using: &random) }
      let heard = Self.hear(bytes, masks, pieces: pieces, from: first)
      Self.check(heard, masks, from: first, "seed \(seed)")
      let numbers = heard.frames.map(\.number)
      #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed)")
      #expect(heard.gaps.count <= breaks, "seed \(seed)")
      #expect(Int64(numbers.count) + heard.lost <= next - first, "seed \(seed)")
      #expect(numbers.count > 500, "seed \(seed)")
    }
  }
}
