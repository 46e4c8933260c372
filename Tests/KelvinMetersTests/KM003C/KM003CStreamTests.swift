import Testing

@testable import KelvinMeters

/// How samples of the queue are put together.
struct KM003CStreamTests {
  private struct Seen {
    var numbers: [Int64] = []
    var codes: [[Int64]] = [[], []]
    var gaps: [[Int64]] = []

    mutating func take(_ part: KM003CStream.Part, step: Int64) {
      switch part {
      case .samples(let first, let codes):
        for index in codes[0].indices { numbers.append(first + Int64(index) * step) }
        for column in codes.indices { self.codes[column] += codes[column] }
      case .gap(let after, let before, let count): gaps.append([after, before, count])
      }
    }
  }

  /// Takes samples with such numbers, one reply each; their voltage says which they are.
  private func take(
    _ replies: [(numbers: [Int], elapsed: Int64)], _ rate: KM003CRate = .thousand
  ) -> (seen: Seen, stream: KM003CStream) {
    var stream = KM003CStream(rate, columns: [.voltage, .current], isReversed: true)
    var seen = Seen()
    for (numbers, elapsed) in replies {
      let bytes = numbers.flatMap { KM003CFrames.sample($0, volts: $0, amperes: -5) }
      stream.take(bytes.span.bytes, 0..<bytes.count, elapsed: elapsed) {
        seen.take($0, step: rate.step)
      }
    }
    return (seen, stream)
  }

  @Test func numbersGoOnOverTheirEnd() {
    let (seen, stream) = take([
      ([65_534, 65_535, 0, 1], 0), ([2, 3], 20)
    ])
    #expect(seen.numbers == [0, 1, 2, 3, 4, 5] && seen.gaps.isEmpty)
    #expect(seen.codes[0] == [65_534, 65_535, 0, 1, 2, 3])
    // Reversed: current the other way round is positive.
    #expect(seen.codes[1] == [5, 5, 5, 5, 5, 5])
    #expect(stream.samples == 6 && stream.lost == 0 && stream.number == 5)
  }

  @Test func whatIsMissingIsAGapWithItsLength() {
    let (seen, stream) = take([([10, 11, 15], 0), ([16, 56], 60)])
    #expect(seen.gaps == [[1, 5, 3], [6, 46, 39]])
    #expect(seen.numbers == [0, 1, 5, 6, 46] && stream.lost == 42)
  }

  @Test(arguments: [(KM003CRate.two, 500), (.ten, 100), (.fifty, 20)])
  func eachRateHasItsStep(rate: KM003CRate, step: Int) {
    let (seen, stream) = take([([0, step, 2 * step], 0), ([5 * step], Int64(3 * step))], rate)
    #expect(seen.numbers == [0, 1, 2, 5].map { $0 * Int64(step) })
    #expect(seen.gaps == [[Int64(2 * step), Int64(5 * step), 2]] && stream.lost == 2)
    #expect(stream.uneven == 0)
    // A step that is none is no loss: the sample has its own time.
    let (other, uneven) = take([([0, step + 3, 2 * step + 3], 0)], rate)
    #expect(other.numbers == [0, Int64(step) + 3, 2 * Int64(step) + 3])
    #expect(other.gaps.isEmpty && uneven.uneven == 1 && uneven.lost == 0)
  }

  /// More than a turn of the counter, which only the host's clock shows.
  @Test func aWholeTurnIsFoundByTheClock() {
    let (seen, stream) = take([([100, 101], 0), ([102], 65_537), ([202], 131_172)])
    #expect(seen.numbers == [0, 1, 65_538, 196_710])
    #expect(stream.lost == 65_536 + 131_171 && !stream.hasGoneBack)
  }

  @Test func whatComesTwiceIsTakenOnce() {
    let (seen, stream) = take([([7, 8, 8, 9], 0), ([9, 10], 20)])
    #expect(seen.codes[0] == [7, 8, 9, 10] && stream.repeated == 2 && stream.lost == 0)
  }

  @Test func numbersThatGoBackEndIt() {
    let (seen, stream) = take([([500, 501], 0), ([300, 301], 20), ([502], 20)])
    #expect(stream.hasGoneBack && seen.codes[0] == [500, 501] && seen.gaps.isEmpty)
  }

  /// Random numbers: times never go back, and all that is given out was sent.
  @Test func randomNumbersGiveAscendingTimes() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<300 {
      let replies = (0..<8).map { _ in
        (
          (0..<5).map { _ in Int.random(in: 0...65_535, using: &generator) },
          Int64.random(in: 0...70_000, using: &generator)
        )
      }
      let seen = take(replies.map { (numbers: $0.0, elapsed: $0.1) }).seen
      #expect(zip(seen.numbers, seen.numbers.dropFirst()).allSatisfy { $0 < $1 })
      #expect(seen.gaps.allSatisfy { $0[0] < $0[1] && $0[2] > 0 })
    }
  }
}
