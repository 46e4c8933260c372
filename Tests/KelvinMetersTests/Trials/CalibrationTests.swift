import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Calibrations, and meters that are corrected by them.
struct CalibrationTests {
  private static let identity = MeterIdentity(
    name: "rail", driver: "hwmon", model: "ina226", range: "shunt 0.01 ohm")
  private static let volts = Channel(
    name: "u", unit: "V", scale: 1e-3, site: "s", kind: .voltage, range: 0...40,
    accuracy: Accuracy(gain: 0.01, offset: 0.03, resolution: 1e-3, source: "sheet"))

  private static func calibration(
    _ points: [(reference: Double, measured: Double)], limit: Double = 0.002
  ) -> MeterCalibration {
    var calibration = MeterCalibration(of: identity)
    for point in points {
      calibration.add(
        .init(
          reference: point.reference, limit: limit, measured: point.measured, uncertainty: 0.001,
          date: "2026-11-27"), to: "u")
    }
    return calibration
  }

  @Test func twoPointsGiveGainAndOffset() throws {
    // The meter shows 1.02 times what there is, and 50 mV more.
    let calibration = Self.calibration([(0, 0.05), (5, 5.15)])
    let correction = try #require(calibration.correction(of: "u"))
    #expect(abs(correction.gain - 1 / 1.02) < 1e-12)
    #expect(abs(correction.offset + 0.05 / 1.02) < 1e-12)
    let channel = calibration.corrected(Self.volts)
    for truth in [0.0, 1, 3.3, 12] {
      #expect(
        abs(channel.value(of: Int64(((truth * 1.02 + 0.05) * 1000).rounded())) - truth) < 6e-4)
    }
    #expect(abs((channel.range?.lowerBound ?? 0) + 0.05 / 1.02) < 1e-12)
    #expect(abs((channel.range?.upperBound ?? 0) - (40 - 0.05) / 1.02) < 1e-12)
    let accuracy = try #require(channel.accuracy)
    let standard = (0.002 * 0.002 / 3 + 0.001 * 0.001).squareRoot()
    #expect(abs(accuracy.offset - 2 * standard) < 1e-12)
    #expect(abs(accuracy.gain - 2 * (2 * standard * standard).squareRoot() / 5.1) < 1e-12)
    #expect(accuracy.coverageFactor == 2 && accuracy.resolution == 1e-3)
    #expect(accuracy.source == "calibration of 2026-11-27, 2 points, k = 2")
  }

  @Test func onePointGivesOneThing() throws {
    let zero = Self.calibration([(0, 0.05)])
    #expect(zero.correction(of: "u")?.offset == -0.05 && zero.correction(of: "u")?.gain == 1)
    // What was not looked at is as it was stated.
    let divisor = 3.0.squareRoot()
    #expect(abs((zero.corrected(Self.volts).accuracy?.gain ?? 0) - 0.02 / divisor) < 1e-12)
    let gain = Self.calibration([(5, 5.1)])
    #expect(gain.correction(of: "u")?.offset == 0)
    #expect(abs((gain.correction(of: "u")?.gain ?? 0) - 5 / 5.1) < 1e-12)
    #expect(abs((gain.corrected(Self.volts).accuracy?.offset ?? 0) - 0.06 / divisor) < 1e-12)
    var silent = Self.volts
    silent.accuracy = nil
    #expect(gain.corrected(silent).accuracy == nil)
    #expect(gain.correction(of: "i") == nil)
    // The same place twice is still one.
    #expect(Self.calibration([(5, 5.1), (5, 5.1)]).correction(of: "u")?.offset == 0)
    // Signs that do not fit are no gain.
    #expect(Self.calibration([(5, -5)]).correction(of: "u") == nil)
  }

  @Test func isKeptAsItIs() throws {
    var calibration = Self.calibration([(0, 0.05), (5, 5.15)])
    calibration.add(
      .init(reference: 1, limit: 0, measured: 1.5, uncertainty: 0, date: "2026-01-01"), to: "i")
    let text = calibration.value.json
    let value = try #require(Value(json: text))
    #expect(MeterCalibration(value) == calibration)
    #expect(calibration.date == "2026-11-27")
    // Cut short or of another kind it is none.
    for end in 0..<text.utf8.count {
      #expect(Value(json: String(text.prefix(end))).flatMap(MeterCalibration.init) == nil)
    }
    for (name, broken) in [
      ("format", Value.text("else")), ("channels", .list([])),
      ("channels", .map(["u": .list([.map(["reference": .text("x")])])])), ("serial", .null)
    ] {
      var map = value.map ?? [:]
      map[name] = broken
      #expect(MeterCalibration(.map(map)) == nil, "\(name)")
    }
  }

  @Test func correctsAMeterAndNoOther() async throws {
    let tree = try RecordedTree([
      "/sys/class/hwmon/hwmon0/name": "ina226\n", "/sys/class/hwmon/hwmon0/in1_input": "5150\n",
      "/sys/class/hwmon/hwmon0/shunt_resistor": "10000\n"
    ])
    let deadline = Deadline.after(seconds: 60)
    let meter = try await HwmonDriver().open(
      name: "rail", options: ["rate": .number(200)], through: tree.connection, until: deadline)
    var calibration = MeterCalibration(of: meter.identity)
    for (reference, measured) in [(0.0, 0.05), (5, 5.15)] {
      calibration.add(
        .init(
          reference: reference, limit: 0.001, measured: measured, uncertainty: 0,
          date: "2026-11-27"), to: "in1")
    }
    let corrected = try CalibratedMeter(meter, calibration)
    #expect(corrected.identity.calibration == "2026-11-27" && corrected.rate == 200)
    let sink = MeterStatistics(corrected.channels)
    try await corrected.start(into: sink, until: deadline)
    while sink.fewest < 5, !deadline.hasPassed { _ = Deadline.after(seconds: 0.01).wait() }
    #expect(await corrected.stop(until: deadline).failure == nil)
    #expect(abs(sink.figures[0].mean - 5) < 1e-9)
    var other = meter.identity
    other.range = "shunt 0.1 ohm"
    let failure = #expect(throws: MeterFailure.self) {
      try CalibratedMeter(meter, MeterCalibration(of: other))
    }
    #expect(failure?.message.contains("its range is 'shunt 0.01 ohm', not 'shunt 0.1 ohm'") == true)
    await corrected.close()
  }
}
