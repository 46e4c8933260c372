import KelvinModel
import Testing

@testable import KelvinExecution

/// Phases by levels of digital inputs: pure data.
@Suite struct LevelEdgeTests {
  private static func edges(_ blocks: [([Int64], [Int64])]) -> [LevelEdges.Edge] {
    var edges = LevelEdges()
    for (times, codes) in blocks {
      edges.take(SampleBlock(channel: 0, times: times, codes: codes))
    }
    return edges.edges
  }

  @Test func anEdgeLiesBetweenTheSamplesAroundIt() {
    let found = Self.edges([([0, 10, 20, 30], [0, 0, 1, 1]), ([40, 55], [1, 0])])
    #expect(
      found == [
        .init(time: 0, limit: 0, isHigh: false), .init(time: 15, limit: 5, isHigh: true),
        .init(time: 47, limit: 8, isHigh: false)
      ])
    // Across blocks, too; and whatever is not 0 is high.
    #expect(
      Self.edges([([0], [0]), ([10], [7])]) == [
        .init(time: 0, limit: 0, isHigh: false), .init(time: 5, limit: 5, isHigh: true)
      ])
    #expect(Self.edges([]).isEmpty && Self.edges([([], [])]).isEmpty)
  }

  /// Only the ends of each level were kept: the edges are the same.
  @Test func whatStaysTheSameNeedNotBeThere() {
    let all = Self.edges([(Array(0..<100), (0..<100).map { $0 / 30 % 2 })])
    let ends = Self.edges([([0, 29, 30, 59, 60, 89, 90, 99], [0, 0, 1, 1, 0, 0, 1, 1])])
    #expect(all == ends && all.count == 4)
  }

  @Test func moreThanAThousandEdgesAreCounted() {
    var edges = LevelEdges()
    edges.take(SampleBlock(channel: 0, times: Array(0..<5000), codes: (0..<5000).map { $0 & 1 }))
    #expect(edges.edges.count == 1000 && edges.leftOut == 4000)
  }

  @Test func levelsArePhases() throws {
    let input = try PhaseInput("D0", ["rising": "work", "falling": "rest"])
    var edges = LevelEdges()
    edges.take(SampleBlock(channel: 0, times: [90, 120, 122, 160, 164], codes: [0, 0, 1, 1, 0]))
    let clock = ClockFit(origin: 0, offset: 1000, skew: 0, uncertainty: 5, residual: 5, count: 9)
    let phases = edges.marks(of: input, clock).phases(
      in: EnergyInterval(from: 1100, to: 1200, ends: 7))
    #expect(phases.map(\.name) == ["rest", "work", "rest"])
    #expect(phases.map(\.interval.from) == [1100, 1121, 1162])
    #expect(phases.map(\.interval.to) == [1121, 1162, 1200])
    #expect(phases[1].interval.ends == 2 / 3.0.squareRoot())
  }

  @Test func settingsSayWhatMarksPhases() throws {
    #expect(try PhaseOptions(nil).readsOutput)
    #expect(try !PhaseOptions(false).readsOutput)
    let options = try PhaseOptions([
      "trace_marker": true, "digital": ["D1": "b", "D0": ["falling": "a"]]
    ])
    #expect(options.readsOutput && options.readsTraceMarker)
    #expect(options.inputs.map(\.channel) == ["D0", "D1"])
    #expect(options.inputs[0].name(at: true) == nil && options.inputs[0].name(at: false) == "a")
    #expect(options.inputs[1].name(at: true) == "b" && options.inputs[1].name(at: false) == nil)
  }

  @Test(
    arguments: [
      (["D0": ["rising": "end"]], "no edge begins a phase"),
      (["D0": "a", "D1": ["falling": "a"]], "'a' is the phase of D0 and of D1")
    ] as [(Value, String)])
  func contradictionsAreRefused(digital: Value, says: String) {
    let failure = #expect(throws: PlainFailure.self) {
      try PhaseOptions(["digital": digital])
    }
    #expect(failure?.message.contains(says) == true, "\(failure?.message ?? "")")
  }

  @Test(arguments: [
    ("D9", "no meter has an input 'D9'"), ("vdd", "'vdd' is no digital input"),
    ("D0", "'D0' is an input of a and of b")
  ])
  func inputsMustBeThere(channel: String, says: String) throws {
    let channels = [
      Channel(name: "vdd", unit: "W", kind: .power), Channel(name: "D0", unit: "", kind: .logic)
    ]
    let meters = ["a", "b"].map { (identity: MeterIdentity(name: $0, driver: "x"), channels) }
    let failure = #expect(throws: PlainFailure.self) {
      try PhaseChannels([PhaseInput(channel, "x")], on: meters)
    }
    #expect(failure?.message.contains(says) == true, "\(failure?.message ?? "")")
    #expect(failure?.hint == "there are a/D0, b/D0")
    let found = try PhaseChannels([PhaseInput("b/D0", "x")], on: meters).found
    #expect(found.map(\.meter) == [1] && found.map(\.channel) == [1])
  }
}
