import KelvinAgenda
import KelvinModel
import Testing

/// `quarantine` and `health_check` under `config`.
@Suite struct HealthConfigTests {
  private func read(_ config: String) -> Reading {
    Reading("config: {\(config)}\nworkloads: [idle]")
  }

  @Test(arguments: [
    ("seed: 1", QuarantineRule(failures: 5, of: 10)),
    ("quarantine: {failures: 2, of: 4}", QuarantineRule(failures: 2, of: 4)),
    ("quarantine: {failures: 3}", QuarantineRule(failures: 3, of: 10)),
    ("quarantine: {failures: 30}", QuarantineRule(failures: 30, of: 30)),
    ("quarantine: {of: 20}", QuarantineRule(failures: 5, of: 20)), ("quarantine: off", nil)
  ])
  func aRuleIsSoManyOfSoMany(config: String, rule: QuarantineRule?) throws {
    let reading = read(config)
    #expect(reading.lines == [])
    let plan = try #require(reading.plan)
    #expect(plan.settings.quarantine == rule)
  }

  @Test(arguments: [
    (
      "quarantine: {failures: 5, of: 3}",
      "1:22: error: config: quarantine: 5 failures cannot be among 3 attempts; write at least 'of: 5'"
    ),
    (
      "quarantine: {failures: 0}",
      "1:33: error: config: quarantine: failures: expected between 1 and 1000, found '0'"
    ),
    (
      "quarantine: {failure: 1}",
      "config: quarantine: unknown key 'failure'; did you mean 'failures'?"
    ),
    ("quarantine: never", "1:22: error: config: quarantine: expected off or a map of failures, of"),
    (
      "health_check: idel",
      "error: config: health_check: unknown workload 'idel'; did you mean 'idle'?"
    ),
    ("health_check: {params: {}}", "config: health_check: 'workload' is missing"),
    (
      "health_check: {workload: idle, when: [begin]}",
      "config: health_check: when: expected one of start, recovery, found 'begin'"
    ),
    (
      "health_check: {workload: idle, when: []}",
      "config: health_check: 'when' is empty, so that it never runs"
    ),
    (
      "health_check: {workload: idle, every: 0}",
      "config: health_check: every: expected between 1 and 1000000, found '0'"
    ),
    ("health_check: {workload: command}", "workload 'command': 'argv' is missing"),
    (
      "health_check: {workload: idle, params: {duratoin: 1}}", "did you mean 'duration'?"
    )
  ])
  func mistakesAreToldWhereTheyStand(config: String, message: String) {
    let lines = read(config).lines
    #expect(lines.count == 1, "\(lines)")
    #expect(lines.first?.contains(message) == true, "\(lines)")
    #expect(lines.first?.hasPrefix("agenda.yaml:1:") == true, "\(lines)")
  }

  @Test func aCheckIsAWorkloadWithItsParameters() throws {
    let reading = read(
      "health_check: {workload: command, params: {argv: [true]}, when: start, every: 20, timeout: 5}"
    )
    #expect(reading.lines == [])
    let check = try #require(reading.plan?.settings.healthCheck)
    #expect(check.spec.workload == "command" && check.spec.parameters["argv"] == ["true"])
    #expect(check.times == [.start] && check.every == 20)
    #expect(check.spec.timeouts == StageTimeouts(setup: 5, run: 5, extract: 5, teardown: 5))
    // It is none of the plan's.
    #expect(reading.plan?.specs.map(\.workload) == ["idle"])
    #expect(reading.plan?.jobs.count == 1)
  }

  @Test func aNameAloneChecksAtTheStartAndAfterRecoveries() throws {
    let check = try #require(read("health_check: idle").plan?.settings.healthCheck)
    #expect(check.times == Set(HealthCheck.Time.allCases) && check.every == nil)
    #expect(check.description == "idle, at start and recovery")
  }
}
