import KelvinModel
import Testing

@testable import KelvinTargets

/// Whether CPUs ran at the frequency that was set, from readings of a kernel.
@Suite struct FrequencyWitnessTests {
  private static let policy = "/sys/devices/system/cpu/cpufreq/policy0"

  private func witness(_ values: [String: String]) throws -> FrequencyWitness {
    let wishes = values.sorted { $0.key < $1.key }.map { file, value in
      SettingWish(
        SettingPoint(file: "\(Self.policy)/\(file)", file, .number, cpus: [0, 1]), value,
        setting: "frequency")
    }
    return try #require(FrequencyWitness.witnesses(of: wishes).first)
  }

  private func readings(
    _ witness: FrequencyWitness, table: String? = nil, hardware: String? = nil,
    counters: [String?] = [nil, nil, nil, nil], throttled: String? = nil
  ) -> [String?] {
    [table, hardware] + witness.cpus.flatMap { _ in counters + [throttled] }
  }

  @Test func knowsWhatWasAskedFor() throws {
    #expect(try witness(["scaling_setspeed": "1000000"]).expected == 1_000_000...1_000_000)
    // The limits around a fixed frequency do not count.
    let fixed = try witness([
      "scaling_setspeed": "1000000", "scaling_min_freq": "600000", "scaling_max_freq": "1400000"
    ])
    #expect(fixed.expected == 1_000_000...1_000_000 && fixed.wanted == "1000 MHz")
    #expect(
      try witness(["scaling_min_freq": "600000", "scaling_max_freq": "1000000"]).wanted
        == "600 MHz to 1000 MHz")
    #expect(try witness(["scaling_max_freq": "1000000"]).wanted == "at most 1000 MHz")
    #expect(try witness(["scaling_min_freq": "1000000"]).wanted == "at least 1000 MHz")
    #expect(FrequencyWitness.witnesses(of: []).isEmpty)
  }

  @Test(arguments: [
    // All the time where it is to be.
    ("600000 5\n1000000 10", "600000 5\n1000000 110", 1_000_000.0, ""),
    // A tenth elsewhere.
    (
      "600000 5\n1000000 10", "600000 15\n1000000 100", 960_000,
      "ran outside of it for 10 % of the window, most at 600 MHz"
    ),
    // The moment of the change itself does not count.
    ("600000 5\n1000000 10", "600000 6\n1000000 210", 998_009.95, ""),
    // No tick, one tick, a table that was reset: nothing is known.
    ("1000000 10", "1000000 10", nil, ""), ("1000000 10", "1000000 11", nil, ""),
    ("1000000 10", "1000000 3", nil, ""), ("", "x\n1 2 3\n-5 6", nil, "")
  ])
  func readsResidency(before: String, after: String, effective: Double?, problem: String) throws {
    let witness = try witness(["scaling_setspeed": "1000000"])
    let finding = witness.compare(
      readings(witness, table: before), readings(witness, table: after))
    if let effective {
      #expect(abs((finding.effective ?? 0) - effective) < 1)
    } else {
      #expect(finding.effective == nil)
    }
    #expect(finding.disagreements.joined() == problem)
  }

  /// Numbers as in Linux's Documentation/admin-guide/acpi/cppc_sysfs.rst.
  @Test func readsCPPCsCounters() throws {
    let witness = try witness(["scaling_max_freq": "2000000"])
    let before = ["ref:1000000 del:500000", "100", "100", "2000"]
    func after(_ delivered: Int) -> [String?] {
      ["ref:2000000 del:\(500_000 + delivered)", "100", "100", "2000"]
    }
    let half = witness.compare(
      readings(witness, counters: before), readings(witness, counters: after(500_000)))
    #expect(half.effective == 1_000_000 && half.disagreements == [])
    let turbo = witness.compare(
      readings(witness, counters: before), readings(witness, counters: after(1_500_000)))
    #expect(turbo.effective == 3_000_000)
    #expect(turbo.disagreements.first == "cpu0 was delivered 3000 MHz by its counters")
    for text in ["", "ref: del:", "ref:5", "ref:99999999999999999999999 del:1", "del:1 ref:0"] {
      let damaged = witness.compare(
        readings(witness, counters: before), readings(witness, counters: [text, "1", "1", "1"]))
      #expect(damaged == FrequencyWitness.Finding())
    }
  }

  @Test func hearsTheHardwareAndItsHeat() throws {
    let witness = try witness(["scaling_setspeed": "600000"])
    #expect(
      witness.compare(readings(witness), readings(witness, hardware: "1400000")).disagreements
        == ["the hardware says 1400 MHz"])
    #expect(
      witness.compare(readings(witness), readings(witness, hardware: "605000")).disagreements == [])
    #expect(
      witness.compare(
        readings(witness, throttled: "3"), readings(witness, throttled: "5")
      ).disagreements.first == "cpu0 was throttled 2 time(s) by its heat")
    #expect(witness.compare([], []) == FrequencyWitness.Finding())
  }
}
