import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Steps of load, and traces that follow them.
@Suite(.timeLimit(.minutes(2)))
struct LoadStepTests {
  @Test func readsStepsAndNothingElse() {
    let text = """
      step 1700000000123456789 1700000000124456789
      step 1700000000 1700000001
      step 1700000000123456789 1700000000123456788
      step 170000000012345678N 1700000000124456789
      stop 1700000000123456789 1700000000124456789
      step 1700000001123456789
      step 1700000001123456789 1700000001124456789
      """
    let steps = LoadSteps.steps(in: text, by: .wall)
    #expect(steps.map { $0.after - $0.before } == [1_000_000, 1_000_000])
    for end in 0...text.utf8.count {
      #expect(LoadSteps.steps(in: String(text.prefix(end)), by: .wall).count <= 2)
    }
    let uptimes =
      "step 45.27 45.29\nstep 45.2 45.30\nstep 45 46\nstep -1.00 1.00\nstep 46.00 1e9.00\n"
    let read = LoadSteps.steps(in: uptimes, by: .uptime)
    #expect(read.count == 1 && read.first?.before == 45_270_000_000)
    #expect(read.first?.after == 45_290_000_000)
  }

  /// A clock of hundredths of a second is known better than that by several exchanges.
  @Test func exchangesTogetherKnowMoreThanEach() throws {
    let truth: Int64 = 5_000_123_456_789
    var all: StepClock.Offset?
    for number in 0..<16 {
      // Questions of 1 ms, each at another place of the hundredth.
      let begin = truth + 700_000_000 * Int64(number) + 4_000_000 * Int64(number)
      let board = begin + 500_000 - truth
      let one = StepClock.Offset(
        of: board - board % 10_000_000, step: 10_000_000, from: begin, to: begin + 1_000_000)
      #expect(one.bound == 5_500_000)
      if let known = all {
        let both = known.with(one)
        all = try #require(both) as StepClock.Offset
      } else {
        all = one
      }
    }
    let offset = try #require(all)
    #expect(offset.low <= truth && truth <= offset.high && offset.bound < 2_500_000)
    let set = StepClock.Offset(of: 0, step: 10_000_000, from: 0, to: 1_000_000)
    #expect(offset.with(set) == nil)
  }

  @Test func aPlanTakesItsTime() {
    let plan = LoadSteps.Plan(order: 4, dwell: 0.5)
    #expect(plan.pauses.reduce(0, +) <= plan.duration)
    #expect(plan.pauses.count % 2 == 0 && plan.pauses.allSatisfy { $0 >= 0.5 })
    #expect(plan.script(.uptime).contains("while :; do :; done"))
    #expect(LoadSteps.Plan(order: 99, dwell: 1).order == 10)
  }

  @Test func choosesWhatFollowsThePower() throws {
    let channels = [
      Channel(name: "u", unit: "V", kind: .voltage), Channel(name: "i", unit: "A", kind: .current),
      Channel(name: "e", unit: "J", scale: 1e-3, kind: .energy, wrap: 0)
    ]
    #expect(try PowerTrace(of: channels, named: nil, meter: "m").channel == 1)
    let trace = try PowerTrace(of: channels, named: "e", meter: "m")
    trace.take([
      SampleBlock(
        channel: 2, times: [0, 1_000_000_000, 2_000_000_000, 3_000_000_000],
        codes: [0, 5, 2, 9])
    ])
    // A counter that went back tells nothing of that step.
    let samples = trace.samples(.host)
    #expect(samples.times == [500_000_000, 2_500_000_000] && samples.values == [0.005, 0.007])
    #expect(throws: MeterFailure.self) { try PowerTrace(of: channels, named: "u", meter: "m") }
    #expect(throws: MeterFailure.self) {
      try PowerTrace(of: Array(channels.prefix(1)), named: nil, meter: "m")
    }
  }

  /// A shell steps the file that the meter reads: the trace has the steps when the shell says.
  @Test func stepsAreWhereTheBoardSaysThatTheyAre() async throws {
    let file = "/sys/class/hwmon/hwmon0/power1_input"
    let tree = try RecordedTree([
      "/sys/class/hwmon/hwmon0/name": "acpi\n", file: "1000000\n"
    ])
    let deadline = Deadline.after(seconds: 60)
    let meter = try await HwmonDriver().open(
      name: "m", options: ["rate": .number(500)], through: tree.connection, until: deadline)
    let trace = try PowerTrace(of: meter.channels, named: nil, meter: "m")
    try await meter.start(into: trace, until: deadline)
    // As long as what it replaces, so that no reader finds half of it.
    let steps = try await LoadSteps.make(
      LoadSteps.Plan(
        order: 4, dwell: 0.1, on: "printf 9000000 1<>\(tree.root)\(file)",
        off: "printf 1000000 1<>\(tree.root)\(file)"), on: tree.connection, until: deadline)
    let summary = await meter.stop(until: deadline)
    let (times, values) = trace.samples(summary.clock)
    let found = try StepAlignment.find(
      StepPattern(edges: steps.edges), times: times, power: values,
      searching: -500_000_000...500_000_000)
    #expect(abs(found.contrast - 8) < 0.1)
    let error = (found.standardError * found.standardError + steps.uncertainty * steps.uncertainty)
      .squareRoot()
    #expect(abs(found.offset) < 4 * error, "\(found.offset) ns, ± \(error)")
  }
}
