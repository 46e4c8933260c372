import KelvinAgenda
import KelvinModel
import Testing

/// `supply` of boards.
@Suite struct SupplyReaderTests {
  private func text(_ supply: String, meters: String = "[m]") -> BenchText {
    BenchText(
      """
      boards: {a: {profile: rock-5b, connection: local, meters: \(meters), supply: \(supply)}}
      meters: {m: ppk2, n: {driver: ppk2, match: {ID_SERIAL_SHORT: '1'}}}
      """)
  }

  @Test func aBoardWithoutOneAsksNobody() {
    #expect(BenchText(board: "connection: local").bench.boards.first?.supply == nil)
  }

  @Test func theOnlyMeterNeedsNoName() {
    let read = text("{brown_out: 4.65 V}")
    #expect(read.lines == [])
    #expect(
      read.bench.boards.first?.supply == SupplyDescription(meter: "m", brownOut: 4.65))
    #expect(read.bench.boards.first?.supply?.tellsOff == false)
  }

  @Test func everythingIsRead() throws {
    let read = text(
      "{meter: n, voltage: in1, current: curr1, brown_out: 4650 mV, off_voltage: 0.3, "
        + "off_current: 2 mA, off_timeout: 1 min}", meters: "[m, n]")
    #expect(read.lines == [])
    let supply = try #require(read.bench.boards.first?.supply)
    #expect(
      supply
        == SupplyDescription(
          meter: "n", voltage: "in1", current: "curr1", brownOut: 4.65, offVoltage: 0.3,
          offCurrent: 0.002, offSeconds: 60))
    #expect(supply.tellsOff)
  }

  @Test(arguments: [
    ("{brown_out: 4.6 V}", "[]", "supply: the board has no meter"),
    ("{brown_out: 4.6 V}", "[m, n]", "supply: the board has several meters"),
    ("{meter: n, brown_out: 4.6 V}", "[m]", "supply: 'n' is none of the board's meters"),
    ("{meter: m}", "[m]", "supply: it says nothing that the meter is to tell"),
    (
      "{brown_out: 1 V, off_voltage: 1 V}", "[m]",
      "supply: 'off_voltage' is not below 'brown_out'"
    ),
    ("{brown_out: 4.6 A}", "[m]", "supply: brown_out: expected a voltage"),
    ("{brown_out: -1 V}", "[m]", "supply: brown_out: expected between 0 and 1000000"),
    ("{off_timeout: 0 s, off_voltage: 1}", "[m]", "supply: off_timeout: expected between"),
    ("{brownout: 4.6 V}", "[m]", "supply: unknown key 'brownout'"),
    ("4.6 V", "[m]", "supply: expected a map")
  ])
  func mistakesAreTold(supply: String, meters: String, message: String) {
    let lines = text(supply, meters: meters).lines
    #expect(lines.count == 1 && lines.first?.contains(message) == true, "\(lines)")
  }
}
