import Foundation
import KelvinModel
import KelvinSimulators
import KelvinStore
import Testing

/// A board that sleeps, or whose wall clock is set, while its power of 5 W is measured by the sampler on it.
struct SleepingBoard {
  let board: VirtualGuest
  let bench: KelvinBench
  let text: String
  let meter: String
  /// Sends it to sleep for some seconds; ends when it is awake again.
  let sleep: String

  init(profile: String, meter: String, sleep: String) throws {
    board = try #require(VirtualGuest.current)
    bench = try KelvinBench()
    (self.meter, self.sleep) = (meter, sleep)
    text = """
      boards:
        rock:
          profile: \(profile)
          connection:
            ssh: {host: 127.0.0.1, port: \(try board.port("ssh_port")), config: \(board.folder)/ssh_config}
      """
    // A process that waits for an answer of the host, which it may do at any time, cannot be frozen.
    _ = try board.run("for p in $(pidof vb-report); do kill $p; done")
  }

  struct Figure {
    var energy, uncertainty, coverage, suspended, seconds: Double
  }

  /// Measures while something happens on the board.
  func measure(_ seconds: Double, while script: String) throws -> Figure {
    let file = bench.directory + "/figure.json"
    let process = try bench.start(
      [
        "measure", "--board", "rock", "--meter", meter, "--for", "\(seconds) s",
        "--accuracy", "power=0.1 % + 1 mW", "--format", "json", "-o", file
      ], bench: text)
    try VirtualGuest.wait("the sampler on the board") {
      try board.run("ps w | grep -c '[k]elvin-sampler-' || :") != "0"
    }
    // Its first samples are to be there.
    _ = try board.run("setsid sh -c 'sleep 2; \(script)' >/dev/null 2>&1 </dev/null &")
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let value = Value(json: try String(contentsOfFile: file, encoding: .utf8))
    let run = try #require(value?.map?["runs"]?.list?.first?.map, "\(value as Any)")
    let site = try #require(run["sites"]?.list?.first?.map)
    return Figure(
      energy: try #require(site["energy"]?.number),
      uncertainty: try #require(site["expanded_uncertainty"]?.number),
      coverage: try #require(site["coverage"]?.number),
      suspended: try #require(site["suspended"]?.number),
      seconds: try #require(run["duration"]?.number))
  }

  private func count() throws -> Int {
    try #require(Int(try board.run("cat /sys/power/suspend_stats/success")))
  }

  /// A figure says how long the board slept, and is of the rest.
  func measuresThroughASleep(_ seconds: Double) throws {
    let before = try count()
    let figure = try measure(seconds, while: sleep)
    print("\(figure)")
    #expect(try count() == before + 1)
    #expect(figure.suspended > 1.5 && figure.suspended < seconds - 2, "\(figure)")
    let awake = (figure.seconds - figure.suspended) / figure.seconds
    #expect(figure.coverage < awake + 0.001 && figure.coverage > awake - 0.3, "\(figure)")
    // What was measured, and what was interpolated while the board fell asleep and awoke; nothing asleep.
    let (least, most) = (5 * figure.coverage * figure.seconds, 5 * awake * figure.seconds)
    let limit = 0.02 + figure.uncertainty
    #expect(figure.energy > least - limit && figure.energy < most + limit, "\(figure)")
  }

  /// The same in a job: it is partial, and the capture has the event.
  func namesASleepInAJob() throws {
    let agenda = bench.directory + "/a.yaml"
    try """
    config:
      max_retries: 0
      augmentations: [energy]
      energy: {meters: [\(meter)]}
    workloads:
      - name: command
        params: {argv: [sh, -c, 'sleep 2; \(sleep); sleep 2']}

    """.write(toFile: agenda, atomically: true, encoding: .utf8)
    let out = bench.directory + "/out"
    let before = try count()
    let process = try bench.start(["run", agenda, "--board", "rock", "-d", out], bench: text)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    let log = try board.run("dmesg | tail -20")
    #expect(try count() == before + 1, "\(log)")
    let reader = try RunReader(directory: out)
    let attempt = try #require(
      try [0, 1].flatMap { try reader.attempts(ofJob: $0) }.last)
    #expect(attempt.outcome?.verdict == .partial, "\(attempt)")
    #expect(
      attempt.outcome?.reason.contains("what was used in a suspend of") == true, "\(attempt)")
    let capture = try #require(try reader.captures(ofAttempt: attempt.id).first)
    let sleeps = try reader.events(ofCapture: capture.id).filter { $0.kind == .suspend }
    try #require(sleeps.count == 1, "\(sleeps)")
    print("\(sleeps[0])")
    #expect(sleeps[0].note.hasPrefix("the board slept for "), "\(sleeps)")
    #expect(sleeps[0].to - sleeps[0].from > 1_500_000_000 && sleeps[0].count == nil, "\(sleeps)")
    #expect(capture.summary?["suspends"] == 1, "\(capture.summary ?? [:])")
  }
}

/// Suspend to memory, by the kernel's own test of it (Linux, Documentation/power/basic-pm-debugging.rst: `core`): all is
/// done but to cut the power, for a second, which takes longer under emulation; CLOCK_MONOTONIC stands still. The emulated firmware does not come back from
/// the power being cut.
@Suite(
  .serialized, .needsGuests, .needsSampler("x86_64"), .guest("x86-a"), .timeLimit(.minutes(5)))
struct X86SuspendTests {
  let sleeping: SleepingBoard

  init() throws {
    sleeping = try SleepingBoard(
      profile: "virtual-x86", meter: "hwmon/power_meter",
      sleep: "echo core >/sys/power/pm_test; echo 1 >/sys/module/suspend/parameters/pm_test_delay; "
        + "echo mem >/sys/power/state")
    try LiveValues(folder: sleeping.board.folder).set(power: 5)
  }

  @Test func aSleepInTheWindowIsMeasuredAsWhatItIs() throws {
    try sleeping.measuresThroughASleep(11)
  }
}

/// Suspend to idle, woken by the board's real-time clock. This board's kernel knows no states of idleness, so that its
/// clocks go on: the count of suspends tells. It has no power meter: the files of one are mounted over /sys/class/hwmon.
@Suite(
  .serialized, .needsGuests, .needsSampler("aarch64"), .guest("arm"), .timeLimit(.minutes(5)))
struct ArmSuspendTests {
  let sleeping: SleepingBoard

  init() throws {
    sleeping = try SleepingBoard(
      profile: "virtual-arm", meter: "hwmon/steady",
      sleep: "echo 0 >/sys/class/rtc/rtc0/wakealarm; echo +3 >/sys/class/rtc/rtc0/wakealarm; "
        + "echo freeze >/sys/power/state")
    _ = try sleeping.board.run(
      """
      [ -d /sys/class/hwmon/hwmon0 ] || { mkdir -p /tmp/hwmon/hwmon0; mount --bind /tmp/hwmon /sys/class/hwmon; }
      cd /sys/class/hwmon/hwmon0; echo steady >name; echo 5000000 >power1_input
      """)
  }

  @Test func aSleepInTheWindowIsMeasuredAsWhatItIs() throws {
    try sleeping.measuresThroughASleep(9)
  }

  @Test func aSleepInAJobIsNamed() throws { try sleeping.namesASleepInAJob() }

  /// The board's wall clock goes a day ahead, two back, and one ahead: no time of a sample is its.
  @Test func aWallClockThatIsSetChangesNothing() throws {
    let figure = try sleeping.measure(
      6,
      while: [86_400, -172_800, 86_400].map { "date -s @$(($(date +%s) + \($0)))" }
        .joined(separator: "; sleep 0.7; "))
    #expect(abs(figure.energy - 5 * figure.seconds) <= 0.01 * figure.seconds, "\(figure)")
    #expect(figure.suspended == 0 && figure.coverage > 0.8, "\(figure)")
  }
}
