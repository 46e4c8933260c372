import Foundation
import KelvinAgenda
import KelvinModel
import Testing

/// What `kelvin plan` prints.
@Suite struct PlanOutputTests {
  private static let agenda = """
    config: {augmentations: [csv], iterations: 2}
    sections: [{id: X, classifiers: {n: 1.10}}, {id: Y}]
    workloads:
      - {id: A, name: command, label: a long label, params: {argv: [echo, "a b"]}, run_timeout: 2 min}
    """

  private func plan(_ text: String = PlanOutputTests.agenda) throws -> Plan {
    try #require(Reading(text).plan)
  }

  @Test func textShowsJobsThenSettingsWithTheirPlaces() throws {
    #expect(
      PlanText.render(try plan()) == """
        4 jobs of 2 specs, by_iteration

            #  id   label         workload  iteration
            1  X-A  a long label  command   1
            2  Y-A  a long label  command   1
            3  X-A  a long label  command   2
            4  Y-A  a long label  command   2

        Run
          execution_order          by_iteration          default
          seed                     7                     --seed
          reboot_policy            as_needed             default
          retry_on_status          ["failed","partial"]  default
          max_retries              2                     default
          bail_on_init_failure     true                  default
          bail_on_job_failure      false                 default
          quarantine               5 of 10               default
          csv.extra_columns        []                    default
          csv.use_all_classifiers  false                 default

        X-A: command
          label              a long label    agenda.yaml:4:28
          iterations         2               agenda.yaml:1:32
          params.argv        ["echo","a b"]  agenda.yaml:4:58
          classifiers.n      1.10            agenda.yaml:2:34
          augmentations.csv  enabled         agenda.yaml:1:26
          timeouts.setup     120 s           default
          timeouts.run       120 s           agenda.yaml:4:80
          timeouts.extract   120 s           default
          timeouts.teardown  60 s            default
          cleanup_assets     false           default
          link               attached        default

        Y-A: command
          label              a long label    agenda.yaml:4:28
          iterations         2               agenda.yaml:1:32
          params.argv        ["echo","a b"]  agenda.yaml:4:58
          augmentations.csv  enabled         agenda.yaml:1:26
          timeouts.setup     120 s           default
          timeouts.run       120 s           agenda.yaml:4:80
          timeouts.extract   120 s           default
          timeouts.teardown  60 s            default
          cleanup_assets     false           default
          link               attached        default

        """)
  }

  @Test func textFitsTheTerminal() throws {
    let long = String(repeating: "x", count: 500)
    let plan = try plan(
      "workloads: [{name: command, label: \(long), params: {argv: [\(long)]}}]")
    let lines = PlanText.render(plan, columns: 70).split(separator: "\n")
    #expect(lines.allSatisfy { $0.count <= 70 }, "\(lines.filter { $0.count > 70 })")
    #expect(lines.contains { $0.contains("...  agenda.yaml:1:") })
    #expect(PlanText.render(plan).contains(long))
  }

  @Test func textCannotDriveTheTerminal() throws {
    let plan = try plan(#"workloads: [{name: idle, label: "\e[2J", classifiers: {a: "\a"}}]"#)
    let text = PlanText.render(plan)
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test func jsonHoldsThePlanWithProvenance() throws {
    let reading = Reading(PlanOutputTests.agenda)
    let json = PlanJSON.render(reading.plan)
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(root["format"] as? String == "kelvin-plan")
    #expect(root["version"] as? Int == 1)
    let jobs = try #require(root["jobs"] as? [[String: Any]])
    #expect(jobs.map { $0["id"] as? String } == ["X-A", "Y-A", "X-A", "Y-A"])
    #expect(jobs.map { $0["iteration"] as? Int } == [1, 1, 2, 2])
    #expect(jobs.map { $0["spec"] as? Int } == [0, 1, 0, 1])
    let spec = try #require((root["specs"] as? [[String: Any]])?.first)
    #expect(spec["label"] as? String == "a long label")
    #expect((spec["params"] as? [String: Any])?["argv"] as? [String] == ["echo", "a b"])
    #expect(spec["classifiers"] as? [String: String] == ["n": "1.10"])
    #expect(spec["augmentations"] as? [String] == ["csv"])
    #expect((spec["timeouts"] as? [String: Any])?["run"] as? Double == 120)
    let place = (spec["provenance"] as? [String: [String: Any]])?["params.argv"]
    #expect(place?["file"] as? String == "agenda.yaml")
    #expect(place?["line"] as? Int == 4)
    #expect(place?["column"] as? Int == 58)
    let settings = try #require(root["settings"] as? [String: Any])
    #expect(settings["execution_order"] as? String == "by_iteration")
    #expect(settings["seed"] as? Int == 7)
    #expect(settings["run_name"] is NSNull)
    let csv = (settings["augmentations"] as? [String: [String: Any]])?["csv"]
    #expect(csv?["use_all_classifiers"] as? Bool == false)
  }

  @Test func jsonHoldsMistakesEvenWithoutAPlan() throws {
    let reading = Reading("workloads: [idel]")
    let json = PlanJSON.render(reading.plan, diagnostics: reading.diagnostics)
    let root = try #require(
      try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    #expect(root["jobs"] is NSNull)
    let diagnostics = try #require(root["diagnostics"] as? [[String: Any]])
    #expect(diagnostics.count == 1)
    #expect(diagnostics[0]["severity"] as? String == "error")
    #expect(diagnostics[0]["line"] as? Int == 1)
    #expect(diagnostics[0]["message"] as? String == "unknown workload 'idel'")
    #expect(diagnostics[0]["hint"] as? String == "did you mean 'idle'?")
  }
}
