import KelvinAgenda
import KelvinModel
import Testing

/// Ids, sections and their groups.
@Suite struct SectionTests {
  private func ids(_ text: String) -> [String] {
    let reading = Reading(text)
    #expect(reading.lines == [])
    return reading.specs.map(\.id)
  }

  @Test(arguments: [
    ("workloads: [idle, memcpy]", ["wk1", "wk2"]),
    // The first without an id is wk1, as in WA's manual.
    ("workloads: [{name: idle, id: a}, idle, idle]", ["a", "wk1", "wk2"]),
    ("workloads: [idle, idle, {name: idle, id: wk1}]", ["wk2", "wk3", "wk1"]),
    ("sections: [{}, {id: b}, {}]\nworkloads: [idle]", ["s1-wk1", "b-wk1", "s2-wk1"]),
    ("workloads: [{name: idle, id: 01_dhry}, {name: idle, id: 2}]", ["01_dhry", "2"]),
    // Sections alone.
    ("sections: [{workloads: [idle]}]", ["s1-wk1"]),
    (
      "sections: [{id: x, workloads: [memcpy]}, {id: y}]\nworkloads: [idle]",
      ["x-wk1", "x-wk2", "y-wk1"]
    )
  ])
  func idsAreWAs(text: String, expected: [String]) {
    #expect(ids(text) == expected)
  }

  @Test func groupsMultiplyAndSetClassifiers() throws {
    let reading = Reading(
      """
      sections:
        - {id: min_freq, group: frequency}
        - {id: max_freq, group: frequency}
        - {id: one, group: cpus}
        - {id: eight, group: cpus, classifiers: {note: all}}
      workloads: [dhrystone]
      """)
    #expect(reading.lines == [])
    #expect(
      reading.specs.map(\.id) == [
        "min_freq-one-wk1", "min_freq-eight-wk1", "max_freq-one-wk1", "max_freq-eight-wk1"
      ])
    let spec = try #require(reading.spec("max_freq-eight-wk1"))
    #expect(spec.classifiers == ["frequency": "max_freq", "cpus": "eight", "note": "all"])
    #expect(spec.place("classifiers.frequency") == "agenda.yaml:3:20")
    #expect(spec.label == "dhrystone")
  }

  @Test func sectionsOfOneGroupAreAlternativesWhereverTheyStand() {
    #expect(
      ids(
        """
        sections: [{id: a, group: g}, {id: x}, {id: b, group: g}, {id: y}]
        workloads: [idle]
        """) == ["a-x-wk1", "a-y-wk1", "b-x-wk1", "b-y-wk1"])
  }

  @Test func aSectionsOwnWorkloadsRunInAllItsCombinations() {
    #expect(
      ids(
        """
        sections:
          - {id: a, group: g, workloads: [memcpy]}
          - {id: b, group: g}
          - {id: x, group: h}
          - {id: y, group: h, workloads: [rt-app]}
        workloads: [idle]
        """) == [
          "a-x-wk1", "a-x-wk2", "a-y-wk1", "a-y-wk2", "a-y-wk3", "b-x-wk1", "b-y-wk1", "b-y-wk3"
        ])
  }

  // MARK: -i

  private static let agenda = """
    sections: [{id: X}, {id: Y}]
    workloads: [{id: A, name: idle}, {id: B, name: memcpy}]
    """

  @Test(arguments: [
    (["A"], ["X-A", "Y-A"]), (["X-A"], ["X-A"]), (["Y"], ["Y-A", "Y-B"]),
    (["B", "X-A"], ["X-A", "X-B", "Y-B"])
  ])
  func onlyTheNamedSpecsArePlanned(only: [String], expected: [String]) {
    let reading = Reading(SectionTests.agenda) { request, _ in request.onlyIDs = only }
    #expect(reading.lines == [])
    #expect(reading.specs.map(\.id) == expected)
    #expect(reading.jobs.count == expected.count)
  }

  @Test func anUnknownIDIsAnsweredWithTheKnownOnes() {
    let reading = Reading(SectionTests.agenda) { request, _ in request.onlyIDs = ["A", "Z-Q"] }
    #expect(
      reading.lines == [
        "-i: error: no workload entry or spec has the id 'Z-Q'; known: A, B, X, Y"
      ])
    #expect(reading.plan == nil)
  }

  @Test func theIDOfAnEntryWithAMistakeIsNoMistake() {
    let reading = Reading("workloads: [{id: A, name: idel}, {id: B, name: idle}]") {
      request, _ in request.onlyIDs = ["A"]
    }
    #expect(reading.errors.count == 1)
    #expect(reading.errors[0].contains("unknown workload 'idel'"))
  }
}
