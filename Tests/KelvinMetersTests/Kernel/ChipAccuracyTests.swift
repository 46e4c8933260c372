import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinMeters

/// What data sheets state of chips, as channels carry it.
struct ChipAccuracyTests {
  private static let soon = Deadline.after(seconds: 60)

  private static func open(
    _ chip: String, _ files: [String: String], _ options: [String: Value] = [:]
  ) async throws -> any Meter {
    var all = ["/sys/class/hwmon/hwmon0/name": chip + "\n"]
    for (name, content) in files { all["/sys/class/hwmon/hwmon0/\(name)"] = content + "\n" }
    let tree = try RecordedTree(all)
    return try await HwmonDriver().open(
      name: "m", options: options, through: tree.connection, until: soon)
  }

  private static let ina226 = [
    "in0_input": "12", "in1_input": "5000", "curr1_input": "1250", "power1_input": "6265000",
    "shunt_resistor": "10000", "update_interval": "35"
  ]

  @Test func anINA226IsAsItsSheetSays() async throws {
    let meter = try await Self.open(
      "ina226", Self.ina226, ["shunt-tolerance": .number(0.005)])
    let accuracies = Dictionary(
      uniqueKeysWithValues: meter.channels.map { ($0.name, $0.accuracy) })
    let power = try #require(accuracies["power1"] ?? nil)
    // 0.1 % and the shunt's 0.5 %, 0.1 % and 7.5 mV of 5 V; 10 uV over 10 mohm are 1 mA, 5 mW at 5 V.
    #expect(abs(power.gain - (0.001 + 0.005 + 0.001 + 0.0015)) < 1e-12)
    #expect(abs(power.offset - 5e-3) < 1e-12)
    // 25 times 2.5 uV over 10 mohm.
    #expect(abs((power.resolution ?? 0) - 6.25e-3) < 1e-12)
    let current = try #require(accuracies["curr1"] ?? nil)
    #expect(abs(current.gain - 0.006) < 1e-12 && abs(current.offset - 1e-3) < 1e-12)
    // The kernel rounds to a milliampere what the chip tells to a quarter.
    #expect(current.resolution == 1e-3)
    #expect(current.source.contains("SBOS547B") && current.source.contains("shunt within 0.5 %"))
    let voltage = try #require(accuracies["in1"] ?? nil)
    #expect(voltage.gain == 0.001 && voltage.offset == 7.5e-3 && voltage.resolution == 1.25e-3)
    #expect((accuracies["in0"] ?? nil)?.offset == 10e-6)
  }

  @Test func anAssumedShuntIsSaid() async throws {
    let meter = try await Self.open("ina226", Self.ina226)
    let power = try #require(meter.channels.first { $0.name == "power1" }?.accuracy)
    #expect(abs(power.gain - (0.001 + 0.01 + 0.001 + 0.0015)) < 1e-12)
    #expect(power.source.contains("assumed to be within 1.0 %: 'shunt-tolerance'"))
    #expect(power.source.contains("near 5.0 V"))
  }

  @Test func whatSomebodyStatesCountsMore() async throws {
    let meter = try await Self.open(
      "ina226", Self.ina226, ["accuracy": .map(["power": .text("2 %")])])
    #expect(meter.channels.first { $0.name == "power1" }?.accuracy?.gain == 0.02)
    #expect(meter.channels.first { $0.name == "in1" }?.accuracy?.gain == 0.001)
  }

  @Test(arguments: [
    // Without a shunt no current, without a voltage no power, without a sheet nothing.
    ("ina226", ["shunt_resistor": "0"], ["in0", "in1"]),
    ("ina226", ["in1_input": "0"], ["curr1", "in0", "in1"]),
    ("ina226", ["in1_input": "broken"], ["curr1", "in0", "in1"]),
    ("ina231", [:], []), ("pmbus", [:], []),
    ("ina260", [:], ["curr1"]), ("ina228", [:], ["curr1", "in0"])
  ])
  func saysNothingThatItDoesNotKnow(
    chip: String, changes: [String: String], stated: [String]
  ) async throws {
    let meter = try await Self.open(chip, Self.ina226.merging(changes) { $1 })
    #expect(meter.channels.filter { $0.accuracy != nil }.map(\.name) == stated)
  }

  @Test func chipsWithThreeShuntsHaveThree() async throws {
    var files: [String: String] = [:]
    for number in 1...3 {
      files["in\(number)_input"] = "3300"
      files["curr\(number)_input"] = "100"
      files["shunt\(number)_resistor"] = "\(number)00000"
    }
    files["in4_input"] = "10"
    files["curr4_input"] = "300"
    let meter = try await Self.open("ina3221", files)
    let offsets = meter.channels.filter { $0.kind == .current }.map { $0.accuracy?.offset }
    // 80 uV over 100, 200, 300 mohm; the sum of all is nobody's.
    #expect(offsets.map { $0.map { ($0 * 1e9).rounded() } } == [800_000, 400_000, 266_667, nil])
    #expect(meter.channels.first { $0.name == "in4" }?.accuracy == nil)
  }
}
