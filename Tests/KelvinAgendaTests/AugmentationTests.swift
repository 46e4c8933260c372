import KelvinAgenda
import KelvinModel
import Testing

@Suite struct AugmentationTests {
  private func enabled(
    _ text: String, defaults: [String] = ["execution_time", "csv"], disabled: [String] = []
  ) -> [String] {
    let reading = Reading(text) { request, _ in
      request.defaultAugmentations = defaults
      request.disabled = disabled
    }
    #expect(reading.lines == [])
    return reading.specs.first?.augmentations ?? ["no spec"]
  }

  @Test(arguments: [
    ("workloads: [idle]", ["execution_time", "csv"]),
    ("config: {augmentations: [cpufreq]}\nworkloads: [idle]", ["execution_time", "csv", "cpufreq"]),
    ("config: {augmentations: [~csv]}\nworkloads: [idle]", ["execution_time"]),
    ("config: {augmentations: [~~]}\nworkloads: [idle]", []),
    ("config: {augmentations: [~~, status]}\nworkloads: [idle]", ["status"]),
    // WA's manual: its place in the list does not matter.
    ("config: {augmentations: [status, ~~, csv]}\nworkloads: [idle]", ["status", "csv"]),
    ("workloads: [{name: idle, augmentations: [~~, cpufreq]}]", ["cpufreq"]),
    (
      "sections: [{augmentations: [~~, cpufreq]}]\nworkloads: [{name: idle, augment: [csv]}]",
      ["cpufreq", "csv"]
    ),
    (
      """
      config: {augmentations: [~csv]}
      sections: [{augmentations: [interrupts, csv]}]
      workloads: [{name: idle, augmentations: [~execution_time, status]}]
      """, ["interrupts", "csv", "status"]
    ),
    // Enabling again keeps the place.
    (
      "config: {augmentations: [csv, status, execution_time]}\nworkloads: [idle]",
      ["execution_time", "csv", "status"]
    ),
    ("config: {augmentations: status}\nworkloads: [idle]", ["execution_time", "csv", "status"]),
    ("config: {augmentations: }\nworkloads: [idle]", ["execution_time", "csv"]),
    (
      "config: {augmentations: [Execution-Time, CPUFREQ]}\nworkloads: [idle]",
      ["execution_time", "csv", "cpufreq"]
    ),
    (
      "config: {instruments: [cpufreq], result_processors: [status]}\nworkloads: [idle]",
      ["execution_time", "csv", "cpufreq", "status"]
    )
  ])
  func togglesMergeByLevel(text: String, expected: [String]) {
    #expect(enabled(text) == expected)
  }

  @Test(arguments: [
    "augmentations", "instruments", "processors", "instrumentation", "output_processors", "augment",
    "result_processors"
  ])
  func allOfWAsNamesAreAccepted(key: String) {
    #expect(enabled("config: {\(key): [cpufreq]}\nworkloads: [idle]", defaults: []) == ["cpufreq"])
    #expect(enabled("workloads: [{name: idle, \(key): [cpufreq]}]", defaults: []) == ["cpufreq"])
  }

  @Test func theOrderOfListingIsTheOrderAlways() {
    let listed = ["targz", "status", "csv", "interrupts", "execution_time"]
    let text = "config: {augmentations: [\(listed.joined(separator: ", "))]}\nworkloads: [idle]"
    for _ in 0..<20 { #expect(enabled(text, defaults: []) == listed) }
  }

  @Test(arguments: [
    (["csv"], ["execution_time"]), (["~csv"], ["execution_time"]), (["~~"], []),
    (["status"], ["execution_time", "csv"])
  ])
  func theCommandLineDisablesAtEveryLevel(disabled: [String], expected: [String]) {
    #expect(
      enabled("workloads: [{name: idle, augmentations: [csv]}]", disabled: disabled) == expected)
  }

  @Test func anUnknownNameToDisableIsAMistake() {
    let reading = Reading("workloads: [idle]") { request, _ in request.disabled = ["cvs"] }
    #expect(
      reading.lines == ["--disable: error: unknown augmentation 'cvs'; did you mean 'csv'?"])
  }

  @Test func eachSaysWhereItWasEnabled() throws {
    let reading = Reading(
      """
      config: {augmentations: [cpufreq]}
      sections: [{id: a, augmentations: [status]}, {id: b, augmentations: [~cpufreq]}]
      workloads: [idle]
      """
    ) { request, _ in request.defaultAugmentations = ["csv"] }
    let a = try #require(reading.spec("a-wk1"))
    #expect(a.place("augmentations.csv") == "default")
    #expect(a.place("augmentations.cpufreq") == "agenda.yaml:1:26")
    #expect(a.place("augmentations.status") == "agenda.yaml:2:36")
    let b = try #require(reading.spec("b-wk1"))
    #expect(b.augmentations == ["csv"])
    #expect(b.provenance["augmentations.cpufreq"] == nil)
  }

  @Test(arguments: [
    (
      "[csv, ~csv]", "1:31",
      "config: '~csv' contradicts agenda.yaml:1:26; enable or disable it, "
        + "not both"
    ),
    (
      "[csv, ~]", "1:31",
      "config: augmentations: expected a name, found nothing; '~name' disables "
        + "one augmentation, '~~' all inherited ones"
    ),
    (
      "[[csv]]", "1:26",
      "config: augmentations: expected a name, found a list; '~name' disables "
        + "one augmentation, '~~' all inherited ones"
    ),
    (
      "{csv: {}}", "1:25",
      "config: augmentations: expected a list of names, found a map; settings "
        + "of an augmentation stand under its own name in 'config:'"
    ),
    ("[idle]", "1:26", "unknown augmentation 'idle'; this is a workload"),
    (
      "[trace-cmd]", "1:26",
      "unknown augmentation 'trace-cmd'; WA has it, Kelvin does not; remove it"
    ),
    ("[~cvs]", "1:26", "unknown augmentation 'cvs'; did you mean 'csv'?"),
    (
      "[frobnicate]", "1:26",
      "unknown augmentation 'frobnicate'; 'kelvin list instruments' and "
        + "'kelvin list outputs' list them"
    )
  ])
  func mistakesAreAnswered(list: String, place: String, message: String) {
    let reading = Reading("config: {augmentations: \(list)}\nworkloads: [idle]")
    #expect(reading.lines == ["agenda.yaml:\(place): error: \(message)"])
  }

  @Test func contradictionsAcrossNamesAreFound() {
    let reading = Reading(
      "config: {instruments: [cpufreq], processors: [~cpufreq]}\nworkloads: [idle]")
    #expect(reading.errors.count == 1)
    #expect(reading.errors[0].contains("'~cpufreq' contradicts agenda.yaml:1:24"))
  }

  @Test func disablingWhatOnlyWAHasIsHarmless() {
    let reading = Reading("config: {augmentations: [~trace-cmd]}\nworkloads: [idle]")
    #expect(
      reading.lines == [
        "agenda.yaml:1:26: warning: Kelvin has no augmentation 'trace-cmd' to disable"
      ])
    #expect(reading.plan != nil)
  }

  // MARK: settings

  @Test func settingsHoldForTheRunWithDefaults() throws {
    let reading = Reading([
      "agenda.yaml": """
      config:
        csv: {use_all_classifiers: true}
        file-poller: {files: /proc/stat, sample_interval: 10}
      workloads: [{name: idle, augmentations: [file_poller]}]
      """,
      "c.yaml": "csv: {extra_columns: [a], use_all_classifiers: false}"
    ]) {
      $0.configPaths = [$1["c.yaml"]]
      $0.defaultAugmentations = ["cpufreq"]
    }
    #expect(reading.lines == [])
    let settings = try #require(reading.plan?.settings)
    // csv is configured, not enabled.
    #expect(Set(settings.augmentations.keys) == ["csv", "file_poller", "cpufreq"])
    #expect(
      settings.augmentations["csv"] == ["use_all_classifiers": true, "extra_columns": ["a"]])
    #expect(
      settings.augmentations["file_poller"]
        == ["files": ["/proc/stat"], "sample_interval": 0.01])
    #expect(settings.augmentations["cpufreq"] == ["paths": []])
    #expect(settings.provenance["csv.use_all_classifiers"]?.description == "agenda.yaml:2:9")
    #expect(settings.provenance["csv.extra_columns"]?.description == "c.yaml:1:7")
    #expect(settings.provenance["cpufreq.paths"] == nil)
  }

  @Test func settingsOfADisabledAugmentationAreStillChecked() {
    let reading = Reading("config: {csv: {use_all_classifiers: 7}}\nworkloads: [idle]")
    #expect(
      reading.lines == [
        "agenda.yaml:1:37: error: output 'csv': use_all_classifiers: expected true or false, "
          + "found '7'"
      ])
  }
}
