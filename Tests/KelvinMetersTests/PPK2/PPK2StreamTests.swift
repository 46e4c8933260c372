import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Streams of samples with all that can happen to them on the way.
struct PPK2StreamTests {
  static let wave = PPK2Waveform(PPK2Unit(seed: 3), volts: 3.3, seed: 3)

  /// Samples of the wave as they are sent.
  static func bytes(_ samples: Range<Int64>) -> [UInt8] {
    samples.flatMap { sample in
      let word = wave.word(sample)
      return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: word >> $0) }
    }
  }

  /// What a stream gave: words by their numbers, and gaps.
  struct Heard {
    var words: [(number: Int64, word: UInt32)] = []
    var gaps: [(after: Int64, before: Int64, count: Int64)] = []
    var lost: Int64 = 0
    var stale = 0
  }

  /// Sends bytes in pieces.
  static func hear(_ bytes: [UInt8], pieces: [Int] = [4096]) -> Heard {
    var heard = Heard()
    var stream = PPK2Stream()
    var place = 0
    var turn = 0
    func give(_ part: PPK2Stream.Part, _ span: Span<UInt8>) {
      switch part {
      case .samples(let first, let range):
        #expect(range.count % 4 == 0 && !range.isEmpty)
        for index in 0..<range.count / 4 {
          let word = PPK2Framing.word(span, range.lowerBound + index * 4)
          heard.words.append((first + Int64(index), word?.bits ?? 0))
        }
      case .gap(let after, let before, let count, _): heard.gaps.append((after, before, count))
      }
    }
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

  /// That each sample is the one that was sent under its number, shifted by what the counter cannot know.
  static func check(_ heard: Heard, from first: Int64 = 0, shift: Int64 = 0, _ what: String) {
    var wrong = 0
    for (number, word) in heard.words where word != wave.word(first + number) {
      if shift == 0 || word != wave.word(first + number + shift) { wrong += 1 }
    }
    #expect(wrong == 0, "\(what): \(wrong) of \(heard.words.count) made up")
  }

  @Test(arguments: [[4096], [1], [3, 5, 7], [64], [1, 4000, 13]])
  func whatIsInOrderComesAsItWasSent(pieces: [Int]) {
    let heard = Self.hear(Self.bytes(0..<5000), pieces: pieces)
    Self.check(heard, "plain")
    #expect(heard.words.count == 5000 && heard.gaps.isEmpty && heard.lost == 0)
    #expect(heard.words.first?.number == 0 && heard.words.last?.number == 4999)
  }

  /// A stream begins wherever the counter is.
  @Test func beginsAtAnyCounter() {
    for first in Int64(0)..<64 {
      let heard = Self.hear(Self.bytes(first..<first + 100))
      Self.check(heard, from: first, "\(first)")
      #expect(heard.words.count == 100 && heard.stale == 0)
    }
  }

  @Test func aLostByteCostsFewSamplesAndMakesNoneUp() {
    var greatest: Int64 = 0
    // All phases, in sleep, in work, at borders of ranges and at the period's end.
    for sample in [20, 1990, 2000, 2001, 5000, 91_000, 91_499, 99_999] as [Int64] {
      for byte in 0..<4 {
        for pieces in [[4096], [1], [37]] {
          var bytes = Self.bytes(sample - 20..<sample + 200)
          bytes.remove(at: 80 + byte)
          let heard = Self.hear(bytes, pieces: pieces)
          let what = "byte \(byte) of sample \(sample) in pieces of \(pieces)"
          Self.check(heard, from: sample - 20, what)
          #expect(heard.gaps.count == 1, "\(what): \(heard.gaps)")
          #expect(heard.lost >= 1 && heard.lost <= 16, "\(what): \(heard.lost)")
          #expect(Int64(heard.words.count) + heard.lost == 220, "\(what)")
          greatest = max(greatest, heard.lost)
        }
      }
    }
    #expect(greatest <= 16)
  }

  @Test(arguments: [1, 2, 7, 16, 61, 62, 63, 65, 100, 127, 129])
  func lostSamplesAreCountedByTheCounter(count: Int64) {
    let bytes = Self.bytes(0..<500) + Self.bytes(500 + count..<1000 + count)
    let heard = Self.hear(bytes)
    // Two more at its ends, which might be of two halves.
    let hidden = count / 64 * 64
    #expect(heard.lost == count + 2 - hidden && heard.gaps.count == 1)
    #expect(heard.gaps.first?.after == 498 && heard.gaps.first?.before == 501 + count - hidden)
    Self.check(heard, shift: hidden, "\(count)")
    #expect(heard.words.count == 998)
  }

  /// Which is why there is a clock beside it.
  @Test(arguments: [64, 128]) func aMultipleOfItsModulusIsInvisible(count: Int64) {
    let bytes = Self.bytes(0..<500) + Self.bytes(500 + count..<1000 + count)
    let heard = Self.hear(bytes)
    #expect(heard.lost == 0 && heard.gaps.isEmpty && heard.words.count == 1000)
  }

  @Test func strangersBetweenSamplesAreLeftOut() {
    var random = SeededGenerator(seed: 11)
    for count in [1, 2, 3, 4, 5, 16, 61, 64, 100, 1000, 5000] {
      let noise = random.bytes(count)
      let heard = Self.hear(Self.bytes(0..<300) + noise + Self.bytes(300..<900))
      // A stranger may by chance have a counter, and so hide how many were lost, but for multiples of 64.
      let wrong = heard.words.filter { number, word in
        ![0, -64, 64, 128].contains { word == Self.wave.word(max(0, number + $0)) }
      }
      #expect(wrong.isEmpty || count >= 100, "\(count)")
      let early = heard.words.filter { $0.number < 250 }
      #expect(early.count == 250 && early.allSatisfy { $0.word == Self.wave.word($0.number) })
      #expect(heard.words.count >= 900 - 34, "\(count): \(heard.words.count)")
      #expect(heard.gaps.count >= 1)
    }
  }

  @Test func anyFlippedBitIsFoundOrIsAValue() {
    for bit in 0..<32 {
      var bytes = Self.bytes(0..<200)
      bytes[400 + bit / 8] ^= 1 << UInt8(bit % 8)
      let heard = Self.hear(bytes)
      // Of range and counter those bits that make an impossible sample are found; a value that could have
      // been sent is a value.
      let isFound = (17...23).contains(bit)
      #expect(heard.gaps.isEmpty != isFound || bit == 16, "bit \(bit): \(heard.gaps)")
      let wrong = heard.words.filter { $0.word != Self.wave.word($0.number) }
      #expect(wrong.count <= (isFound ? 0 : 1), "bit \(bit)")
    }
  }

  @Test func anEndAtAnyByteLosesNoWholeSample() {
    let bytes = Self.bytes(0..<60)
    for length in 0...bytes.count {
      let heard = Self.hear(Array(bytes[..<length]))
      // As long as there are enough to know that these are samples.
      #expect(heard.words.count == (length >= 32 ? length / 4 : 0), "\(length)")
      Self.check(heard, "\(length)")
    }
  }

  @Test func randomBytesGiveNothing() {
    var random = SeededGenerator(seed: 20)
    var words = 0
    for _ in 0..<40 { words += Self.hear(random.bytes(20_000), pieces: [1, 977]).words.count }
    #expect(words == 0)
  }

  /// Losses of all kinds one after the other, drawn from a seed: nothing is ever made up.
  @Test func survivesWhateverHappens() {
    for seed in UInt64(1)...60 {
      var random = SeededGenerator(seed: seed)
      var bytes: [UInt8] = []
      var next: Int64 = 0
      var breaks = 0
      while next < 4000 {
        let count = Int64.random(in: 40...400, using: &random)
        var run = Self.bytes(next..<next + count)
        next += count
        switch Int.random(in: 0..<4, using: &random) {
        case 0: next += Int64.random(in: 1...58, using: &random)
        case 1:
          run.removeLast(Int.random(in: 1...7, using: &random))
        case 2 where !bytes.isEmpty: run.removeFirst(Int.random(in: 1...7, using: &random))
        default: breaks -= 1
        }
        breaks += 1
        bytes += run
      }
      let pieces = (0..<5).map { _ in Int.random(in: 1...300, using: &random) }
      let heard = Self.hear(bytes, pieces: pieces)
      Self.check(heard, "seed \(seed)")
      let numbers = heard.words.map(\.number)
      #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "seed \(seed)")
      #expect(heard.gaps.count <= breaks, "seed \(seed)")
    }
  }
}
