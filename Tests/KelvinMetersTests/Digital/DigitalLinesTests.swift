import KelvinModel
import Testing

@testable import KelvinMeters

/// Digital lines beside a meter's values.
@Suite struct DigitalLinesTests {
  /// What each line was at each time, as the blocks tell: the level between two equal samples is theirs.
  private static func levels(_ blocks: [SampleBlock], line: Int, _ times: [Int64]) -> [Int64?] {
    let samples = blocks.filter { $0.channel == line }.flatMap { zip($0.times, $0.codes) }
    return times.map { time in
      if let exact = samples.first(where: { $0.0 == time }) { return exact.1 }
      guard let before = samples.last(where: { $0.0 < time }),
        let after = samples.first(where: { $0.0 > time }), before.1 == after.1
      else { return nil }
      return before.1
    }
  }

  @Test(arguments: [1, 2, 3, 7, 64, 1000])
  func nothingIsLostInBatchesOfAnySize(batch: Int) {
    // Lines that change after 1, 3, 10 and 400 samples, and one that never does.
    let count = 1000
    let words = (0..<count).map { index in
      [1, 3, 10, 400].enumerated().reduce(UInt32(0xFF00)) { word, line in
        word | UInt32(index / line.element % 2) << UInt32(line.offset)
      }
    }
    let times = (0..<count).map { Int64($0) * 10 }
    var lines = DigitalLines(channels: [5, 6, 7, 8, 9])
    var blocks: [SampleBlock] = []
    for start in stride(from: 0, to: count, by: batch) {
      let end = min(count, start + batch)
      let part = Array(words[start..<end])
      let made = lines.take(part.span, .each(Array(times[start..<end])))
      // The newest is always among them.
      #expect(made.map(\.channel) == [5, 6, 7, 8, 9])
      #expect(made.allSatisfy { $0.times.last == times[end - 1] })
      blocks += made
    }
    for line in 0..<5 {
      let truth = words.map { Int64($0 >> UInt32(line) & 1) }
      #expect(Self.levels(blocks, line: line + 5, times) == truth, "line \(line)")
      let own = blocks.filter { $0.channel == line + 5 }.flatMap { Array($0.times) }
      #expect(zip(own, own.dropFirst()).allSatisfy(<))
    }
    // Two samples an edge and one a batch.
    let slow = blocks.filter { $0.channel == 8 }.reduce(0) { $0 + $1.codes.count }
    #expect(slow <= 2 * 3 + 2 + (count + batch - 1) / batch)
  }

  @Test func behindALossNoLevelIsCarriedOver() {
    var lines = DigitalLines(channels: [0])
    let high = [UInt32](repeating: 1, count: 4)
    #expect(lines.take(high.span, .regular(first: 0, step: 10, count: 4))[0].codes == [1, 1])
    lines.lose()
    let later = lines.take(high.span, .regular(first: 1000, step: 10, count: 4))
    #expect(Array(later[0].times) == [1000, 1030])
    #expect(lines.take([UInt32]().span, .each([])).isEmpty)
    let all = DigitalLines.channels(named: ["D0", "D1"])
    #expect(all.map(\.name) == ["D0", "D1"] && all.allSatisfy { $0.kind == .logic })
  }
}
