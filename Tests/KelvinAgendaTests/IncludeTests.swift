import KelvinAgenda
import KelvinModel
import Testing

@Suite struct IncludeTests {
  @Test func includesStandWhereverAMapStands() throws {
    // The example of WA's manual.
    let reading = Reading([
      "agenda.yaml": """
      config:
        augmentations: [interrupts]
        include#: ./my-config.yaml
      sections:
        - include#: ./section1.yaml
        - include#: ./section2.yaml
      include#: ./workloads.yaml
      """,
      "my-config.yaml": "augmentations: [cpufreq]",
      "section1.yaml": "classifiers:\n  frequency: max",
      "section2.yaml": "classifiers:\n  frequency: min",
      "workloads.yaml": "workloads:\n  - dhrystone\n  - memcpy"
    ])
    #expect(reading.lines == [])
    #expect(reading.specs.map(\.id) == ["s1-wk1", "s1-wk2", "s2-wk1", "s2-wk2"])
    #expect(reading.specs[0].augmentations == ["cpufreq", "interrupts"])
    #expect(reading.specs[0].classifiers == ["frequency": "max"])
    #expect(reading.specs[2].classifiers == ["frequency": "min"])
    #expect(reading.specs[0].place("classifiers.frequency") == "section1.yaml:2:3")
    #expect(reading.specs[0].place("augmentations.cpufreq") == "my-config.yaml:1:17")
    #expect(reading.specs[1].place("workload") == "workloads.yaml:3:5")
  }

  @Test func theIncludingMapWinsAndListsAddUp() throws {
    let reading = Reading([
      "agenda.yaml": """
      include#: base.yaml
      config: {iterations: 3, csv: {extra_columns: [a]}}
      workloads: [idle]
      sections: [{id: mine}]
      """,
      "base.yaml": """
      config: {iterations: 2, max_retries: 9, csv: {use_all_classifiers: true}}
      workloads: [memcpy]
      sections: [{id: theirs}]
      """
    ])
    #expect(reading.lines == [])
    #expect(
      reading.specs.map(\.id) == ["theirs-wk1", "theirs-wk2", "mine-wk1", "mine-wk2"])
    #expect(reading.specs.map(\.workload) == ["memcpy", "idle", "memcpy", "idle"])
    #expect(reading.specs[0].iterations == 3)
    #expect(reading.plan?.settings.maxRetries == 9)
    // Maps merge one level deep, as in WA: the agenda's csv settings replace the included ones.
    #expect(
      reading.plan?.settings.augmentations["csv"]
        == ["extra_columns": ["a"], "use_all_classifiers": false])
  }

  @Test func ofSeveralFilesTheFirstWinsAndListsKeepTheirOrder() {
    let reading = Reading([
      "agenda.yaml": "include#: [a.yaml, b.yaml]\nworkloads: [rt-app]",
      "a.yaml": "config: {iterations: 2}\nworkloads: [idle]",
      "b.yaml": "config: {iterations: 5, max_retries: 7}\nworkloads: [memcpy]"
    ])
    #expect(reading.lines == [])
    #expect(reading.specs.map(\.workload) == ["idle", "memcpy", "rt-app"])
    #expect(reading.specs[0].iterations == 2)
    #expect(reading.plan?.settings.maxRetries == 7)
  }

  @Test func pathsAreRelativeToTheFileThatNamesThem() {
    let reading = Reading([
      "agenda.yaml": "include#: parts/one.yaml",
      "parts/one.yaml": "include#: two.yaml\nworkloads: [idle]",
      "parts/two.yaml": "config: {iterations: 4}"
    ])
    #expect(reading.lines == [])
    #expect(reading.specs[0].iterations == 4)
    #expect(reading.specs[0].place("iterations") == "parts/two.yaml:1:10")
  }

  @Test func aFileMayBeIncludedTwice() {
    let reading = Reading([
      "agenda.yaml": """
      sections: [{include#: x.yaml, id: a}, {include#: x.yaml, id: b}]
      workloads: [idle]
      """,
      "x.yaml": "iterations: 2"
    ])
    #expect(reading.lines == [])
    #expect(reading.specs.map(\.iterations) == [2, 2])
  }

  @Test func cyclesAreNamedAsAChain() {
    let reading = Reading([
      "agenda.yaml": "include#: b.yaml", "b.yaml": "config: {include#: c.yaml}",
      "c.yaml": "include#: ./b.yaml"
    ])
    #expect(reading.errors.count == 1)
    #expect(
      reading.errors[0].hasPrefix(
        "c.yaml:1:11: error: the files include each other: b.yaml -> c.yaml -> "))
    #expect(reading.plan == nil)
  }

  @Test func aFileThatIncludesItselfIsACycle() {
    let reading = Reading("include#: agenda.yaml\nworkloads: [idle]")
    #expect(
      reading.errors == [
        "agenda.yaml:1:11: error: the files include each other: agenda.yaml -> agenda.yaml"
      ])
  }

  @Test func theDepthOfIncludesIsLimited() {
    var files = ["agenda.yaml": "include#: 1.yaml"]
    for index in 1...40 { files["\(index).yaml"] = "include#: \(index + 1).yaml" }
    let reading = Reading(files)
    #expect(reading.errors == ["32.yaml:1:11: error: files include each other more than 32 deep"])
  }

  @Test(.timeLimit(.minutes(1))) func includesThatMultiplyAreRefused() {
    var files = ["agenda.yaml": "include#: 1.yaml"]
    for index in 1...20 {
      let next = Array(repeating: "\(index + 1).yaml", count: 10).joined(separator: ", ")
      files["\(index).yaml"] = "include#: [\(next)]"
    }
    files["21.yaml"] = "config: {}"
    let reading = Reading(files) { request, _ in request.limits.values = 10_000 }
    #expect(reading.errors.count >= 1)
    #expect(reading.errors[0].contains("all files hold more than 10000 values"))
  }

  @Test func includesCannotNestDeeperThanOneFile() {
    let opening = String(repeating: "{a: ", count: 150)
    let closing = String(repeating: "}", count: 150)
    let reading = Reading([
      "agenda.yaml": opening + "{include#: b.yaml}" + closing, "b.yaml": opening + "1" + closing
    ])
    #expect(reading.errors.contains { $0.contains("nested more than 200 levels deep") })
  }

  @Test(arguments: [
    ("include#: none.yaml", "agenda.yaml:1:11: error: none.yaml: no such file"),
    (
      "include#: list.yaml",
      "agenda.yaml:1:11: error: list.yaml: an included file must hold a map, not a list"
    ),
    ("include#: {a: 1}", "agenda.yaml:1:11: error: include#: expected a path, found a map"),
    (
      "include#: bad.yaml",
      "bad.yaml:2:1: error: not valid YAML: while parsing a flow sequence at 1:4: did not find"
    ),
    (
      "include#: map.yaml\nworkloads: 5",
      "agenda.yaml:2:1: error: 'workloads' cannot be merged: '5' here, a map in the included file"
    )
  ])
  func mistakesNameTheFile(agenda: String, expected: String) {
    let reading = Reading([
      "agenda.yaml": agenda, "list.yaml": "[1]", "bad.yaml": "a: [1", "map.yaml": "workloads: {}"
    ])
    #expect(reading.errors.contains { $0.hasPrefix(expected) }, "\(reading.lines)")
    #expect(reading.plan == nil)
  }

  @Test func anEmptyIncludedFileAddsNothing() {
    let reading = Reading(["agenda.yaml": "include#: e.yaml\nworkloads: [idle]", "e.yaml": "# none"]
    )
    #expect(reading.lines == [])
  }
}
