import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// The waits of an agenda, as Workload Automation's are written, in the real binary.
@Suite(.timeLimit(.minutes(2))) struct DelayCommandTests {
  @Test func workloadAutomationsOptionsAreTaken() async throws {
    let scratch = try Scratch()
    try scratch.write("temperature", "58000\n")
    try scratch.write(
      "a.yaml",
      """
      config:
        augmentations: [delay]
        delay:
          temperature_file: \(scratch.path)/temperature
          temperature_timeout: 1
          temperature_poll_period: 1
          temperature_between_specs: 60000
          temperature_between_iterations: 45000
          thermal_threshold_before_start: 0
          active_cooling: false
      workloads:
        - {name: command, iterations: 2, params: {argv: [sh, -c, 'echo 44000 >\(scratch.path)/temperature']}}
      """)
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    let log = try scratch.read("out/run.log")
    #expect(log.contains("before spec: \(scratch.path)/temperature 58.0 degC (wanted at most 60.0"))
    #expect(log.contains("before job: \(scratch.path)/temperature 44.0 degC (wanted at most 45.0"))
    #expect(
      log.contains("before start: \(scratch.path)/temperature 44.0 degC (wanted at most 58.0"))
  }

  @Test func conditionsAreCheckedWithTheAgenda() async throws {
    let scratch = try Scratch()
    func plan(
      _ delay: String, link: String = "attached", _ other: String = "delay"
    ) async throws -> Ran {
      try scratch.write(
        "a.yaml",
        """
        config: {augmentations: [\(other)], delay: \(delay)}
        workloads: [{name: command, link: \(link), params: {argv: [date]}}]
        """)
      return try await KelvinBinary.run(["plan", "a.yaml"], in: scratch.path)
    }
    let good = "{wait_for: {temperature: 45 degC, cpu_idle: 95 %, battery: {at_least: 40 %}}}"
    #expect(try await plan(good).code == 0)
    #expect(try await plan("{wait_for: {temperature: {at_most: initial, margin: 2}}}").code == 0)
    for (wrong, text) in [
      ("{wait_for: {temperature: 45}}", "write the unit: '45 degC'"),
      ("{wait_for: {cpu_idle: 95}}", "expected between 0 and 1"),
      ("{wait_for: {temperature: {at_most: 45 degC, zon: x}}}", "did you mean 'zone'?"),
      ("{on_timeout: flags}", "did you mean 'flag'?"),
      ("{cooling: {start: fan}}", "'stop' is missing")
    ] {
      let ran = try await plan(wrong)
      #expect(ran.code != 0 && ran.both.contains(text), "\(wrong): \(ran.both)")
    }
    // It waits before the link goes away; what reads the board meanwhile is refused.
    #expect(try await plan(good, link: "detached").code == 0)
    let refused = try await plan("{}", link: "detached", "delay, thermal")
    #expect(refused.both.contains("'thermal' reads the board through its link"), "\(refused.both)")
  }
}
