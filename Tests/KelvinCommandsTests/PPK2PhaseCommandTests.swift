import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// Phases by the digital inputs of a simulated PPK2, whose board raises D0 while it works.
@Suite(.timeLimit(.minutes(2)))
struct PPK2PhaseCommandTests {
  @Test func aPhaseHasThePowerOfItsLevel() async throws {
    let scratch = try Scratch()
    let process = try await SimulatorProcess("ppk2 --for 100", in: scratch, until: "inputs:")
    try scratch.write(
      "a.yaml",
      """
      config:
        augmentations: [energy]
        energy: {phases: {digital: {D0: work}}}
      workloads:
        - {name: command, params: {argv: [sleep, '1']}}

      """)
    let ran = try await KelvinBinary.run(
      ["run", "a.yaml", "--board", "simulated", "-d", "out"], in: scratch.path)
    try await process.end()
    #expect(ran.code == 0, "\(ran.both)")
    let reader = try RunReader(directory: scratch.path + "/out")
    let attempt = try #require(try reader.lastAttempt(ofJob: 0))
    let metrics = try reader.metrics(ofAttempt: attempt.id)
    let energy = try #require(metrics.first { $0.name == "phase_energy" })
    let time = try #require(metrics.first { $0.name == "phase_time" }?.value.double)
    let value = try #require(energy.value.double)
    let uncertainty = 2 * (energy.uncertainty ?? 0)
    // 8 mA of 3.3 V for 20 ms of each 100; it may send with 120 mA for 5 ms of each second meanwhile.
    #expect(energy.classifiers["phase"] == "work" && time > 0.15, "\(metrics)")
    let least = 0.008 * 3.3 * time
    #expect(value + 2 * uncertainty > least, "\(energy) \(least)")
    #expect(value - 2 * uncertainty < least + 0.12 * 3.3 * 0.006 * (1 + time * 5), "\(energy)")
  }
}
