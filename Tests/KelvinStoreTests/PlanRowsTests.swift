import KelvinModel
import Testing

@testable import KelvinStore

struct PlanRowsTests {
  static let settings = RunSettings(
    executionOrder: .interleaved, seed: .max, rebootPolicy: .never, retryOnStatus: [.aborted],
    maxRetries: 7, bailOnInitFailure: false, bailOnJobFailure: true,
    quarantine: QuarantineRule(failures: 2, of: 3),
    healthCheck: HealthCheck(
      workload: "command", parameters: ["argv": ["true"]], seconds: 5, times: [.recovery], every: 9),
    runName: "n", project: "p",
    projectStage: "s", augmentations: ["cpufreq": ["paths": ["a", "b"], "rate": 1.5]],
    provenance: ["max_retries": SourceLocation(file: "a.yaml", line: 3, column: 4)])

  static let spec = JobSpec(
    id: "s-wk1", label: "l", workload: "command",
    parameters: [
      "argv": ["a b", "\"", "\\", "\u{1}\u{2028}✓"], "none": nil, "flag": true, "half": 0.5,
      "five": 5.0, "tiny": 1e-300, "big": 9_223_372_036_854_775_807, "map": ["a": ["b": []]]
    ],
    runtimeParameters: [.init("governor", "performance"), .init("cpu0_frequency", 1000)],
    classifiers: ["a": "b"], augmentations: ["x", "~y"], iterations: 3,
    timeouts: StageTimeouts(setup: 1, run: 2.5, extract: 3, teardown: 4), cleanupAssets: true,
    detached: DetachedLink(seconds: 90, settle: 0.5),
    deployment: Deployment(
      way: .sdMux, kernel: "k", initrd: "i", deviceTree: "d", root: "/r \"", commandLine: "a b",
      buildID: "0a", verify: "true"))

  @Test func givesBackEveryFieldOfSettings() throws {
    let json = Self.settings.stored.json
    #expect(RunSettings(stored: try #require(Value(json: json))) == Self.settings)
    expectDifferent(Self.settings, from: RunSettings())
    for rule in [nil, QuarantineRule.standard] {
      let settings = RunSettings(quarantine: rule)
      #expect(RunSettings(stored: settings.stored) == settings)
    }
  }

  @Test func givesBackEveryFieldOfASpec() throws {
    let directory = TemporaryDirectory()
    var plan = Plan(
      settings: Self.settings, specs: [Self.spec], jobs: [PlannedJob(spec: 0, iteration: 2)])
    try RunStore.create(at: directory("run"), run: makeRun(), plan: plan, life: deadLife).close()
    #expect(try RunReader(directory: directory("run")).plan() == plan)
    expectDifferent(
      Self.spec, from: JobSpec(id: "", label: "", workload: ""), except: ["provenance"])
    expectDifferent(Self.spec.timeouts, from: StageTimeouts())
    // A spec's provenance is not kept.
    plan.specs[0].provenance = ["label": SourceLocation(file: "f")]
    try RunStore.create(at: directory("b"), run: makeRun(), plan: plan, life: deadLife).close()
    #expect(try RunReader(directory: directory("b")).specs() == [Self.spec])
  }

  @Test func readsSettingsOfAnOlderKelvinWithDefaults() {
    #expect(RunSettings(stored: [:]) == RunSettings())
    #expect(StageTimeouts(stored: [:]) == StageTimeouts())
    #expect(RunSettings(stored: ["execution_order": "sideways"]) == nil)
    #expect(RunSettings(stored: 5) == nil)
    #expect(RunSettings(stored: ["quarantine": "of"]) == nil)
    #expect(RunSettings(stored: ["health_check": "x"]) == nil)
  }

  /// A field that a later change adds to the type must be added to this test, and so to the store:
  /// each field of the sample differs from its default.
  private func expectDifferent<T>(_ sample: T, from standard: T, except: Set<String> = []) {
    for (a, b) in zip(Mirror(reflecting: sample).children, Mirror(reflecting: standard).children)
    where !except.contains(a.label ?? "") {
      #expect("\(a.value)" != "\(b.value)", "field \(a.label ?? "?") is not tried")
    }
  }
}
