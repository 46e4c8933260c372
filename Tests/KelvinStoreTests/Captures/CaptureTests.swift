import KelvinModel
import Testing

@testable import KelvinStore

struct CaptureTests {
  static let channel = Channel(
    name: "vdd.power", unit: "W", scale: 1e-6, offset: -0.25, site: "vdd", kind: .power,
    range: -1...2.5,
    accuracy: Accuracy(
      gain: 0.005, offset: 1e-3, resolution: 1e-6, noise: 2e-6, coverageFactor: 2, source: "sheet"),
    wrap: .max, averagingTime: 0.001)

  @Test func keepsWhatIsKnownOfACapture() throws {
    let directory = TemporaryDirectory()
    let store = try RunStore.create(
      at: directory("run"), run: makeRun(), plan: makePlan(), life: deadLife)
    let attempt = try store.beginAttempt(job: 0, number: 1, startedWallNanoseconds: 1)
    let meter = MeterIdentity(
      name: "ppk", driver: "ppk2", model: "PPK2", serial: "E1", firmware: "1.2", location: "usb",
      range: "auto", calibration: "2026-01-02 by us", verified: "simulator only")
    let channels = [Self.channel, Channel(name: "n", unit: "")]
    let capture = try store.beginCapture(
      attempt: attempt, source: "energy", channels: channels, meter: meter)
    let fit = ClockFit(
      origin: 5, offset: -7, skew: 1e-6, uncertainty: 100, residual: 500, count: 60)
    try store.setClock(capture: capture, fit: fit)
    let events = [
      CaptureEvent(.gap, channel: 1, from: 10, to: 20, count: 3, note: "cable"),
      CaptureEvent(.mark, from: 30, to: 30, note: "phase 1")
    ]
    try store.append(capture: capture, events: events.reversed())
    let reader = try RunReader(directory: directory("run"))
    var record = try #require(try reader.captures(ofAttempt: attempt).first)
    #expect(record.channels == channels)
    #expect(record.meter == meter)
    #expect(record.clock == fit)
    #expect(record.summary == nil)
    #expect(try reader.events(ofCapture: capture) == events)
    try store.endCapture(capture, summary: ["ticks": 3])
    record = try #require(try reader.captures(ofAttempt: attempt).first)
    #expect(record.summary == ["ticks": 3])
    #expect(try reader.captures(ofAttempt: nil).isEmpty)
    expectFailure(.misuse) { try store.append(capture: capture, events: events) }
    expectFailure(.misuse) { try store.setClock(capture: 99, fit: fit) }
    let plain = try store.beginCapture(attempt: nil, source: "files", channels: [])
    let second = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(second.id == plain && second.meter == nil && second.clock == nil)
  }

  /// Appends of any size come to the same samples, in few blocks.
  @Test(arguments: [1, 10, 1000, 8192, 20_000]) func mergesSmallAppends(size: Int) throws {
    let run = try CaptureRun(channels: [Self.channel, Self.channel])
    var generator = SeededGenerator(seed: 5)
    let count = [1: 200, 10: 9000][size] ?? 20_000
    let times = (0..<count).map { Int64($0) * 1000 + Int64.random(in: 0...99, using: &generator) }
    let codes = times.map { $0 % 977 - 400 }
    for start in stride(from: 0, to: count, by: size) {
      let range = start..<min(start + size, count)
      try run.append(
        SampleBlock(channel: 0, times: Array(times[range]), codes: Array(codes[range])),
        SampleBlock(
          channel: 1, times: .regular(first: Int64(start) * 500, step: 500, count: range.count),
          codes: Array(codes[range])))
    }
    #expect(try run.samples(0) == (times, codes))
    #expect(try run.samples(1) == ((0..<count).map { Int64($0) * 500 }, codes))
    let blocks = try run.reader().blocks(ofCapture: run.capture, channel: 1)
    let full = Array(repeating: BlockLayout.blockCount, count: count / BlockLayout.blockCount)
    #expect(blocks.map(\.codes.count) == full + [count % BlockLayout.blockCount])
    for block in blocks {
      guard case .regular(_, 500, _) = block.times else {
        Issue.record("times are kept one by one")
        return
      }
    }
  }

  /// Runs of regular times that do not quite meet, and times of each kind in turn, are kept to the
  /// nanosecond.
  @Test func keepsTimesOfAnyKindExactly() throws {
    let run = try CaptureRun()
    var generator = SeededGenerator(seed: 9)
    var times: [Int64] = []
    var next: Int64 = 100
    for round in 0..<60 {
      let count = Int.random(in: 1...900, using: &generator)
      let step = [10.0, 333.25, 0.5, 1e6][round % 4]
      let part: SampleTimes =
        round % 3 == 2
        ? .each((0..<count).map { next + Int64($0) })
        : .regular(first: next, step: step, count: count)
      times += part.array
      try run.append(
        SampleBlock(channel: 0, times: part, codes: Array(repeating: 1, count: count)))
      next = (times.last ?? 0) + Int64.random(in: 0...20, using: &generator)
    }
    #expect(try run.samples().times == times)
    // One long run of fractions is kept as one.
    let long = try CaptureRun()
    let fractions = SampleTimes.regular(first: 1, step: 20_833.3333, count: 20_000)
    try long.append(
      SampleBlock(channel: 0, times: fractions, codes: Array(repeating: 1, count: 20_000)))
    #expect(try long.samples().times == fractions.array)
  }

  @Test func streamsAnInterval() throws {
    let run = try CaptureRun()
    let count = 30_000
    try run.append(
      SampleBlock(
        channel: 0, times: .regular(first: 0, step: 10, count: count),
        codes: (0..<count).map(Int64.init)))
    let reader = try run.reader()
    for interval in [0...0, 5...9, 81_910...81_920, 100...250_005, 299_990...Int64.max] {
      var codes: [Int64] = []
      try reader.forEachBlock(ofCapture: run.capture, channel: 0, in: interval) { block in
        codes += block.codes
        #expect(block.times.array == block.codes.map { $0 * 10 })
      }
      #expect(codes == (0..<Int64(count)).filter { interval.contains($0 * 10) })
    }
    #expect(try reader.interval(ofCapture: run.capture, channel: 0) == 0...299_990)
    #expect(try reader.interval(ofCapture: run.capture, channel: 1) == nil)
  }

  @Test(arguments: [
    SampleBlock(channel: 0, times: [101, 102], codes: [1]),
    SampleBlock(channel: 0, times: [102, 101], codes: [1, 1]),
    SampleBlock(channel: 0, times: [99], codes: [1]),
    SampleBlock(channel: 7, times: [101], codes: [1]),
    SampleBlock(channel: -1, times: [101], codes: [1]),
    SampleBlock(channel: 0, times: .regular(first: 101, step: -1, count: 2), codes: [1, 1]),
    SampleBlock(channel: 0, times: .regular(first: 101, step: .nan, count: 1), codes: [1]),
    SampleBlock(channel: 0, times: .regular(first: .max, step: 1, count: 2), codes: [1, 1]),
    SampleBlock(channel: 0, times: .regular(first: 101, step: 1e19, count: 2), codes: [1, 1]),
    SampleBlock(
      channel: 0, times: .regular(first: 101, step: 1, count: maximumBlockCount + 1),
      codes: Array(repeating: 0, count: maximumBlockCount + 1))
  ])
  func refusesBlocksThatDoNotFit(block: SampleBlock) throws {
    let run = try CaptureRun()
    try run.append(SampleBlock(channel: 0, times: [90, 100], codes: [1, 2]))
    expectFailure(.misuse) {
      // All or nothing.
      try run.append(SampleBlock(channel: 0, times: [100], codes: [3]), block)
    }
    #expect(try run.samples() == ([90, 100], [1, 2]))
    // And it goes on where it was.
    try run.append(SampleBlock(channel: 0, times: [100, 110], codes: [4, 5]))
    #expect(try run.samples() == ([90, 100, 100, 110], [1, 2, 4, 5]))
  }

  @Test(.enabled(if: hasTool("sqlite3"), "needs the sqlite3 shell"))
  func summarizesBlocksInUnits() throws {
    let run = try CaptureRun(channels: [Channel(name: "n", unit: "V", scale: -2, offset: 1)])
    try run.append(SampleBlock(channel: 0, times: [1, 2, 3], codes: [10, 20, 60]))
    let summary = shell(
      """
      sqlite3 \(run.path)/run.db "SELECT source, channel, unit, first_ns, last_ns, count, min, mean, \
      max FROM block_summaries"
      """)
    #expect(summary.output == "s|n|V|1|3|3|-119.0|-59.0|-19.0\n")
  }
}
