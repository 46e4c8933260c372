import KelvinConnections
import KelvinModel
import Testing

@testable import KelvinExecution

/// Which sensors a name means, and what a window says.
@Suite struct TemperatureSensorTests {
  private static let zones = [
    "/sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
    "/sys/class/thermal/thermal_zone0/temp": "90000\n",
    "/sys/class/thermal/thermal_zone1/type": "cpu0-thermal\n",
    "/sys/class/thermal/thermal_zone1/temp": "50000\n",
    "/sys/class/thermal/thermal_zone2/type": "cpu1-thermal\n",
    "/sys/class/thermal/thermal_zone2/temp": "51000\n"
  ]
  private static let chips = [
    "/sys/class/hwmon/hwmon0/name": "nvme\n", "/sys/class/hwmon/hwmon0/temp1_input": "30000\n",
    "/sys/class/hwmon/hwmon1/name": "coretemp\n",
    "/sys/class/hwmon/hwmon1/temp1_input": "40000\n",
    "/sys/class/hwmon/hwmon1/temp1_label": "Package id 0\n",
    "/sys/class/hwmon/hwmon1/temp2_input": "39000\n",
    "/sys/class/hwmon/hwmon1/temp2_label": "Core 0\n"
  ]

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      (nil, ["cpu0-thermal", "cpu1-thermal"]), ("gpu-thermal", ["gpu-thermal"]),
      ("1", ["cpu0-thermal"]), ("thermal_zone2", ["cpu1-thermal"]), ("nvme", ["nvme/temp1"]),
      ("coretemp", ["coretemp/Package id 0", "coretemp/Core 0"]),
      ("coretemp/Core 0", ["coretemp/Core 0"]), ("hwmon1/temp1", ["coretemp/Package id 0"]),
      ("/sys/x", ["/sys/x"])
    ])
  func aNameMeansItsSensors(name: String?, expected: [String]) async throws {
    let tree = try RecordedTree(Self.zones.merging(Self.chips) { $1 })
    let found = try await TemperatureSensor.find(
      name, on: LocalConnection(root: tree.root), until: .after(seconds: 10))
    #expect(found.map(\.name) == expected)
  }

  @Test(.timeLimit(.minutes(1))) func withoutZonesTheChipsOfTheCPUAreTaken() async throws {
    let tree = try RecordedTree(Self.chips)
    let own = try await TemperatureSensor.find(
      nil, on: LocalConnection(root: tree.root), until: .after(seconds: 10))
    #expect(own.map(\.path.string).allSatisfy { $0.contains("hwmon1/") } && own.count == 2)
  }

  @Test(.timeLimit(.minutes(1))) func aBoardWithoutAnyIsTold() async throws {
    let tree = try RecordedTree([:])
    await #expect(throws: InstrumentUnavailable.self) {
      _ = try await TemperatureSensor.find(
        nil, on: LocalConnection(root: tree.root), until: .after(seconds: 10))
    }
  }

  /// A board that booted may number its zones otherwise; what it was at first still counts.
  @Test(.timeLimit(.minutes(1))) func whatItWasAtFirstOutlivesAReboot() async throws {
    let choice = TemperatureChoice(zone: "cpu0-thermal", limit: .initial(margin: 2))
    let tree = try RecordedTree(Self.zones)
    let connection = LocalConnection(root: tree.root)
    let first = try await choice.find(on: connection, after: nil, until: .after(seconds: 10))
    try tree.write([
      "/sys/class/thermal/thermal_zone1/type": "cpu1-thermal\n",
      "/sys/class/thermal/thermal_zone2/type": "cpu0-thermal\n",
      "/sys/class/thermal/thermal_zone2/temp": "70000\n"
    ])
    let second = try await choice.find(on: connection, after: first, until: .after(seconds: 10))
    #expect(second.paths == ["/sys/class/thermal/thermal_zone2/temp"])
    #expect(second.wanted == "at most 52.0 degC")
  }

  private static func judge(_ contents: [Result<[UInt8], Errno>]) -> ConditionReading {
    var condition = TemperatureCondition(
      sensors: [.init(name: "a", path: "/a"), .init(name: "b", path: "/b")], limit: 45,
      maxSlope: nil, slopeWindow: 1)
    return condition.judge(contents[...], at: .now)
  }

  @Test func theHottestCounts() {
    #expect(Self.judge([.success(Array("44000\n".utf8)), .success(Array("45000".utf8))]).isMet)
    #expect(!Self.judge([.success(Array("44000\n".utf8)), .success(Array("45001".utf8))]).isMet)
  }

  /// One that cannot be read may be the hottest.
  @Test(arguments: ["", "x", "44000 1", "-", "99999999999999999999"])
  func damageIsNeverCool(text: String) {
    let good = Array("44000\n".utf8)
    #expect(!Self.judge([.success(good), .success(Array(text.utf8))]).isMet)
    #expect(!Self.judge([.success(good), .failure(.notFound)]).isMet)
    #expect(!Self.judge([]).isMet)
  }

  @Test func aSlopeNeedsItsWholeWindow() throws {
    var window = TimeWindow<Double>(seconds: 60)
    for second in 0..<60 {
      window.add(Double(second) / 30, at: MonotonicTime(nanoseconds: Int64(second) * 1_000_000_000))
      #expect(window.slopePerMinute == nil)
    }
    for second in 60..<200 {
      window.add(Double(second) / 30, at: MonotonicTime(nanoseconds: Int64(second) * 1_000_000_000))
      #expect(abs(try #require(window.slopePerMinute) - 2) < 1e-9)
    }
    #expect(window.entries.count == 61)
  }
}
