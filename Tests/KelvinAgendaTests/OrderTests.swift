import KelvinModel
import Testing

@testable import KelvinAgenda

/// The order of execution, against lists written by hand.
@Suite struct OrderTests {
  private static let sections = """
    sections: [{id: X}, {id: Y}]
    workloads: [{id: A, name: idle}, {id: B, name: memcpy}]
    """

  /// `XA1 YA1 ...` for ids `X-A` and iterations.
  private func jobs(_ order: String, _ text: String, iterations: Int = 2) -> String {
    let reading = Reading(
      "config: {execution_order: \(order), iterations: \(iterations)}\n\(text)")
    #expect(reading.lines == [])
    return reading.jobs.map { $0.filter { $0 != "-" && $0 != ":" } }.joined(separator: " ")
  }

  @Test(arguments: [
    ("by_iteration", "XA1 YA1 XB1 YB1 XA2 YA2 XB2 YB2"),
    ("by_section", "XA1 XB1 YA1 YB1 XA2 XB2 YA2 YB2"),
    ("by_workload", "XA1 XA2 YA1 YA2 XB1 XB2 YB1 YB2"),
    ("interleaved", "XA1 YA1 XB1 YB1 YB2 XB2 YA2 XA2")
  ])
  func ordersDoWhatTheirNamesPromise(order: String, expected: String) {
    #expect(jobs(order, OrderTests.sections) == expected)
  }

  @Test func interleavingTurnsAtEachRound() {
    let text = "workloads: [{id: a, name: idle}, {id: b, name: idle}]"
    #expect(jobs("interleaved", text, iterations: 4) == "a1 b1 b2 a2 a3 b3 b4 a4")
  }

  @Test(arguments: [
    ("by_iteration", "a1 b1 c1 a2 c2 c3"), ("by_section", "a1 b1 c1 a2 c2 c3"),
    ("by_workload", "a1 a2 b1 c1 c2 c3"), ("interleaved", "a1 b1 c1 c2 a2 c3")
  ])
  func specsMayDifferInIterations(order: String, expected: String) {
    let text = """
      workloads:
        - {id: a, name: idle}
        - {id: b, name: idle, iterations: 1}
        - {id: c, name: idle, iterations: 3}
      """
    #expect(jobs(order, text) == expected)
  }

  @Test func workloadsOfOneSectionFollowThoseOfAll() {
    let text = """
      sections: [{id: X, workloads: [{id: C, name: idle}]}, {id: Y}]
      workloads: [{id: A, name: idle}]
      """
    #expect(jobs("by_iteration", text, iterations: 1) == "XA1 YA1 XC1")
    #expect(jobs("by_section", text, iterations: 1) == "XA1 XC1 YA1")
  }

  // MARK: random

  private func random(seed: UInt64?, _ text: String = OrderTests.sections) -> Reading {
    Reading("config: {execution_order: random, iterations: 5}\n\(text)") { request, _ in
      request.seed = seed
    }
  }

  @Test func aSeedGivesTheSameOrderEachTimeAndOnEachMachine() {
    let first = random(seed: 42)
    #expect(first.jobs == random(seed: 42).jobs)
    #expect(first.plan?.settings.seed == 42)
    // Written down, so that a change of the generator is noticed.
    #expect(first.jobs.prefix(6) == ["Y-A:5", "Y-B:2", "Y-A:3", "Y-B:1", "X-A:2", "X-B:3"])
    #expect(first.jobs != random(seed: 43).jobs)
  }

  @Test func theGeneratorIsSplitMix64() {
    // The reference implementation's output for this seed.
    var generator = SplitMix64(seed: 1_234_567)
    let expected: [UInt64] = [
      6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
      4_593_380_528_125_082_431, 16_408_922_859_458_223_821
    ]
    #expect(expected.map { _ in generator.next() } == expected)
  }

  @Test func shufflingLosesNothing() {
    let jobs = random(seed: 1).jobs
    #expect(jobs.count == 20)
    #expect(Set(jobs).count == 20)
    #expect(jobs != jobs.sorted())
  }

  @Test func aDrawnSeedIsRecordedAndRepeatsTheOrder() throws {
    let drawn = random(seed: nil)
    let seed = try #require(drawn.plan?.settings.seed)
    #expect(seed < 1 << 53)
    #expect(random(seed: seed).jobs == drawn.jobs)
    #expect(random(seed: nil).plan?.settings.seed != seed)
  }

  @Test func theCommandLinesSeedWinsOverTheAgendas() {
    let text = "config: {seed: 5}\nworkloads: [idle]"
    let agendas = Reading(text) { request, _ in request.seed = nil }
    #expect(agendas.plan?.settings.seed == 5)
    #expect(agendas.plan?.settings.provenance["seed"]?.line == 1)
    #expect(Reading(text).plan?.settings.seed == 7)
  }

  /// Every position must be as likely for every job; 2,400 shuffles of 4 jobs give each of the 24
  /// orders about 100 times.
  @Test func noOrderIsFavored() {
    var counts: [[Int]: Int] = [:]
    for seed in 0..<2400 {
      let order = JobOrder(
        iterations: [1, 1, 1, 1], workloadMajor: [0, 1, 2, 3], seed: UInt64(seed))
      counts[order.jobs(.random).map(\.spec), default: 0] += 1
    }
    #expect(counts.count == 24)
    // Four standard deviations.
    #expect(counts.values.allSatisfy { (61...139).contains($0) }, "\(counts.values.sorted())")
  }

  // MARK: many

  @Test(.timeLimit(.minutes(1))) func oneLongSpecBesideManyShortOnesCostsNoMoreThanItsJobs() {
    let short = (0..<2000).map { _ in "- idle" }.joined(separator: "\n")
    let reading = Reading("workloads:\n- {name: idle, iterations: 300000}\n\(short)")
    #expect(reading.plan?.jobs.count == 302_000)
    #expect(reading.plan?.jobs.last == PlannedJob(spec: 0, iteration: 300_000))
  }

  @Test func tooManyJobsAreRefusedWhereTheyAreWritten() {
    let reading = Reading(
      "workloads:\n- {name: idle, iterations: 10000000}\n- {name: idle, iterations: 1}")
    #expect(
      reading.lines == [
        "agenda.yaml:3:16: error: the agenda makes more than 10000000 jobs; use fewer iterations"
      ])
    #expect(reading.plan == nil)
  }

  @Test func sectionsThatMultiplyBeyondReasonAreRefusedBeforeAnyIsMade() {
    let sections = (0..<70).map { group in
      "- {group: g\(group)}\n- {group: g\(group)}"
    }
    let reading = Reading(
      "sections:\n\(sections.joined(separator: "\n"))\nworkloads: [idle]")
    #expect(
      reading.lines == [
        "agenda.yaml: error: the agenda makes more than \(Int.max) specs, at most 100000 are "
          + "allowed; sections of different groups multiply"
      ])
  }
}
