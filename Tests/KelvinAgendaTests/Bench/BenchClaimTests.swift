import KelvinModel
import Testing

/// Equipment that two entries mean to use.
@Suite struct BenchClaimTests {
  /// Two boards with these keys.
  private func read(_ first: String, _ second: String, meters: String = "{}") -> BenchText {
    BenchText(
      """
      boards:
        a: {profile: rock-5b, \(first)}
        b: {profile: rock-5b, \(second)}
      meters: \(meters)
      """)
  }

  @Test(arguments: [
    ("console: {serial: /dev/x}", "console: {serial: /dev/x}", "console", "serial", "console"),
    (
      "console: {serial: {match: {'@ID_PATH': p, x: y}, baud: 9600}}",
      "console: {serial: {baud: 115200, match: {x: y, '@ID_PATH': p}}}", "console", "serial",
      "console"
    ),
    (
      "console: {serial: /dev/x}", "connection: {serial: {path: /dev/x}}", "connection", "serial",
      "console"
    ),
    (
      "connection: local, power: {usb-hub: {port: 1}}",
      "connection: {ssh: {host: h}}, power: {hub: {port: 1, delay: 5 s}}", "power", "usb-hub",
      "power"
    ),
    (
      "connection: local, power: {usb-hub: {port: 1}}",
      "connection: {ssh: {host: h}}, reset: {usb-hub: {port: 1}}", "reset", "usb-hub", "power"
    )
  ])
  func aThingClaimedByTwoBoardsNamesBoth(
    first: String, second: String, kind: String, driver: String, role: String
  ) throws {
    let read = read(first, second)
    let line = try #require(read.lines.first)
    #expect(read.lines.count == 1)
    #expect(line.hasPrefix("bench.yaml:3:"), "\(line)")
    #expect(
      line.contains(
        "boards 'a' and 'b' claim the same \(kind), '\(driver)' with equal options: the \(role) of "
          + "'a' is declared at bench.yaml:2:"), "\(line)")
  }

  @Test(arguments: [
    ("console: {serial: /dev/x}", "console: {serial: /dev/y}"),
    ("console: {serial: {match: {a: x}}}", "console: {serial: {match: {'@a': x}}}"),
    (
      "connection: local, power: {usb-hub: {port: 1}}",
      "connection: {ssh: {host: h}}, power: {usb-hub: {port: 2}}"
    ),
    (
      "connection: local, power: {usb-hub: {port: 1, match: {s: '1'}}}",
      "connection: {ssh: {host: h}}, power: {usb-hub: {port: 1, match: {s: '01'}}}"
    ),
    ("connection: {ssh: {host: h}}", "connection: {ssh: {host: h, port: 23}}")
  ])
  func differentThingsAreNoMistake(first: String, second: String) {
    #expect(read(first, second).lines == [])
  }

  @Test func oneBoardMayUseAThingTwice() {
    let read = BenchText(
      board: "connection: {serial: /dev/x}, console: {serial: /dev/x}, power: {usb-hub: {port: 1}},"
        + " reset: {usb-hub: {port: 1}}")
    #expect(read.lines == [])
  }

  @Test(arguments: [
    ("meters: [m]", "meters: [m]"), ("meters: [m]", "power: {meter: m}"),
    ("power: {meter: m}", "power: {meter: m}")
  ])
  func aMeterOfTwoBoardsNamesBoth(first: String, second: String) {
    let read = read(
      "connection: local, \(first)", "connection: {ssh: {host: h}}, \(second)", meters: "{m: ppk2}")
    #expect(read.lines.count == 1)
    #expect(
      read.lines.first?.contains(
        "boards 'a' and 'b' claim the same meter, 'm', which 'a' claims at bench.yaml:2:") == true,
      "\(read.lines)")
  }

  @Test func aBoardsOwnSupplyMayMeasureIt() {
    let read = BenchText(
      "boards: {a: {profile: rock-5b, connection: local, power: {meter: m}, meters: [m]}}\n"
        + "meters: {m: ppk2}")
    #expect(read.lines == [])
  }

  @Test func twoMetersThatAreOneDeviceAreAMistake() {
    let same = BenchText(
      "meters:\n  a: {driver: ppk2, match: {s: '1'}, mode: source}\n"
        + "  b: {driver: ppk2, match: {s: '1'}}")
    #expect(
      same.lines == [
        "bench.yaml:3:3: error: meters 'a' and 'b' are the same 'ppk2', the first declared at "
          + "bench.yaml:2:3; remove one of them"
      ])
    let unmatched = BenchText("meters: {a: ppk2, b: ppk2}")
    #expect(unmatched.lines.first?.contains("give each a 'match'") == true)
    #expect(BenchText("meters: {a: ppk2, b: {driver: ppk2, match: {s: '1'}}}").lines == [])
    // Each reads the kernel of the board that names it.
    #expect(BenchText("meters: {a: hwmon, b: hwmon}").lines == [])
  }

  @Test func boardsReachedInTheSameWayAreDoubtful() {
    let read = read("connection: {ssh: {host: h}}", "connection: {ssh: {host: h, user: u}}")
    #expect(read.isRead)
    #expect(
      read.lines == [
        "bench.yaml:3:38: warning: boards 'a' and 'b' are reached in the same way, which 'a' "
          + "declares at bench.yaml:2:38; one board under two names can be used by two runs at a "
          + "time"
      ])
  }
}
