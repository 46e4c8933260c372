import Foundation
import Testing

/// The virtual aarch64 board: clusters of different size, cpufreq-dt, an energy model.
@Suite(.serialized, .needsGuests, .guest("arm"), .timeLimit(.minutes(5)))
struct ArmBoardTests {
  private func board() throws -> VirtualGuest { try #require(VirtualGuest.current) }

  @Test func hasBigAndLittleClusters() throws {
    let board = try board()
    #expect(try board.run("uname -m") == "aarch64")
    let capacities = try board.run("cat /sys/devices/system/cpu/cpu?/cpu_capacity")
      .split(separator: "\n")
    #expect(capacities.count == 4 && capacities[0] == capacities[1] && capacities[2] == "1024")
    #expect(capacities[0] != capacities[2])
  }

  @Test func changesFrequenciesByClusterAndHasAnEnergyModel() throws {
    let board = try board()
    let cpufreq = "/sys/devices/system/cpu/cpufreq"
    #expect(try board.run("cat \(cpufreq)/policy0/related_cpus") == "0 1")
    #expect(
      try board.run("cat \(cpufreq)/policy2/scaling_available_frequencies")
        == "800000 1500000 2400000")
    let set =
      "echo userspace > \(cpufreq)/policy2/scaling_governor; echo 1500000 > \(cpufreq)/policy2/scaling_setspeed"
    #expect(try board.run("\(set); cat \(cpufreq)/policy2/scaling_cur_freq") == "1500000")
    #expect(try board.run("ls /sys/kernel/debug/energy_model") == "cpu0\ncpu2")
    // What the plant reads.
    try VirtualGuest.wait("the guest's report") {
      let text = try? String(contentsOfFile: board.folder + "/share/frequencies", encoding: .utf8)
      return text?.split(separator: " ").dropFirst(2) == ["1500000", "1500000"]
    }
  }
}
