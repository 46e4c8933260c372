import KelvinModel
import Testing

@testable import KelvinAgenda

/// Settings of devices in agendas and on command lines.
@Suite struct SettingTests {
  private func read(_ settings: String) -> Reading {
    Reading("workloads: [{name: idle, runtime_params: {\(settings)}}]")
  }

  @Test(arguments: [
    ("governor: performance", [JobSpec.Setting("governor", "performance")]),
    ("Governor: x", [.init("governor", "x")]),
    ("cpu12_governor: x", [.init("cpu12_governor", "x")]),
    (
      "big_governor: x, little_governor: y",
      [.init("big_governor", "x"), .init("little_governor", "y")]
    ),
    ("cortex-a53_governor: x", [.init("cortex_a53_governor", "x")]),
    ("cpu0_max_frequency: 1200000", [.init("cpu0_max_frequency", .number(1.2e9))]),
    ("frequency: 1.2 GHz", [.init("frequency", .number(1.2e9))]),
    ("a53_frequency: max", [.init("a53_frequency", "max")]),
    ("num_cores: 2", [.init("num_cores", 2)]),
    ("num_big_cores: 2", [.init("num_big_cores", 2)]),
    ("cpu3_online: false", [.init("cpu3_online", false)]),
    ("governor_tunables: {a: 1}", [.init("gov_tunables", ["a": 1])])
  ])
  func areReadUnderTheirOwnNames(text: String, settings: [JobSpec.Setting]) {
    let reading = read(text)
    #expect(reading.lines == [])
    #expect(reading.specs.first?.runtimeParameters == settings)
  }

  @Test(arguments: [
    ("govenor: x", "unknown setting 'govenor'; did you mean 'governor'?"),
    ("cpu0_govenor: x", "unknown setting 'cpu0_govenor'; did you mean 'cpu0_governor'?"),
    ("online: true", "unknown setting 'online'"),
    ("big_online: true", "unknown setting 'big_online'"),
    ("cpu9999_online: true", "unknown setting 'cpu9999_online'"),
    ("_governor: x", "unknown setting '_governor'"),
    ("num_cores: -1", "num_cores: expected between 0 and 64, found '-1'"),
    ("num_cores: two", "num_cores: expected an integer, found 'two'"),
    (
      "frequency: 5 V", "frequency: expected a frequency such as '1.2 GHz', found '5 V'"
    ),
    ("frequency: maxx", "did you mean 'max'?"), ("frequency: 0", "frequency: expected between"),
    ("governor: a, GOVERNOR: b", "'GOVERNOR' sets the same as 'governor' at agenda.yaml:1:43"),
    (
      "gov_tunables: {a: 1}, governor_tunables: {}",
      "'governor_tunables' sets the same as 'gov_tunables'"
    )
  ])
  func mistakesAreTold(text: String, message: String) {
    let reading = read(text)
    #expect(reading.plan == nil)
    #expect(reading.errors.count == 1)
    #expect(reading.errors.first?.contains(message) == true, "\(reading.errors)")
  }

  /// Each is right by itself; together, on whatever levels, they are not.
  @Test func contradictionsAreToldOnceForManySpecs() {
    let reading = Reading(
      """
      config: {runtime_params: {frequency: max}}
      sections: [{id: a, runtime_params: {max_frequency: 1000}}, {id: b}]
      workloads: [idle, idle, idle]
      """)
    #expect(
      reading.errors == [
        "agenda.yaml:1:27: error: spec 'a-wk1': frequency: excludes 'max_frequency'; remove one of "
          + "them"
      ])
  }

  @Test func areReadFromArguments() throws {
    let settings = try SettingArguments.read(
      ["governor=performance", "cpu0_max_frequency=1.5 GHz", "gov_tunables={a: 1, b: x}"],
      declarations: .sample)
    #expect(
      settings == [
        .init("governor", "performance"), .init("cpu0_max_frequency", .number(1.5e9)),
        .init("gov_tunables", ["a": 1, "b": "x"])
      ])
  }

  @Test(arguments: [
    ("governor", "expected NAME=VALUE"), ("=x", "expected NAME=VALUE"), ("governor=", "no value"),
    ("govenor=x", "did you mean 'governor'?"), ("governor=[", "argument 1"),
    ("num_cores=x", "expected an integer")
  ])
  func mistakesInArgumentsAreTold(argument: String, message: String) {
    let failure = #expect(throws: ConfigurationFailure.self) {
      try SettingArguments.read([argument], declarations: .sample)
    }
    #expect(failure?.message.contains(message) == true, "\(String(describing: failure))")
  }
}
