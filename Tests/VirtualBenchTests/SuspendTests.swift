import Foundation
import KelvinModel
import KelvinSimulators
import KelvinStore
import Testing

/// A board that sleeps, or whose wall clock is set, while its power is measured by the sampler on it: a real kernel's
/// suspend to idle, woken by its real-time clock.
@Suite(
  .serialized, .needsGuests, .needsSampler("x86_64"), .guest("x86-a"), .timeLimit(.minutes(5)))
struct SuspendTests {
  let board: VirtualGuest
  let bench: KelvinBench
  let text: String

  init() throws {
    board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
    text = """
      boards:
        rock:
          profile: virtual-x86
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
      """
    try LiveValues(folder: board.folder).set(power: 5)
  }

  /// Has the board sleep for 3 s, some seconds from now.
  private func sleepSoon(after seconds: Double) throws {
    _ = try board.run(
      """
      nohup sh -c 'sleep \(seconds); echo 0 >/sys/class/rtc/rtc0/wakealarm
      echo +3 >/sys/class/rtc/rtc0/wakealarm; echo freeze >/sys/power/state' >/dev/null 2>&1 </dev/null &
      """)
  }

  private func count() throws -> Int {
    try #require(Int(try board.run("cat /sys/power/suspend_stats/success")))
  }

  private func measure(
    _ seconds: Double, _ meanwhile: () throws -> Void
  ) throws -> (site: [String: Value], seconds: Double) {
    let file = bench.directory + "/figure.json"
    let process = try bench.start(
      [
        "measure", "--board", "rock", "--meter", "hwmon/power_meter", "--for", "\(seconds) s",
        "--accuracy", "power=0.1 % + 1 mW", "--format", "json", "-o", file
      ], bench: text)
    try VirtualGuest.wait("the sampler on the board") {
      try board.run("ps w | grep -c '[k]elvin-sampler-' || :") != "0"
    }
    try meanwhile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let value = Value(json: try String(contentsOfFile: file, encoding: .utf8))
    let run = try #require(value?.map?["runs"]?.list?.first?.map, "\(value as Any)")
    return (
      try #require(run["sites"]?.list?.first?.map), try #require(run["duration"]?.number)
    )
  }

  @Test func aSleepInTheWindowIsMeasuredAsWhatItIs() throws {
    let before = try count()
    let (site, seconds) = try measure(9) { try sleepSoon(after: 2) }
    #expect(try count() == before + 1)
    let suspended = try #require(site["suspended"]?.number)
    print("slept \(suspended) s of \(seconds): \(site)")
    #expect(suspended > 2 && suspended < 7)
    let coverage = try #require(site["coverage"]?.number)
    #expect(coverage < (seconds - suspended) / seconds + 0.001 && coverage > 0.2)
    // The awake part, and nothing for the rest.
    let energy = try #require(site["energy"]?.number)
    let uncertainty = try #require(site["expanded_uncertainty"]?.number)
    #expect(abs(energy - 5 * coverage * seconds) <= 0.05 + uncertainty, "\(energy)")
  }

  @Test func aSleepInAJobIsNamed() throws {
    let agenda = bench.directory + "/a.yaml"
    try """
    config:
      augmentations: [energy]
      energy: {meters: [hwmon/power_meter]}
    workloads:
      - name: command
        params: {argv: [sh, -c, 'sleep 2; echo 0 >/sys/class/rtc/rtc0/wakealarm;
          echo +3 >/sys/class/rtc/rtc0/wakealarm; echo freeze >/sys/power/state; sleep 3']}

    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    let out = bench.directory + "/out"
    let process = try bench.start(["run", agenda, "--board", "rock", "-d", out], bench: text)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    let reader = try RunReader(directory: out)
    let attempt = try #require(try reader.attempts(ofJob: 0).last ?? reader.attempts(ofJob: 1).last)
    #expect(attempt.outcome?.verdict == .partial, "\(attempt)")
    #expect(
      attempt.outcome?.reason.contains("what was used in a suspend of") == true, "\(attempt)")
    let capture = try #require(try reader.captures(ofAttempt: attempt.id).first)
    let sleeps = try reader.events(ofCapture: capture.id).filter { $0.kind == .suspend }
    try #require(sleeps.count == 1, "\(sleeps)")
    #expect(sleeps[0].note.hasPrefix("the board slept for "), "\(sleeps)")
    #expect(sleeps[0].to - sleeps[0].from > 2_000_000_000 && sleeps[0].count == nil)
    #expect(capture.summary?["suspends"] == 1, "\(capture.summary ?? [:])")
  }

  /// The board's wall clock goes a day ahead and two back: no time of a sample is its.
  @Test func aWallClockThatIsSetChangesNothing() throws {
    let (site, seconds) = try measure(6) {
      for change in [86_400, -172_800, 86_400] {
        _ = try board.run("date -s @$(($(date +%s) + \(change)))")
        Thread.sleep(forTimeInterval: 0.8)
      }
    }
    let energy = try #require(site["energy"]?.number)
    #expect(abs(energy - 5 * seconds) <= 0.002 * 5 * seconds, "\(site)")
    #expect(site["suspended"]?.number == 0 && (site["coverage"]?.number ?? 0) > 0.99, "\(site)")
  }
}
