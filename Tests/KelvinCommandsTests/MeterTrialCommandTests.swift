import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

/// `kelvin meter selftest`, `verify`, `calibrate` and `align`, on a board whose kernel is a recorded tree, and
/// a program as a meter.
@Suite(.timeLimit(.minutes(5)))
struct MeterTrialCommandTests {
  private let scratch: Scratch
  private let board: [String]

  /// A board with a chip that measures 5 V and 50 mA: a resistor of 100 ohm.
  init() throws {
    scratch = try Scratch()
    let bench = scratch.path + "/bench.yaml"
    board = ["--board", "rec", "--bench", bench]
    for (file, content) in [
      ("name", "ina226"), ("power1_input", "0250000"), ("in1_input", "5000"),
      ("curr1_input", "50"), ("shunt_resistor", "10000"), ("update_interval", "2")
    ] { try write(content, to: file) }
    try Data(
      """
      boards:
        rec:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/tree}}
      meters:
        rail: {driver: hwmon, chip: ina226, shunt-tolerance: 0.5 %}
        tool:
          driver: command
          shell: 'while :; do echo "P = 2000.0 mW"; sleep 0.01; done'
          line: 'P = {power} mW'
          channels: {power: mW}
          rate: 80 Hz
        dead: {driver: command, shell: 'echo no bus >&2; exit 4', columns: [a], channels: {a: W}, rate: 1}

      """.utf8
    ).write(to: URL(fileURLWithPath: bench))
  }

  private func write(_ content: String, to file: String) throws {
    try scratch.writeTree(content, to: "sys/class/hwmon/hwmon0/\(file)")
  }

  private func run(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments + board, in: scratch.path)
  }

  /// What fails of the chip.
  private func failures() async throws -> (
    code: Int32, failed: [(check: String, channel: String)]
  ) {
    let ran = try await run(["meter", "selftest", "rail", "--for", "0.5 s", "--format", "json"])
    let value = try #require(
      try JSONSerialization.jsonObject(with: Data(ran.output.utf8)) as? [String: Any])
    let failed = (value["findings"] as? [[String: Any]] ?? []).filter {
      $0["outcome"] as? String == "failed"
    }
    #expect(value["passed"] as? Bool == failed.isEmpty)
    return (
      ran.code ?? -1,
      failed.map { ($0["check"] as? String ?? "", $0["channel"] as? String ?? "") }
    )
  }

  @Test func testsAMeter() async throws {
    let text = try await run(["meter", "selftest", "rail", "--for", "0.5 s"])
    #expect(text.output.contains("a steady quantity"), "\(text.errors)")
    let good = try await failures()
    // A machine that is late loses ticks, and that is said.
    let late: Set = ["loss", "rate"]
    #expect(good.failed.allSatisfy { late.contains($0.check) }, "\(good.failed)")
    #expect(good.code == (good.failed.isEmpty ? 0 : 1))
    try write("broken", to: "curr1_input")
    let bad = try await failures()
    #expect(bad.code == 1)
    let unreadable = bad.failed.filter { !late.contains($0.check) }
    #expect(unreadable.map(\.check) == ["readable"] && unreadable.map(\.channel) == ["curr1"])
    let none = try await run(["meter", "selftest", "nothing"])
    #expect(none.code == 2)
    let dead = try await run(["meter", "selftest", "dead"])
    #expect(dead.code == 3, "\(dead.errors)")
    #expect(dead.errors.contains("exit code 4") && dead.errors.contains("no bus"))
  }

  @Test(arguments: [
    ("100ohm,1%", Int32(0), "pass"), ("120 ohm, 1 %", 1, "fail"),
    ("100 ohm, 60 %", 4, "cannot tell")
  ])
  func verifiesAMeterByAResistor(load: String, code: Int32, verdict: String) async throws {
    let ran = try await run(
      ["meter", "verify", "rail", "--load", load, "--for", "0.3 s", "-o", "found.yaml"])
    #expect(ran.code == code, "\(ran.output) \(ran.errors)")
    #expect(ran.output.contains("rail: \(verdict); written to found.yaml"))
    let found = try String(contentsOfFile: scratch.path + "/found.yaml", encoding: .utf8)
    #expect(found.contains("verdict: \"\(verdict)\"") && found.contains("model: \"ina226\""))
    #expect(found.contains("\"channel\":\"curr1\"") && found.contains("\"channel\":\"power1\""))
  }

  @Test(arguments: [
    (["verify", "rail", "--load", "5 V"], "--load: expected a resistor"),
    (["calibrate", "rail"], "give one of --zero"),
    (["calibrate", "rail", "--reference", "5 V"], "say how far it may be off"),
    (["calibrate", "rail", "--reference", "5 kB ± 1 kB"], "expected a voltage"),
    (["calibrate", "rail", "--zero", "--channel", "in9"], "it has no channel 'in9'"),
    (["calibrate", "rail", "--zero", "--forget"], "give one of"),
    (["align", "rail", "--on", "true"], "need each other"),
    (["align", "rail", "--order", "2"], "--order: 3 to 10"),
    (["align", "rail", "--channel", "in1"], "no channel 'in1' that follows the power")
  ])
  func refusesWhatMakesNoSense(words: [String], says: String) async throws {
    let ran = try await run(["meter"] + words + (words.contains("in9") ? ["--for", "0.1 s"] : []))
    #expect(ran.code == 2, "\(ran.errors)")
    #expect(ran.errors.contains(says), "\(ran.errors)")
  }

  @Test func aCalibrationIsUsedFromThenOn() async throws {
    let point = try await run(
      [
        "meter", "calibrate", "rail", "--reference", "5.1 V ± 1 mV", "--channel", "in1", "--for",
        "0.2 s"
      ])
    #expect(point.code == 0, "\(point.errors)")
    #expect(point.output.contains("1.02"), "\(point.output)")
    let file = scratch.path + "/calibration/rail.json"
    #expect(FileManager.default.fileExists(atPath: file))
    let info = try await run(["meter", "info", "rail"])
    #expect(info.output.contains("calibration of 20"), "\(info.output) \(info.errors)")
    let live = try await run(["meter", "live", "rail", "--for", "0.5 s", "--every", "0.4 s"])
    #expect(live.output.contains("in1 5.100 V"), "\(live.output)")
    // Nothing flows: 50 mA of the meter's own.
    let zero = try await run(
      ["meter", "calibrate", "rail", "--zero", "--channel", "curr1", "--for", "0.2 s"])
    #expect(zero.code == 0 && zero.output.contains("-50.00 mA"), "\(zero.output) \(zero.errors)")
    // Another shunt is another meter.
    try write("20000", to: "shunt_resistor")
    let other = try await run(["meter", "info", "rail"])
    #expect(other.code == 2)
    #expect(other.errors.contains("its calibration is of another meter"), "\(other.errors)")
    try Data("{".utf8).write(to: URL(fileURLWithPath: file))
    let broken = try await run(["meter", "info", "rail"])
    #expect(broken.code == 2 && broken.errors.contains("no calibration that can be read"))
    let forgotten = try await run(["meter", "calibrate", "rail", "--forget"])
    #expect(forgotten.code == 0, "\(forgotten.errors)")
    #expect(try await run(["meter", "info", "rail"]).output.contains("SBOS547B"))
  }

  /// The board's shell steps the file that the meter reads.
  @Test func alignsAMeterToItsBoard() async throws {
    let file = scratch.path + "/tree/sys/class/hwmon/hwmon0/power1_input"
    let found = try await run(
      [
        "meter", "align", "rail", "--order", "4", "--dwell", "0.1 s", "--rate", "500", "--on",
        "printf 9000000 1<>\(file)", "--off", "printf 1000000 1<>\(file)", "--format", "json"
      ])
    #expect(found.code == 0, "\(found.errors)")
    let value = try #require(
      try JSONSerialization.jsonObject(with: Data(found.output.utf8)) as? [String: Any])
    let offset = try #require(value["offset"] as? Double)
    let error = try #require(value["standard error"] as? Double)
    #expect(abs(offset) < 4 * error, "\(offset) s ± \(error) s")
    #expect(value["channel"] as? String == "power1")
    #expect(abs((value["contrast"] as? Double ?? 0) - 8) < 0.2)
    // A load that the meter does not feel.
    let nothing = try await run(
      [
        "meter", "align", "rail", "--order", "3", "--dwell", "0.1 s", "--rate", "500", "--on",
        "true", "--off", "true"
      ])
    #expect(nothing.code == 1, "\(nothing.errors)")
    #expect(nothing.errors.contains("the pattern of"), "\(nothing.errors)")
  }

  @Test func aProgramIsAMeterLikeOthers() async throws {
    let measured = try await run(
      ["measure", "--meter", "tool", "--for", "0.5 s", "--format", "json"])
    #expect(measured.code == 0, "\(measured.errors)")
    let value = try #require(
      try JSONSerialization.jsonObject(with: Data(measured.output.utf8)) as? [String: Any])
    let run = try #require((value["runs"] as? [[String: Any]])?.first)
    let site = try #require((run["sites"] as? [[String: Any]])?.first)
    let (energy, duration) = (site["energy"] as? Double ?? 0, run["duration"] as? Double ?? 0)
    // The same power at all times: whatever the pace of its lines was.
    #expect(abs(energy / duration / 2 - 1) < 0.02, "\(energy) J in \(duration) s")
    let listed = try await KelvinBinary.run(["list", "meters"], in: scratch.path)
    #expect(listed.output.contains("command") && listed.output.contains("perf"))
  }
}
