import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Meters of the kernel on recorded trees.
@Suite(.timeLimit(.minutes(2)))
struct KernelMeterTests {
  private static let soon = Deadline.after(seconds: 60)

  private static let ina226 = [
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/name": "ina226\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/in0_input": "12\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/in1_input": "5012\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/curr1_input": "1250\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/power1_input": "6265000\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/shunt_resistor": "10000\n",
    "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/update_interval": "35\n"
  ]

  private static func chips(
    _ more: [String: String] = [:], second: String? = nil
  ) throws -> RecordedTree {
    var files = ina226.merging(more) { $1 }
    var links = [
      "/sys/class/hwmon/hwmon0": "/sys/devices/i2c-1/1-0040/hwmon/hwmon0",
      "/sys/devices/i2c-1/1-0040/hwmon/hwmon0/device": "/sys/devices/i2c-1/1-0040"
    ]
    if let second {
      let folder = "/sys/devices/i2c-1/1-0041/hwmon/hwmon1"
      files["\(folder)/name"] = "\(second)\n"
      for number in 1...3 {
        files["\(folder)/in\(number)_input"] = "\(number)000\n"
        files["\(folder)/in\(number)_label"] = "rail\(number)\n"
        files["\(folder)/curr\(number)_input"] = "10\(number)\n"
      }
      links["/sys/class/hwmon/hwmon1"] = folder
      links["\(folder)/device"] = "/sys/devices/i2c-1/1-0041"
    }
    return try RecordedTree(files, links: links)
  }

  @Test func findsChipsWithTheirQuantities() async throws {
    let tree = try Self.chips(
      [
        "/sys/class/hwmon/hwmon2/name": "coretemp\n",
        "/sys/class/hwmon/hwmon2/temp1_input": "41000\n"
      ], second: "ina3221")
    let found = try await HwmonDriver().find(through: tree.connection, until: Self.soon)
    #expect(found.map(\.name) == ["hwmon/ina226", "hwmon/ina3221"])
    #expect(found[0].channels.map(\.name) == ["power1", "curr1", "in0", "in1"])
    #expect(found[0].channels.map(\.site) == ["1", "1", "shunt", "1"])
    #expect(found[0].channels.map(\.scale) == [1e-6, 1e-3, 1e-3, 1e-3])
    #expect(found[0].channels[0].averagingTime == 0.035)
    // Labels of voltages name the currents of the same number, too.
    #expect(
      found[1].channels.map { "\($0.site) \($0.name)" } == [
        "rail1 curr1", "rail2 curr2", "rail3 curr3", "rail1 in1", "rail2 in2", "rail3 in3"
      ])
  }

  @Test func tellsTwoChipsOfAKindApartByWhereTheyAre() async throws {
    let tree = try Self.chips(second: "ina226")
    let driver = HwmonDriver()
    let found = try await driver.find(through: tree.connection, until: Self.soon)
    #expect(found.map(\.name) == ["hwmon/ina226-1-0040", "hwmon/ina226-1-0041"])
    let meter = try await driver.open(
      name: "b", options: found[1].options, through: tree.connection, until: Self.soon)
    #expect(meter.channels.count == 6)
    let failure = await #expect(throws: MeterFailure.self) {
      try await driver.open(name: "b", options: [:], through: tree.connection, until: Self.soon)
    }
    #expect(failure?.code == .invalid)
    #expect(failure?.hint.contains("ina226-1-0040, ina226-1-0041") == true)
  }

  @Test func samplesWhatTheFilesHold() async throws {
    let tree = try Self.chips()
    let meter = try await HwmonDriver().open(
      name: "rail",
      options: [
        "rate": .number(500), "channels": .list([.text("power1"), .text("in1")]),
        "accuracy": .map(["power": .text("0.5 % + 1 mW")])
      ], through: tree.connection, until: Self.soon)
    #expect(meter.channels.map(\.name) == ["power1", "in1"])
    #expect(
      meter.channels[0].accuracy?.gain == 0.005 && meter.channels[0].accuracy?.offset == 0.001)
    #expect(meter.identity.range == "shunt 0.01 ohm")
    let sink = KeepingSink()
    let before = MonotonicTime.now.nanoseconds
    try await meter.start(into: sink, until: Self.soon)
    let twice = await #expect(throws: MeterFailure.self) {
      try await meter.start(into: sink, until: Self.soon)
    }
    #expect(twice?.code == .busy)
    try sink.wait(for: 50)
    try tree.write("7000000\n", to: "/sys/class/hwmon/hwmon0/power1_input")
    let changed = sink.samples(0).codes.count
    try sink.wait(for: changed + 100)
    let summary = await meter.stop(until: Self.soon)
    let (times, codes) = sink.samples(0)
    #expect(Set(codes) == [6_265_000, 7_000_000])
    #expect(codes.first == 6_265_000 && codes.last == 7_000_000)
    #expect(meter.channels[0].value(of: codes[0]) == 6.265)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    #expect(times[0] >= before && times[times.count - 1] <= MonotonicTime.now.nanoseconds)
    #expect(summary.samples == [Int64(codes.count), Int64(sink.samples(1).codes.count)])
    #expect(summary.failure == nil)
    // Read each 2 ms, converted each 35 ms: most of it is the same conversion again.
    let repeats = sink.events.filter { $0.kind == .repeats && $0.channel == 0 }
    #expect(repeats.map(\.count) == [Int64(codes.count - 2)])
    #expect(summary.counts["unchanged"] == .list([.text("in1")]))
    // Again, and once more for nothing.
    try await meter.start(into: sink, until: Self.soon)
    #expect(await meter.stop(until: Self.soon).samples.count == 2)
    #expect(await meter.stop(until: Self.soon).samples == [0, 0])
  }

  @Test func saysWhatCannotBeRead() async throws {
    let tree = try Self.chips()
    let meter = try await HwmonDriver().open(
      name: "rail", options: ["rate": .number(200), "channels": .list([.text("power1")])],
      through: tree.connection, until: Self.soon)
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 10)
    try tree.write("broken\n", to: "/sys/class/hwmon/hwmon0/power1_input")
    _ = Deadline.after(seconds: 0.1).wait()
    try tree.write("1000\n", to: "/sys/class/hwmon/hwmon0/power1_input")
    let good = sink.samples(0).codes.count
    try sink.wait(for: good + 20)
    _ = await meter.stop(until: Self.soon)
    let errors = sink.events.filter { $0.kind == .error }
    #expect(errors.reduce(0) { $0 + ($1.count ?? 0) } > 5)
    #expect(errors.first?.note == "not a whole number")
    #expect(sink.samples(0).codes.last == 1000)
  }

  @Test(arguments: [
    (["chip": Value.text("tmp102")], MeterFailure.Code.notFound, "it has ina226"),
    (["channels": .list([.text("power9")])], .invalid, "it has power1, curr1, in0, in1"),
    (["accuracy": .map(["power": .text("1 V")])], .invalid, "write a share"),
    (["accuracy": .map(["force": .text("1 %")])], .invalid, "known: voltage")
  ])
  func refusesWhatIsNotThere(
    options: [String: Value], code: MeterFailure.Code, hint: String
  ) async throws {
    let tree = try Self.chips()
    let failure = await #expect(throws: MeterFailure.self) {
      try await HwmonDriver().open(
        name: "rail", options: options, through: tree.connection, until: Self.soon)
    }
    #expect(failure?.code == code)
    #expect(failure?.hint.contains(hint) == true, "\(failure?.hint ?? "")")
  }

  /// ACPI's meters are asked when they are read, and their answer is kept for as long: a reading that comes a
  /// moment too soon gives the last one again.
  @Test func anACPIMeterIsLeftALittleLongerThanItAverages() async throws {
    let folder = "/sys/devices/acpi/hwmon0"
    let tree = try RecordedTree(
      [
        "\(folder)/name": "power_meter\n", "\(folder)/power1_average": "5000000\n",
        "\(folder)/power1_average_interval": "1000\n"
      ], links: ["/sys/class/hwmon/hwmon0": folder])
    let meter = try await HwmonDriver().open(
      name: "m", options: [:], through: tree.connection, until: Self.soon)
    #expect(meter.rate == 1 / 1.03 && meter.channels.map(\.averagingTime) == [1])
    let asked = try await HwmonDriver().open(
      name: "m", options: ["rate": 4.0], through: tree.connection, until: Self.soon)
    #expect(asked.rate == 4)
  }

  @Test func aMeterThatGoesAwayIsTold() {
    let sink = KeepingSink()
    let drain = FileMeter.Drain(
      name: "m", channels: [Channel(name: "p", unit: "W")], files: ["/sys/p"], period: 1_000_000,
      sink: sink)
    drain.take((1...3).map { Sample(nanoseconds: $0 * 1_000_000, mantissa: $0, channel: 0) })
    // A tick is left out, and then the device is unplugged.
    drain.take([Sample(nanoseconds: 5_000_000, mantissa: 5, channel: 0)])
    drain.take(
      (6...8).map {
        Sample(
          nanoseconds: $0 * 1_000_000, mantissa: Int64(ENODEV), channel: 0, status: .unreadable)
      })
    let summary = drain.summary(SampleSummary())
    #expect(summary.failure?.code == .gone)
    #expect(summary.samples == [4])
    #expect(sink.samples(0).codes == [1, 2, 3, 5])
    #expect(sink.events.map(\.kind) == [.overrun, .error])
    #expect(sink.events[0].count == 1 && sink.events[0].from == 3_000_000)
    #expect(sink.events[1].count == 3 && sink.events[1].to == 8_000_000)
  }

  /// What is missing around a sleep was slept through, and no tick was left out.
  @Test(arguments: [false, true])
  func aSleepIsToldAsWhatItIs(isEarly: Bool) {
    let sink = KeepingSink()
    let drain = FileMeter.Drain(
      name: "m", channels: [Channel(name: "p", unit: "W")], files: ["/sys/p"], period: 1_000_000,
      sink: sink)
    func samples(_ ticks: [Int64]) -> [Sample] {
      ticks.map { Sample(nanoseconds: $0 * 1_000_000, mantissa: $0, channel: 0) }
    }
    let sleep = Suspension(
      .board, from: 3_000_000, to: 4_003_000_000, asleep: 3_999_000_000)
    drain.take(samples([1, 2, 3]), isEarly ? [sleep] : [])
    drain.take(samples([4003, 4004]), isEarly ? [] : [sleep])
    // Later there is a tick that was left out.
    drain.take(samples([4006]))
    let summary = drain.summary(SampleSummary())
    #expect(sink.events.map(\.kind) == [.suspend, .overrun])
    #expect(sink.events[0] == sleep.event)
    #expect(sink.samples(0).codes == [1, 2, 3, 4003, 4004, 4006])
    #expect(summary.counts["suspends"] == 1 && summary.counts["asleep"] == 3_999_000_000)
  }

  @Test func conversionsThatAreReadAgainAreRecognized() {
    let sink = KeepingSink()
    let drain = FileMeter.Drain(
      name: "m", channels: [Channel(name: "p", unit: "W"), Channel(name: "q", unit: "W")],
      files: ["/sys/p", "/sys/q"], period: 1_000_000, sink: sink)
    // One is converted each fifth time that it is read, the other each time.
    for tick: Int64 in 0..<1000 {
      let codes: [Int64] = [tick / 5 * 37 % 101, tick * 37 % 101]
      drain.take(
        (0..<2).map {
          Sample(nanoseconds: tick * 1_000_000, mantissa: codes[$0], channel: UInt16($0))
        })
    }
    _ = drain.summary(SampleSummary())
    let repeats = sink.events.filter { $0.kind == .repeats }
    #expect(repeats.map(\.channel) == [0] && repeats.first?.count == 800, "\(repeats)")
    #expect(repeats.first?.note.hasPrefix("converted each 5") == true, "\(repeats)")
  }

  @Test func namesRAPLDomainsWithTheirOwnMaxima() async throws {
    let zones = [
      ("intel-rapl:0", "package-0", "262143328850"), ("intel-rapl:0:0", "core", "262143328850"),
      ("intel-rapl:0:1", "dram", "65712999613"), ("intel-rapl:1", "psys", "262143328850"),
      ("intel-rapl-mmio:0", "package-0", "262143328850")
    ]
    var files: [String: String] = ["/sys/class/powercap/intel-rapl/enabled": "1\n"]
    for (zone, name, range) in zones {
      files["/sys/class/powercap/\(zone)/name"] = name
      files["/sys/class/powercap/\(zone)/max_energy_range_uj"] = range
      files["/sys/class/powercap/\(zone)/energy_uj"] = "1000"
    }
    let tree = try RecordedTree(files)
    let found = try #require(
      try await PowercapDriver().find(through: tree.connection, until: Self.soon).first)
    #expect(
      found.channels.map(\.site) == ["package-0", "psys", "package-0/core", "package-0/dram"])
    #expect(found.channels[3].wrap == 65_712_999_613)
    #expect(found.obstacle == nil)
    let meter = try await PowercapDriver().open(
      name: "rapl", options: [:], through: tree.connection, until: Self.soon)
    #expect(meter.channels.allSatisfy { $0.kind == .energy && $0.scale == 1e-6 })
  }

  @Test func saysWhoMayReadRAPL() throws {
    let failure = PowercapDriver().obstacle(Errno(EACCES), "/sys/x/energy_uj", "local")
    #expect(failure.code == .permission)
    #expect(failure.hint.contains("SUBSYSTEM==\"powercap\""))
    #expect(PowercapDriver().obstacle(Errno(EIO), "/sys/x", "local").code == .malfunction)
  }

  @Test func saysThatThereIsNoRAPL() async throws {
    let tree = try RecordedTree(["/sys/class/x/y": ""])
    let failure = await #expect(throws: MeterFailure.self) {
      try await PowercapDriver().open(
        name: "rapl", options: [:], through: tree.connection, until: Self.soon)
    }
    #expect(failure?.code == .notFound)
    for driver in BuiltInMeters.all {
      #expect(try await driver.find(through: tree.connection, until: Self.soon).isEmpty)
    }
  }

  @Test func readsBatteries() async throws {
    let tree = try RecordedTree([
      "/sys/class/power_supply/BAT0/type": "Battery\n",
      "/sys/class/power_supply/BAT0/status": "Discharging\n",
      "/sys/class/power_supply/BAT0/current_now": "-1500000\n",
      "/sys/class/power_supply/BAT0/voltage_now": "11400000\n",
      "/sys/class/power_supply/BAT0/charge_now": "3000000\n",
      "/sys/class/power_supply/AC/type": "Mains\n", "/sys/class/power_supply/AC/online": "1\n"
    ])
    let meter = try await PowerSupplyDriver().open(
      name: "bat", options: ["rate": .number(50)], through: tree.connection, until: Self.soon)
    #expect(meter.channels.map(\.unit) == ["A", "V", "C"])
    let sink = KeepingSink()
    try await meter.start(into: sink, until: Self.soon)
    try sink.wait(for: 3, of: 2)
    _ = await meter.stop(until: Self.soon)
    let values = (0..<3).map { meter.channels[$0].value(of: sink.samples($0).codes[0]) }
    #expect(values[0] == -1.5)
    #expect(values[1] == 11.4)
    // 3 Ah.
    #expect(values[2] == 10_800)
    #expect(
      try await meter.status(until: Self.soon).contains(MeterProperty("status", "Discharging")))
  }

  @Test(arguments: [
    ("0.5 % + 1 mA", 0.005, 0.001), ("1 mA+0.5 %", 0.005, 0.001), ("2 %", 0.02, 0),
    ("10 uA", 0, 10e-6), ("100 ppm + 5 nA", 1e-4, 5e-9)
  ])
  func readsAccuracies(text: String, gain: Double, offset: Double) throws {
    let accuracy = try #require(AccuracyOptions.parse(text, .current))
    #expect(abs(accuracy.gain - gain) < 1e-15 && abs(accuracy.offset - offset) < 1e-15)
  }

  @Test(arguments: [
    "", "1", "1 V", "1 % + 2 %", "1 mA + 2 mA", "-1 %", "1 % +", "x", "1 % + 1 mA + 1"
  ])
  func refusesOtherAccuracies(text: String) {
    #expect(AccuracyOptions.parse(text, .current) == nil)
  }
}
