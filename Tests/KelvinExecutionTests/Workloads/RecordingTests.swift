import KelvinModel
import Testing

@testable import KelvinExecution

/// One run of a tool as it was recorded, and what a recipe finds in it.
struct Recording: Sendable, CustomTestStringConvertible {
  let recipe: Recipe
  let name: String
  let parameters: [String: Value]
  let text: String
  let error: String
  /// How many metrics of each name.
  let metrics: [String: Int]
  var testDescription: String { "\(recipe.declaration.name): \(name)" }

  init(
    _ recipe: Recipe, _ name: String, parameters: [String: Value] = [:], _ text: String,
    error: String, metrics: [String: Int]
  ) {
    self.recipe = recipe
    self.name = name
    self.parameters = parameters
    self.text = text
    self.error = error
    self.metrics = metrics
  }
}

/// Whole recipes on real output: through the files that a run leaves, whole, cut and damaged.
@Suite struct RecordingTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func parse(
    _ recording: Recording, _ text: [UInt8], error: [UInt8]
  ) throws -> [Metric] {
    let (out, err) = (directory.path + "/stdout", directory.path + "/stderr")
    try HostFile.write(text, to: out)
    try HostFile.write(error, to: err)
    return try recording.recipe.parse(
      WorkloadOutput(
        parameters: Parameters(values: recording.parameters), standardOutputPath: out,
        standardErrorPath: err, source: recording.recipe.declaration.name))
  }

  private func isSound(_ metric: Metric) -> Bool { metric.value.double?.isFinite == true }

  @Test(arguments: Recordings.all)
  func findsEveryMetricAndDeclaresIt(recording: Recording) throws {
    let metrics = try parse(
      recording, Array(recording.text.utf8), error: Array(recording.error.utf8))
    #expect(Dictionary(grouping: metrics, by: \.name).mapValues(\.count) == recording.metrics)
    for metric in metrics {
      let declared = recording.recipe.declaration.metrics.first { $0.name == metric.name }
      #expect(declared?.unit == metric.unit, "\(metric)")
      #expect(isSound(metric), "\(metric)")
    }
    // No two of one job are told apart by nothing.
    #expect(
      Set(metrics.map { "\($0.name) \($0.classifiers.sorted { $0.key < $1.key })" }).count
        == metrics.count)
  }

  @Test(.timeLimit(.minutes(5)), arguments: Recordings.all)
  func survivesTruncationAtEveryLength(recording: Recording) throws {
    let (text, error) = (Array(recording.text.utf8), Array(recording.error.utf8))
    let most = recording.metrics.values.reduce(0, +)
    for length in 0..<max(text.count, error.count) {
      let metrics = try parse(
        recording, Array(text.prefix(length)), error: Array(error.prefix(length)))
      #expect(metrics.count <= most && metrics.allSatisfy(isSound), "cut at \(length)")
    }
  }

  @Test(.timeLimit(.minutes(5)), arguments: Recordings.all)
  func survivesDamage(recording: Recording) throws {
    var random = SplitMix(state: 20_261_125)
    let hostile = [
      Array(repeating: UInt8(ascii: "9"), count: 400), Array("nan".utf8), Array("inf".utf8),
      Array("-1e308".utf8), Array("1.7e308".utf8), [0, 255, 254], Array("\n\n:::(((]]]".utf8)
    ]
    for round in 0..<300 {
      func damaged(_ bytes: [UInt8]) -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        var bytes = bytes
        for _ in 0...Int(random.next() % 6) {
          let place = Int(random.next() % UInt64(bytes.count))
          switch random.next() % 3 {
          case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
          case 1:
            let insertion = hostile[Int(random.next() % UInt64(hostile.count))]
            bytes.replaceSubrange(place..<min(place + 8, bytes.count), with: insertion)
          default: bytes.insert(contentsOf: bytes[place...].prefix(40), at: place)
          }
        }
        return bytes
      }
      let metrics = try parse(
        recording, damaged(Array(recording.text.utf8)), error: damaged(Array(recording.error.utf8)))
      #expect(metrics.allSatisfy(isSound), "round \(round)")
    }
  }

  @Test func sumsOfProcessesReplaceTheirParts() throws {
    let recording = try #require(Recordings.all.first { $0.name == "two processes" })
    let metrics = try parse(recording, Array(recording.text.utf8), error: [])
    #expect(metrics.last?.value == .number(2_739_978_240))
    #expect(metrics.last?.classifiers == ["block_size": "16384"])
  }
}
