import Foundation
import Glibc
import Testing

/// The plant on a running board: what the guest does decides what its meter says.
@Suite(.serialized, .needsGuests, .guest("x86-a"), .timeLimit(.minutes(5)))
struct PlantTests {
  private let board: VirtualGuest

  init() throws { board = try #require(VirtualGuest.current) }

  /// Runs a plant beside `body`; gives its log.
  private func withPlant(
    _ options: [String] = [], _ body: () throws -> Void
  ) throws -> [[Double]] {
    let plant = Process()
    plant.executableURL = URL(fileURLWithPath: VirtualGuest.root + "/.build/debug/kelvin")
    plant.arguments = ["simulate", "plant", board.folder, "--for", "60"] + options
    plant.standardOutput = FileHandle.nullDevice
    let log = board.folder + "/plant.csv"
    unlink(log)
    try plant.run()
    defer {
      plant.terminate()
      plant.waitUntilExit()
    }
    try VirtualGuest.wait("the plant's log") { access(log, F_OK) == 0 }
    try body()
    plant.terminate()
    plant.waitUntilExit()
    #expect(plant.terminationStatus == 0)
    let text = try String(contentsOfFile: log, encoding: .utf8)
    #expect(text.hasPrefix("monotonic_ns,") && !text.contains(",,"))
    return text.split(separator: "\n").dropFirst().map { line in
      line.split(separator: ",").map { Double($0) ?? .nan }
    }
  }

  private func meter() throws -> Double {
    let text = try board.run("cat /sys/bus/acpi/devices/ACPI000D:00/power1_average")
    return try #require(Double(text)) / 1e6
  }

  @Test func powerFollowsFrequencyAndLoad() throws {
    let policy = "/sys/devices/system/cpu/cpufreq/policy1/scaling_governor"
    let log = try withPlant {
      try board.run(
        "echo performance > \(policy); vb-work -c 1 -u 5000; echo powersave > \(policy)")
      try board.run("vb-work -c 1 -u 1600; echo schedutil > \(policy)")
    }
    // Steps of 10 ms, in which this machine's scheduler counts: means over many. On a busy machine there
    // are fewer steps, of less load; the model is linear in the load.
    func mean(_ megahertz: Double) throws -> (load: Double, power: Double) {
      let rows = log.filter { $0[3] == megahertz && $0[4] > 0.1 }
      try #require(rows.count > 8, "at \(megahertz) MHz: \(rows.count) steps")
      return (
        rows.reduce(0) { $0 + $1[4] } / Double(rows.count),
        rows.reduce(0) { $0 + $1[6] } / Double(rows.count)
      )
    }
    let (fast, slow) = (try mean(2400), try mean(800))
    // The default model: 0.8 W and 0.05 W, CPU 1 from 0.1 W to 6 W or 1 W; CPU 0 may do something.
    #expect(abs(fast.power - (0.95 + 5.9 * fast.load)) < 0.7, "\(fast)")
    #expect(abs(slow.power - (0.95 + 0.9 * slow.load)) < 0.7, "\(slow)")
    // Energy is the sum of its steps, and time never goes back.
    for (a, b) in zip(log, log.dropFirst()) {
      #expect(b[0] > a[0] && abs(b[7] - a[7] - a[6] * (b[0] - a[0]) * 1e-9) < 1e-5)
    }
  }

  @Test func takesTheFunctionThatATestChose() throws {
    let model = """
      {"base": 7, "cpus": [], "leakagePerKelvin": 0, "batteryWattHours": 20,
       "thermal": {"ambient": 40, "resistance": 0, "timeConstant": 1}}
      """
    let path = board.folder + "/model.json"
    try model.write(toFile: path, atomically: true, encoding: .utf8)
    _ = try withPlant(["--model", path]) {
      try VirtualGuest.wait("the meter") { try meter() == 7 }
      try VirtualGuest.wait("the thermal zone") {
        try board.run("cat /sys/class/thermal/thermal_zone0/temp") == "40000"
      }
      try VirtualGuest.wait("the battery") {
        try board.run("cat /sys/class/power_supply/BAT0/power_now") == "7000000"
      }
    }
  }

  @Test func saysWhatIsWrong() throws {
    func plant(_ arguments: [String]) throws -> VirtualGuest.Done {
      try VirtualGuest.program(
        VirtualGuest.root + "/.build/debug/kelvin", ["simulate", "plant"] + arguments)
    }
    let nowhere = try plant([board.folder + "-nowhere"])
    #expect(nowhere.code == 2 && nowhere.error.contains("No such file"))
    let path = board.folder + "/bad.json"
    try "{\"base\": -1}".write(toFile: path, atomically: true, encoding: .utf8)
    let bad = try plant([board.folder, "--model", path])
    #expect(bad.code == 2 && bad.error.contains("bad.json"))
  }
}
