import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// cpufreq, cpuidle and thermal, on trees written after the kernel's documentation.
@Suite struct PowerInstrumentTests {
  private static let cpufreq = "/sys/devices/system/cpu/cpufreq"

  /// A board with two clusters.
  private static let frequencies: [String: String] = [
    "\(cpufreq)/policy0/related_cpus": "0 1 2 3\n",
    "\(cpufreq)/policy0/scaling_governor": "schedutil\n",
    "\(cpufreq)/policy0/scaling_min_freq": "408000\n",
    "\(cpufreq)/policy0/scaling_max_freq": "1800000\n",
    "\(cpufreq)/policy0/stats/time_in_state": "408000 1000\n1800000 50\n",
    "\(cpufreq)/policy0/stats/total_trans": "77\n",
    "\(cpufreq)/policy4/related_cpus": "4 5\n",
    "\(cpufreq)/policy4/scaling_governor": "performance\n",
    "\(cpufreq)/policy4/scaling_min_freq": "408000\n",
    "\(cpufreq)/policy4/scaling_max_freq": "2400000\n",
    "\(cpufreq)/policy4/stats/time_in_state": "408000 0\n2400000 900\n",
    "\(cpufreq)/policy4/stats/total_trans": "4\n"
  ]

  private func job(
    _ instrument: any Instrument.Type, _ before: [String: String], then after: [String: String],
    remove: [String] = [],
    faults: [TargetPath: Errno] = [:]
  ) async throws -> (InstrumentBench.Record, InstrumentBench.Record.Job) {
    let tree = try RecordedTree(before)
    var bench = InstrumentBench(
      FaultyConnection(base: LocalConnection(root: tree.root), faults: faults))
    bench.argv = nil
    bench.during = { _ in
      try tree.write(after)
      for path in remove { try await tree.remove(path) }
    }
    let record = try await bench.run([instrument])
    return (record, try #require(record.jobs.first))
  }

  @Test(.timeLimit(.minutes(1))) func residencyIsWeightedByTime() async throws {
    let (_, job) = try await job(
      CPUFrequency.self, Self.frequencies,
      then: [
        "\(Self.cpufreq)/policy0/stats/time_in_state": "408000 1030\n1800000 60\n",
        "\(Self.cpufreq)/policy0/stats/total_trans": "80\n",
        "\(Self.cpufreq)/policy4/stats/time_in_state": "408000 0\n2400000 940\n"
      ])
    let policy0 = ["policy": "policy0", "cpus": "0-3"]
    #expect(try job.value("frequency_mean", policy0) == 756e6)
    #expect(
      try job.value("frequency_residency", ["policy": "policy0", "frequency": "408 MHz"]) == 75)
    #expect(try job.value("frequency_transitions", policy0) == 3)
    #expect(
      try job.value("frequency_residency", ["policy": "policy4", "frequency": "2400 MHz"]) == 100)
    #expect(try job.value("frequency_transitions", ["policy": "policy4", "cpus": "4-5"]) == 0)
    #expect(job.fingerprint["policy0 governor"] == "schedutil")
    #expect(job.fingerprint["policy4 limits"] == "408000 to 2400000 kHz")
    #expect(job.events.isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func keepsOtherValuesBesideDamage() async throws {
    let (_, job) = try await job(
      CPUFrequency.self, Self.frequencies,
      then: [
        "\(Self.cpufreq)/policy0/stats/total_trans": "<garbage>\n",
        "\(Self.cpufreq)/policy0/scaling_governor": "powersave\n",
        "\(Self.cpufreq)/policy4/stats/time_in_state": "408000 0\n2400000 940\n"
      ], remove: ["\(Self.cpufreq)/policy0/stats/time_in_state"],
      faults: ["\(Self.cpufreq)/policy4/stats/total_trans".path: .io])
    #expect(job.outcome == .ok)
    #expect(try job.value("frequency_mean", ["policy": "policy4"]) == 2400e6)
    #expect(!job.metrics.contains { $0.classifiers["policy"] == "policy0" })
    let warnings = job.messages(.warning)
    #expect(warnings.contains { $0.contains("policy4/stats/total_trans before the window: Input") })
    #expect(warnings.contains { $0.contains("policy0/stats/time_in_state after the window: No") })
    #expect(warnings.contains("policy0/stats/total_trans: is not a number"))
    #expect(
      warnings.contains(
        "policy0: governor changed in the measured window from schedutil to powersave"))
  }

  @Test(.timeLimit(.minutes(1))) func withoutStatisticsItKeepsTheGovernor() async throws {
    let (record, job) = try await job(
      CPUFrequency.self, Self.frequencies.filter { !$0.key.contains("/stats/") }, then: [:])
    #expect(record.log.contains("CONFIG_CPU_FREQ_STAT=y"))
    #expect(job.metrics.isEmpty)
    #expect(job.fingerprint["policy0 governor"] == "schedutil")
    #expect(job.events.isEmpty)
  }

  private static let cpu = "/sys/devices/system/cpu"

  private static func idle(
    _ cpu: Int, _ state: Int, _ name: String, time: Int, usage: Int
  )
    -> [String: String]
  {
    let path = "\(Self.cpu)/cpu\(cpu)/cpuidle/state\(state)"
    return [
      "\(path)/name": name + "\n", "\(path)/time": "\(time)\n", "\(path)/usage": "\(usage)\n",
      "\(path)/disable": cpu == 1 && state == 1 ? "1\n" : "0\n"
    ]
  }

  @Test(.timeLimit(.minutes(1))) func idleResidencyIsByCPUAndState() async throws {
    var before: [String: String] = [:]
    for cpu in [0, 1, 10] {
      before.merge(Self.idle(cpu, 0, "WFI", time: 1000, usage: 5)) { $1 }
      before.merge(Self.idle(cpu, 1, "cpu-sleep", time: 500, usage: 2)) { $1 }
    }
    let (_, job) = try await job(
      CPUIdle.self, before,
      then: [
        "\(Self.cpu)/cpu0/cpuidle/state0/time": "4000\n",
        "\(Self.cpu)/cpu0/cpuidle/state0/usage": "9\n",
        "\(Self.cpu)/cpu10/cpuidle/state1/time": "not a number\n"
      ])
    let share = try job.value("idle_residency", ["cpu": "0", "state": "WFI"])
    #expect(share > 0)
    #expect(try job.value("idle_entries", ["cpu": "0", "state": "WFI"]) == 4)
    #expect(try job.value("idle_residency", ["cpu": "1", "state": "cpu-sleep"]) == 0)
    let mean = try job.value("idle_residency", ["cpu": "all", "state": "WFI"])
    #expect(abs(mean - share / 3) < 1e-9)
    #expect(job.fingerprint["disabled idle states"] == "cpu1 cpu-sleep")
    #expect(
      job.messages(.warning)
        == ["time in the state is not a number, or went back: cpu10 cpu-sleep"])
  }

  private static let zones: [String: String] = [
    "/sys/class/thermal/thermal_zone0/type": "soc-thermal\n",
    "/sys/class/thermal/thermal_zone0/temp": "45250\n",
    "/sys/class/thermal/thermal_zone10/type": "soc-thermal\n",
    "/sys/class/thermal/thermal_zone10/temp": "-5000\n",
    "/sys/class/thermal/thermal_zone2/type": "gpu\n",
    "/sys/class/thermal/thermal_zone2/temp": "41000\n",
    "/sys/class/thermal/cooling_device0/type": "fan\n"
  ]

  @Test(.timeLimit(.minutes(1))) func temperaturesAreInDegrees() async throws {
    let (_, job) = try await job(
      Thermal.self, Self.zones,
      then: [
        "/sys/class/thermal/thermal_zone0/temp": "50000\n",
        "/sys/class/thermal/thermal_zone2/temp": "hot\n"
      ], faults: ["/sys/class/thermal/thermal_zone10/temp": .io])
    #expect(job.outcome == .ok)
    let zone = ["zone": "thermal_zone0", "type": "soc-thermal"]
    #expect(try job.value("temperature_before", zone) == 45.25)
    #expect(try job.value("temperature_after", zone) == 50)
    #expect(try job.value("temperature_before", ["type": "gpu"]) == 41)
    #expect(job.metrics.count == 3)
    #expect(job.captures.isEmpty)
    #expect(job.messages(.warning).count == 2)
    #expect(
      job.messages(.warning).contains(
        "not a number: /sys/class/thermal/thermal_zone2/temp after the window"))
  }

  @Test(.timeLimit(.minutes(1))) func temperaturesAreSampledWhenAsked() async throws {
    let tree = try RecordedTree(Self.zones)
    var bench = InstrumentBench(LocalConnection(root: tree.root))
    bench.argv = ["sleep", "0.1"]
    bench.settings = ["thermal": ["period": 0.005]]
    let record = try await bench.run([Thermal.self])
    let job = try #require(record.jobs.first)
    #expect(try job.value("temperature_max", ["zone": "thermal_zone0"]) == 45.25)
    #expect(try job.value("temperature_mean", ["zone": "thermal_zone10"]) == -5)
    #expect(try job.value("sampling_ticks") >= 2)
    let capture = try #require(job.captures.first)
    #expect(
      capture.channels.map(\.name) == [
        "thermal_zone0 soc-thermal", "thermal_zone2 gpu", "thermal_zone10 soc-thermal"
      ])
    #expect(capture.channels.map(\.unit) == ["degC", "degC", "degC"])
    #expect(capture.summary?["ticks"]?.integer == Int64(try job.value("sampling_ticks")))
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      ("cpufreq", "has no policies"), ("cpuidle", "has no idle states"),
      ("thermal", "has no thermal zones")
    ])
  func isUnavailableWithAReason(name: String, reason: String) async throws {
    let tree = try RecordedTree([:])
    let type = try #require(
      Registry.builtInInstruments.first { $0.declaration.name == name })
    let record = try await InstrumentBench(LocalConnection(root: tree.root)).run([type])
    #expect(record.log.contains("WARNING \(name): unavailable on this target: "))
    #expect(record.log.contains(reason))
    #expect(record.jobs.first?.outcome == .ok)
  }
}

extension String {
  var path: TargetPath { TargetPath(self) }
}
