import KelvinModel
import Testing

@testable import KelvinMeters

/// What references tell.
struct CalibrationPointTests {
  private static let identity = MeterIdentity(name: "m", driver: "d")

  /// 5.1 V and 52 mA of one site, 1 W of another.
  private static let figures: [MeterStatistics.ChannelFigures] = {
    let accuracy = Accuracy(gain: 0.01, offset: 0)
    let channels = [
      Channel(name: "u", unit: "mV", site: "s", kind: .voltage, accuracy: accuracy),
      Channel(name: "i", unit: "A", scale: 1e-3, site: "s", kind: .current),
      Channel(name: "p", unit: "W", scale: 1e-3, site: "t", kind: .power),
      Channel(name: "v", unit: "V", scale: 1e-3, site: "t", kind: .voltage),
      Channel(name: "e", unit: "J", kind: .energy, wrap: 0)
    ]
    let statistics = MeterStatistics(channels)
    for (index, code) in [5100, 52, 1000, 1800, 7].enumerated() {
      statistics.take([
        SampleBlock(
          channel: index, times: (0..<10).map { Int64($0) },
          codes: (0..<10).map { _ in Int64(code) })
      ])
    }
    return statistics.figures
  }()

  private static func points(
    _ way: CalibrationPoints.Way, only channel: String? = nil,
    knowing known: MeterCalibration = MeterCalibration(of: identity)
  ) throws -> [(channel: String, point: MeterCalibration.Point)] {
    try CalibrationPoints.of(
      figures, way, only: channel, knowing: known, meter: "m", date: "2026-11-27")
  }

  @Test func zeroIsOfWhatFlows() throws {
    let points = try Self.points(.zero)
    #expect(points.map(\.channel) == ["i", "p"])
    #expect(abs(points[0].point.measured - 0.052) < 1e-15 && points[0].point.reference == 0)
    #expect(abs(points[0].point.uncertainty - 1e-3 / 12.0.squareRoot()) < 1e-15)
    #expect(try Self.points(.zero, only: "u").map(\.channel) == ["u"])
  }

  @Test func aReferenceIsInTheChannelsUnit() throws {
    let points = try Self.points(.reference(5, limit: 0.002, .voltage), only: "u")
    #expect(points[0].point.reference == 5000 && points[0].point.limit == 2)
    #expect(try Self.points(.reference(1, limit: 0, .power)).map(\.channel) == ["p"])
    let several = #expect(throws: MeterFailure.self) {
      try Self.points(.reference(5, limit: 0, .voltage))
    }
    #expect(several?.message.contains("means u, v") == true)
    let none = #expect(throws: MeterFailure.self) {
      try Self.points(.reference(5, limit: 0, .power), only: "u")
    }
    #expect(none?.code == .invalid)
    #expect(throws: MeterFailure.self) { try Self.points(.zero, only: "e") }
  }

  @Test func aResistorTellsTheCurrentByTheVoltage() throws {
    let load = try #require(LoadVerification.Load("100 ohm,1%"))
    let points = try Self.points(.load(load))
    #expect(points.map(\.channel) == ["i"])
    #expect(abs(points[0].point.reference - 0.051) < 1e-12)
    // The resistor's 1 % and the voltage's.
    #expect(abs(points[0].point.limit - 0.051 * 0.02) < 1e-12)
    // With what is known of the voltage: 5 V are shown as 5.1 V.
    var known = MeterCalibration(of: Self.identity)
    known.add(
      .init(
        reference: 5000, limit: 0, measured: 5100, uncertainty: 0, date: "2026-11-27"), to: "u")
    known.add(
      .init(reference: 0, limit: 0, measured: 0, uncertainty: 0, date: "2026-11-27"), to: "u")
    let better = try Self.points(.load(load), knowing: known)
    #expect(abs(better[0].point.reference - 0.05) < 1e-12)
    #expect(abs(better[0].point.limit - 0.05 * 0.01) < 1e-12)
  }
}
