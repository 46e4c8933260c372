import Foundation
import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinSystem
import Testing

/// `kelvin meter` and `kelvin measure`, on a board whose kernel is a recorded tree: its processes are
/// this machine's.
@Suite(.timeLimit(.minutes(5)))
struct MeasureCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A bench of one board with a chip that measures 5 W, and nothing else.
  private static func bench(_ scratch: Scratch) throws -> [String] {
    for (file, content) in [
      ("name", "ina226"), ("power1_input", "5000000"), ("in1_input", "5000"),
      ("update_interval", "2")
    ] {
      try scratch.writeTree(content, to: "sys/class/hwmon/hwmon0/\(file)")
    }
    let bench = scratch.path + "/bench.yaml"
    try Data(
      """
      boards:
        rec:
          profile: generic-linux
          connection: {local: {root: \(scratch.path)/tree}}
      meters:
        rail: {driver: hwmon, chip: ina226, channels: [power1], accuracy: {power: 1 % + 2 mW}}
        scope: {driver: joulescope-js220, match: {ID_SERIAL_SHORT: 'E1A2'}}

      """.utf8
    ).write(to: URL(fileURLWithPath: bench))
    return ["--board", "rec", "--bench", bench]
  }

  private func run(_ arguments: [String]) async throws -> Ran {
    try await KelvinBinary.run(arguments, in: scratch.path)
  }

  @Test func listsAndShowsWhatTheKernelHas() async throws {
    let board = try Self.bench(scratch)
    let list = try await run(["meter", "list"] + board)
    #expect(list.code == 0, "\(list.errors)")
    #expect(list.output.contains("hwmon/ina226  power1 in1"))
    let info = try await run(["meter", "info", "ina226", "--format", "json"] + board)
    #expect(info.output.contains("\"rate\":100"))
    let unknown = try await run(["meter", "info", "ina999"] + board)
    #expect(unknown.code == 2)
    #expect(unknown.errors.contains("rec: there is no meter 'ina999'; there are hwmon/ina226"))
  }

  @Test func knowsTheMetersOfTheBench() async throws {
    let board = try Self.bench(scratch)
    let info = try await run(["meter", "info", "rail"] + board)
    #expect(info.code == 0, "\(info.errors)")
    #expect(info.output.contains("bench file: 1 % + 2 mW") && !info.output.contains("in1"))
    let none = try await run(["measure", "--meter", "scope"] + board + ["--", "true"])
    #expect(none.code == 2)
    #expect(
      none.errors.contains("scope: nothing measures with a 'joulescope-js220' yet"),
      "\(none.errors)")
  }

  /// A meter that no bench file names.
  @Test func takesAMeterThatTheCommandLineDeclares() async throws {
    let meter =
      "tool: {driver: command, shell: 'while :; do echo P=2.5W; sleep 0.005; done', "
      + "pattern: 'P=(?<power>[0-9.]+)W', channels: {power: W}, delay: 10 ms}"
    let measured = try await run(
      ["measure", "--for", "0.4 s", "--meter", meter, "--format", "json"])
    #expect(measured.code == 0, "\(measured.both)")
    let value = try #require(Value(json: measured.output)?.map)
    #expect(value["meter"]?.map?["name"] == "tool")
    let site = try #require(value["runs"]?.list?.first?.map?["sites"]?.list?.first?.map)
    #expect(abs((site["energy"]?.number ?? 0) - 1) < 0.4, "\(site)")
    let info = try await run(["meter", "info", meter])
    #expect(info.code == 0 && info.output.contains("command"), "\(info.both)")
    let live = try await run(["meter", "live", meter, "--for", "0.5 s", "--every", "0.2 s"])
    #expect(live.output.contains("power 2.500 W"), "\(live.both)")
    let wrong = try await run(["meter", "live", "hwmon: {chp: ina226}"])
    #expect(wrong.code == 2)
    #expect(
      wrong.errors.contains("--meter:1:9: error: meter 'hwmon': unknown key 'chp'"),
      "\(wrong.errors)")
    // Beside a bench file, too.
    let board = try Self.bench(scratch)
    let chip = try await run(["meter", "info", "hwmon: {chip: ina226, channels: [in1]}"] + board)
    #expect(chip.code == 0 && chip.output.contains("in1"), "\(chip.both)")
  }

  /// Nobody waits for a meter that has died: not the time that was asked for, nor for a sample after it.
  @Test func endsWithItsMeter() async throws {
    let meter =
      "tool: {driver: command, shell: 'for i in 1 2 3 4 5; do echo P=2.5W; sleep 0.1; done; exit 3', "
      + "pattern: 'P=(?<power>[0-9.]+)W', channels: {power: W}, delay: 10 ms}"
    let measured = try await run([
      "measure", "--for", "200 s", "--meter", meter, "--format", "json"
    ])
    #expect(measured.code == 125 && measured.both.contains("tool: "), "\(measured.both)")
    let value = try #require(Value(json: measured.output)?.map)
    let duration = try #require(value["runs"]?.list?.first?.map?["duration"]?.number)
    #expect(duration > 0.1 && duration < 100, "\(value)")
    for command in [["meter", "live", "--every", "0.2 s"], ["meter", "record", "-d", "c"]] {
      let ran = try await run(command + ["--for", "200 s", meter])
      #expect(ran.code != 0 && ran.errors.contains("tool: "), "\(ran.both)")
    }
  }

  /// 6 W while its digital line is high, else 2 W.
  @Test func tellsPhasesOfItsInputs() async throws {
    let tool =
      "tool: {driver: command, argv: [python3, -u, -c, \"import time\\nn = 0\\nwhile True:\\n"
      + "  h = n // 20 % 2\\n  print(time.monotonic_ns(), 6 if h else 2, h)\\n  n += 1\\n"
      + "  time.sleep(0.002)\"], columns: [time, power, d0], separator: ' ', time: ns, "
      + "clock: monotonic, channels: {power: W, d0: logic}}"
    let measured = try await run([
      "measure", "--for", "0.6 s", "--meter", tool, "--phase", "d0=busy", "--format", "json"
    ])
    #expect(measured.code == 0, "\(measured.both)")
    let run = try #require(Value(json: measured.output)?.map?["runs"]?.list?.first?.map)
    let phase = try #require(run["phases"]?.list?.first?.map)
    #expect(phase["phase"] == "busy")
    let time = try #require(phase["time"]?.number)
    let site = try #require(phase["sites"]?.list?.first?.map)
    let energy = try #require(site["energy"]?.number)
    let uncertainty = try #require(site["expanded_uncertainty"]?.number)
    #expect(time > 0.1 && time < 0.5)
    // Half of each edge lies in it: between 2 W and 6 W for a sample's time.
    #expect(abs(energy - 6 * time) < 0.1 * energy && uncertainty > 0, "\(phase)")
    let text = try await self.run([
      "measure", "--for", "0.3 s", "--meter", tool, "--phase", "d0=busy"
    ])
    #expect(text.output.contains("PHASE") && text.output.contains("busy"), "\(text.both)")
    let wrong = try await self.run(["measure", "--for", "1 s", "--phase", "d0"])
    #expect(wrong.errors.contains("expected CHANNEL=NAME"), "\(wrong.both)")
    let none = try await self.run([
      "measure", "--for", "0.1 s", "--meter", tool, "--phase", "d7=x"
    ])
    #expect(none.code == 2, "\(none.both)")
    #expect(none.errors.contains("no meter has an input 'd7'"), "\(none.both)")
  }

  @Test func showsWhatAMeterMeasures() async throws {
    let live = try await run(
      ["meter", "live", "--for", "1 s", "--every", "0.3 s"] + Self.bench(scratch))
    #expect(live.code == 0, "\(live.errors)")
    let lines = live.output.split(separator: "\n")
    #expect(lines.count >= 4, "\(live.output)")
    #expect(lines.dropFirst().allSatisfy { $0.contains("power1 5.000 W  in1 5.000 V") })
  }

  @Test func recordsUntilTheTimeIsOver() async throws {
    let board = try Self.bench(scratch)
    let recorded = try await run(
      ["meter", "record", "-d", "cap", "--for", "1 s", "--rate", "100"] + board)
    #expect(recorded.code == 0, "\(recorded.errors)")
    #expect(recorded.output == "cap\n")
    let reader = try RunReader(directory: scratch.path + "/cap")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(capture.meter?.driver == "hwmon")
    let codes = try reader.blocks(ofCapture: capture.id, channel: 0).flatMap(\.codes)
    #expect(codes.count > 20 && codes.allSatisfy { $0 == 5_000_000 })
    // A directory that holds one is left alone.
    let again = try await run(["meter", "record", "-d", "cap", "--for", "1 s"] + board)
    #expect(again.code != 0)
    #expect(
      try reader.blocks(ofCapture: capture.id, channel: 0).flatMap(\.codes).count == codes.count)
  }

  /// kill -9: everything up to the last second is there.
  @Test func keepsWhatWasRecordedBeforeItsDeath() async throws {
    let process = try await KelvinBinary.start(
      ["meter", "record", "-d", "cap", "--rate", "100"] + Self.bench(scratch), in: scratch.path)
    func count() -> Int {
      guard let reader = try? RunReader(directory: scratch.path + "/cap"),
        let capture = try? reader.captures(ofAttempt: nil).first,
        let blocks = try? reader.blocks(ofCapture: capture.id, channel: 0)
      else { return 0 }
      return blocks.reduce(0) { $0 + $1.codes.count }
    }
    let deadline = Deadline.after(seconds: 60)
    while count() < 100, !deadline.hasPassed { _ = Deadline.after(seconds: 0.1).wait() }
    let before = count()
    try await process.signal(SIGKILL)
    _ = try await process.wait(until: .after(seconds: 30))
    #expect(before >= 100 && count() >= before)
    let reader = try RunReader(directory: scratch.path + "/cap")
    let capture = try #require(try reader.captures(ofAttempt: nil).first)
    #expect(capture.summary == nil)
  }

  @Test(arguments: [
    (["--trigger", "power1 > 6 W"], Int32(1), "the trigger did not come"),
    (["--trigger", "power9 > 6 W"], 2, "it has no channel 'power9'"),
    (["--trigger", "power1 > 6 V"], 2, "channel power1 is in W"),
    (["--trigger", "power1"], 2, "expected 'CHANNEL > VALUE'"), (["--pre", "1 s"], 2, "only with")
  ])
  func saysWhatIsWrongWithATrigger(words: [String], code: Int32, says: String) async throws {
    let ran = try await run(
      ["meter", "record", "-d", "cap", "--for", "0.5 s"] + words + Self.bench(scratch))
    #expect(ran.code == code)
    #expect(ran.errors.contains(says), "\(ran.errors)")
  }

  @Test func measuresACommand() async throws {
    let file = scratch.path + "/figure.json"
    let measured = try await run(
      ["measure", "--accuracy", "power=1 % + 5 mW", "--format", "json", "-o", file]
        + Self.bench(scratch) + ["--", "sh", "-c", "echo out; echo err >&2; sleep 0.7"])
    #expect(measured.code == 0, "\(measured.errors)")
    #expect(measured.output == "out\n" && measured.errors == "err\n")
    let value = try #require(
      try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: Any])
    let run = try #require((value["runs"] as? [[String: Any]])?.first)
    let site = try #require((run["sites"] as? [[String: Any]])?.first)
    let duration = try #require(run["duration"] as? Double)
    let energy = try #require(site["energy"] as? Double)
    let uncertainty = try #require(site["expanded_uncertainty"] as? Double)
    #expect(duration >= 0.7)
    #expect(abs(energy - 5 * duration) <= 1e-6 * energy)
    // 2·√((1 % of it)² + (5 mW·T)²)/√3, and little besides.
    let stated =
      2
      * ((0.01 * energy) * (0.01 * energy) + (0.005 * duration) * (0.005 * duration))
      .squareRoot() / 3.0.squareRoot()
    // A machine that stands still for a while leaves a part of it unmeasured, whose doubt is told apart.
    let coverage = try #require(site["coverage"] as? Double)
    #expect(coverage > 0.7 && coverage <= 1)
    #expect(
      uncertainty >= stated * coverage * 0.999 && uncertainty <= stated * 1.3,
      "\(uncertainty) \(stated) \(coverage)")
    #expect(site["accuracy_known"] as? Bool == true)
  }

  @Test func repeatsAndGivesTheSpread() async throws {
    let measured = try await run(
      ["measure", "-n", "3"] + Self.bench(scratch) + ["--", "sleep", "0.1"])
    #expect(measured.code == 0, "\(measured.errors)")
    #expect(measured.output.isEmpty)
    #expect(measured.errors.contains("OF 3 RUNS"))
    #expect(measured.errors.contains("the meter does not say how far its values may be off"))
  }

  @Test func endsAsTheCommandDoes() async throws {
    let board = try Self.bench(scratch)
    let failed = try await run(
      ["measure", "-n", "5"] + board + ["--", "sh", "-c", "exit 7"])
    #expect(failed.code == 7)
    #expect(failed.errors.contains("not complete: the command ended with 7"))
    #expect(
      try await run(
        ["measure", "--timeout", "0.3 s"] + board + ["--", "sleep", "60"]
      ).code == 124)
    #expect(
      try await run(["measure"] + board + ["--", "kelvin-no-such-command"]).code == 127)
  }

  @Test func saysThatThereIsNoMeterAndRunsAllTheSame() async throws {
    let board = try Self.bench(scratch)
    try FileManager.default.removeItem(atPath: scratch.path + "/tree/sys/class/hwmon/hwmon0")
    let measured = try await run(["measure"] + board + ["--", "sh", "-c", "exit 3"])
    #expect(measured.code == 3)
    #expect(measured.errors.contains("only the time is measured"))
    // One that was asked for must be there.
    let named = try await run(
      ["measure", "--meter", "rapl"] + board + ["--", "touch", scratch.path + "/ran"])
    #expect(named.code == 2)
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/ran"))
  }

  @Test(arguments: [
    ([], "give a command after --"), (["--for", "1 s", "--", "true"], "not both"),
    (["-n", "0", "--", "true"], "-n: 1 to 100000"),
    (["--voltage", "5 A", "--", "true"], "--voltage"),
    (["--accuracy", "power", "--", "true"], "--accuracy"), (["--rate", "0", "--", "true"], "--rate")
  ])
  func refusesWhatMakesNoSense(arguments: [String], says: String) async throws {
    let refused = try await run(["measure"] + arguments)
    #expect(refused.code == 2)
    #expect(refused.errors.contains(says), "\(refused.errors)")
  }
}
