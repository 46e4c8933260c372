import KelvinAgenda
import KelvinModel
import Testing

/// Which of several values holds, and where it came from.
@Suite struct PrecedenceTests {
  /// The same setting at each level, 1 (weakest) to 5.
  struct Setting: Sendable, CustomTestStringConvertible {
    var key: String
    var values: [String]
    var read: @Sendable (JobSpec) -> String
    var provenance: String
    var testDescription: String { key }
  }

  static let settings: [Setting] = [
    Setting(
      key: "iterations", values: ["1", "2", "3", "4", "5"], read: { String($0.iterations) },
      provenance: "iterations"),
    Setting(
      key: "label", values: ["a", "b", "c", "d", "e"], read: { $0.label }, provenance: "label"),
    Setting(
      key: "run_timeout", values: ["1", "2 s", "3000 ms", "4", "0.5 min"],
      read: { String(Int($0.timeouts.run)) }, provenance: "timeouts.run"),
    Setting(
      key: "cleanup_assets", values: ["true", "false", "true", "false", "true"],
      read: { String($0.cleanupAssets) }, provenance: "cleanup_assets"),
    Setting(
      key: "link",
      values: ["detached", "attached", "{state: detached, seconds: 90}", "attached", "detached"],
      read: { $0.detached.map { "\($0.seconds ?? 0)" } ?? "no" }, provenance: "link"),
    Setting(
      key: "workload_params",
      values: (1...5).map { "{duration: \($0)}" },
      read: { String(Int($0.parameters["duration"]?.number ?? -1)) },
      provenance: "params.duration"),
    Setting(
      key: "classifiers", values: (1...5).map { "{k: v\($0)}" },
      read: { $0.classifiers["k"] ?? "" }, provenance: "classifiers.k")
  ]

  static let results: [String: [String]] = [
    "iterations": ["1", "2", "3", "4", "5"], "label": ["a", "b", "c", "d", "e"],
    "run_timeout": ["1", "2", "3", "4", "30"],
    "cleanup_assets": ["true", "false", "true", "false", "true"],
    "link": ["0.0", "no", "90.0", "no", "0.0"],
    "workload_params": ["1", "2", "3", "4", "5"],
    "classifiers": ["v1", "v2", "v3", "v4", "v5"]
  ]

  /// The levels from weakest to strongest: the user's file, -c, the agenda's config, section, entry.
  @Test(arguments: settings, 1...5)
  func theMostSpecificLevelWins(setting: Setting, levels: Int) throws {
    func line(_ level: Int) -> String {
      level <= levels ? "\(setting.key): \(setting.values[level - 1])" : "{}"
    }
    func inline(_ level: Int) -> String {
      level <= levels ? ", \(setting.key): \(setting.values[level - 1])" : ""
    }
    let reading = Reading([
      "user.yaml": line(1), "c.yaml": line(2),
      "agenda.yaml": """
      config: {max_retries: 1\(inline(3))}
      sections: [{id: x\(inline(4))}]
      workloads: [{name: idle\(inline(5))}]
      """
    ]) {
      $0.userConfigPaths = [$1["user.yaml"]]
      $0.configPaths = [$1["c.yaml"]]
    }
    #expect(reading.lines == [])
    let spec = try #require(reading.specs.first)
    #expect(setting.read(spec) == PrecedenceTests.results[setting.key]?[levels - 1])
    let place =
      switch levels {
      case 1: "user.yaml:1:"
      case 2: "c.yaml:1:"
      case 3: "agenda.yaml:1:"
      case 4: "agenda.yaml:2:"
      default: "agenda.yaml:3:"
      }
    #expect(spec.place(setting.provenance).hasPrefix(place))
  }

  @Test func aLaterConfigFileWinsOverAnEarlier() {
    let reading = Reading([
      "agenda.yaml": "workloads: [idle]", "1.yaml": "{iterations: 2, max_retries: 4}",
      "2.yaml": "iterations: 3"
    ]) { $0.configPaths = [$1["1.yaml"], $1["2.yaml"]] }
    #expect(reading.specs[0].iterations == 3)
    #expect(reading.plan?.settings.maxRetries == 4)
    #expect(reading.plan?.settings.provenance["max_retries"]?.file == "1.yaml")
  }

  @Test func mapsMergeKeyByKey() throws {
    let reading = Reading(
      """
      config: {classifiers: {a: 1, b: 1}, params: {duration: 1}}
      sections: [{id: x, classifiers: {b: 2, c: 2}, runtime_params: {governor: x, num_cores: 1}}]
      workloads:
        - {name: dhrystone, classifiers: {c: 3}, params: {threads: 2}, runtime_params: {NUM-cores: 3, cpu1_online: no}}
      """)
    let spec = try #require(reading.specs.first)
    #expect(spec.classifiers == ["a": "1", "b": "2", "c": "3"])
    #expect(spec.parameters["duration"] == 1.0)
    #expect(spec.parameters["threads"] == 2)
    #expect(spec.place("params.duration") == "agenda.yaml:1:46")
    #expect(spec.place("params.threads") == "agenda.yaml:4:53")
    #expect(spec.place("params.mloops") == "default")
    #expect(
      spec.runtimeParameters == [
        .init("governor", "x"), .init("num_cores", 3), .init("cpu1_online", false)
      ])
    #expect(spec.place("runtime_params.governor") == "agenda.yaml:2:64")
    #expect(spec.place("runtime_params.num_cores") == "agenda.yaml:4:83")
  }

  @Test func globalIsConfigAndBothAreAccepted() {
    let reading = Reading(
      "config: {iterations: 2, max_retries: 5}\nglobal: {iterations: 3}\nworkloads: [idle]")
    #expect(reading.lines == [])
    #expect(reading.specs[0].iterations == 3)
    #expect(reading.plan?.settings.maxRetries == 5)
  }

  @Test func nothingOverridesNothing() {
    let reading = Reading(
      """
      config: {iterations: 4, label: l}
      workloads: [{name: idle, iterations: ~, label: , params: ~, classifiers: }]
      """)
    #expect(reading.lines == [])
    #expect(reading.specs[0].iterations == 4)
    #expect(reading.specs[0].label == "l")
  }

  @Test func defaultsFillWhatNobodyWrote() throws {
    let spec = try #require(Reading("workloads: [dhrystone]").specs.first)
    #expect(
      spec.parameters == [
        "threads": 4, "mloops": 0, "duration": 0, "delay": 0, "taskset_mask": 0
      ])
    #expect(spec.iterations == 1)
    #expect(spec.label == "dhrystone")
    #expect(!spec.cleanupAssets)
    #expect(spec.timeouts == StageTimeouts())
    #expect(Array(spec.provenance.keys) == ["workload"])
  }

  // MARK: a workload's name in config

  @Test func parametersUnderAWorkloadsNameAreItsDefaults() {
    let reading = Reading(
      """
      config: {dhrystone: {threads: 8, mloops: 2}, params: {duration: 5}}
      workloads: [dhrystone, {name: dhrystone, params: {threads: 1}}, idle]
      """)
    #expect(reading.lines == [])
    #expect(reading.specs[0].parameters["threads"] == 8)
    #expect(reading.specs[0].place("params.threads") == "agenda.yaml:1:22")
    #expect(reading.specs[1].parameters["threads"] == 1)
    #expect(reading.specs[1].parameters["mloops"] == 2)
    #expect(reading.specs[2].parameters == ["duration": 5.0])
  }

  @Test func theMoreSpecificWinsInOneSourceButNotAgainstALaterOne() {
    let same = Reading("config: {idle: {duration: 8}, params: {duration: 5}}\nworkloads: [idle]")
    #expect(same.lines == [])
    #expect(same.specs[0].parameters["duration"] == 8.0)
    let later = Reading([
      "agenda.yaml": "config: {params: {duration: 5}}\nworkloads: [idle]",
      "c.yaml": "idle: {duration: 8}"
    ]) { $0.configPaths = [$1["c.yaml"]] }
    #expect(
      later.lines == [
        "agenda.yaml:1:19: error: config: parameter 'duration' for all workloads comes after the "
          + "one for 'idle' at c.yaml:1:8; write it under 'idle:' here, or remove one of them"
      ])
  }

  // MARK: aliases

  @Test(arguments: ["params", "workload_params", "parameters", "workload_parameters"])
  func parametersHaveWAsNames(key: String) {
    let reading = Reading("workloads: [{workload_name: idle, \(key): {duration: 7}}]")
    #expect(reading.lines == [])
    #expect(reading.specs[0].parameters["duration"] == 7.0)
  }

  @Test(arguments: ["params", "runtime_params", "runtime_parameters"])
  func paramsInASectionAreRuntimeParameters(key: String) {
    let reading = Reading("sections: [{\(key): {governor: powersave}}]\nworkloads: [idle]")
    #expect(reading.specs[0].runtimeParameters == [.init("governor", "powersave")])
  }

  @Test(arguments: ["workload_params", "parameters", "workload_parameters"])
  func otherParametersInASectionAreTheWorkloads(key: String) {
    let reading = Reading("sections: [{\(key): {duration: 3}}]\nworkloads: [idle]")
    #expect(reading.lines == [])
    #expect(reading.specs[0].parameters["duration"] == 3.0)
  }

  @Test(arguments: ["{cleanup_assets: no}", "{clean_up: false, duration: 1}"])
  func wasCleanupParameterIsUnderstood(parameters: String) {
    let reading = Reading("workloads: [{name: idle, params: \(parameters)}]")
    #expect(reading.lines == [])
    #expect(reading.specs[0].cleanupAssets == false)
  }

  @Test(arguments: ["boot_params", "boot_parameters", "flash"])
  func whatNothingUsesYetIsAWarning(key: String) {
    let reading = Reading("workloads: [{name: idle, \(key): {a: 1}}]")
    #expect(
      reading.lines == [
        "agenda.yaml:1:26: warning: workload entry 'wk1': '\(key)' has no effect: nothing uses it "
          + "yet"
      ])
    #expect(reading.plan != nil)
  }

  @Test(arguments: ["rt-app", "rt_app", "RT-app"])
  func namesOfPlugInsAreFoundAsInWA(name: String) {
    let reading = Reading("workloads: [\(name)]")
    #expect(reading.lines == [])
    #expect(reading.specs[0].workload == "rt-app")
    #expect(reading.specs[0].label == "rt-app")
  }

  @Test func anAliasIsResolved() {
    #expect(Reading("workloads: [{name: cmd, params: {argv: x}}]").specs[0].workload == "command")
  }

  @Test func classifiersBecomeText() {
    let reading = Reading(
      "workloads: [{name: idle, classifiers: {a: 1.10, b: no, c: [1, x], d: , e: {k: 1}}}]")
    #expect(
      reading.specs[0].classifiers
        == ["a": "1.10", "b": "no", "c": "[1,\"x\"]", "d": "", "e": "{\"k\":1}"])
  }

  @Test func timeoutsTakeUnitsAndEachStageItsOwn() {
    let reading = Reading(
      """
      config: {setup_timeout: 1 min, run_timeout: 90, extract_timeout: 500 ms, teardown_timeout: 2h}
      workloads: [idle]
      """)
    #expect(reading.lines == [])
    #expect(
      reading.specs[0].timeouts == StageTimeouts(setup: 60, run: 90, extract: 0.5, teardown: 7200))
    #expect(reading.specs[0].place("timeouts.teardown") == "agenda.yaml:1:74")
  }
}
