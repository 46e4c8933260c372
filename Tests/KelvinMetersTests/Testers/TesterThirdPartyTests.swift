import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Clients that others wrote read the simulated testers; each value is that of the frame that they were sent, and
/// what the driver makes of it.
@Suite(.timeLimit(.minutes(3)))
struct TesterThirdPartyTests {
  static func isThere(_ package: String) -> Bool {
    FileManager.default.fileExists(
      atPath: "\(PPK2ThirdPartyTests.root)/.build/capture-tools/\(package)")
  }

  /// What a client read, reading by reading, beside what the driver's decoder makes of the frames that it was sent.
  private static func compare(
    _ model: TesterModel, _ script: (String) -> String
  ) throws -> [(theirs: [Double], ours: [Double])] {
    let device = try SimulatedTester(model)
    let result = try #require(PPK2ThirdPartyTests.python(script(device.path)))
    try #require(result.status == 0, "\(result.output)")
    let theirs = try #require(
      try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[Double]])
    let language = TesterProtocolTests.language(model)
    let ours = try device.record.frames.map { frame in
      let bytes = TesterFrames.frame(model, frame.truth)
      return zip(language.channels, try language.read(bytes[...]).codes).map { $0.value(of: $1) }
    }
    try #require(theirs.count == 20 && ours.count == 20)
    return Array(zip(theirs, ours))
  }

  /// Some divide where others multiply, and JSON is in between: the last bits of a number may differ.
  private static func expectTheSame(_ pair: (theirs: [Double], ours: [Double])) {
    #expect(pair.theirs.count <= pair.ours.count && !pair.theirs.isEmpty)
    for (theirs, ours) in zip(pair.theirs, pair.ours) {
      #expect(abs(theirs - ours) <= abs(ours) * 1e-14, "\(pair)")
    }
  }

  @Test(.enabled(if: isThere("tc66_serial"), "needs tc66-serial, scripts/capture-tools"))
  func tc66SerialAgrees() throws {
    let pairs = try Self.compare(.tc66c) { path in
      """
      import json, time
      from tc66_serial import Tc66Client
      values = []
      with Tc66Client('\(path)') as client:
          for _ in range(20):
              reading = client.get_reading()
              assert reading.is_valid and reading.product_name == 'TC66', reading
              assert reading.serial_number == 20661234 and reading.version == '1.18', reading
              assert abs(reading.power - reading.voltage * reading.current) < 0.001, reading
              values.append([reading.voltage, reading.current, reading.d_plus_voltage,
                             reading.d_minus_voltage])
              time.sleep(0.02)
      print(json.dumps(values))
      """
    }
    for pair in pairs { Self.expectTheSame(pair) }
    #expect(Set(pairs.map { $0.theirs[1] }).count > 5)
  }

  @Test(
    .enabled(if: isThere("pyummeter"), "needs pyummeter, scripts/capture-tools"),
    arguments: [TesterModel.um24c, .um25c, .um34c])
  func pyummeterAgrees(model: TesterModel) throws {
    let pairs = try Self.compare(model) { path in
      """
      import json, time
      from pyummeter import UMmeter, UMmeterInterfaceTTY
      values = []
      with UMmeter(UMmeterInterfaceTTY('\(path)')) as meter:
          meter.set_timeout(3)
          for _ in range(20):
              data = meter.get_data()
              assert data['model'] == '\(model.rawValue.uppercased())', data
              values.append([data['voltage'], data['intensity'], data['usb_voltage_dp'],
                             data['usb_voltage_dn'], data['temperature_celsius']])
              time.sleep(0.02)
      print(json.dumps(values))
      """
    }
    for pair in pairs { Self.expectTheSame(pair) }
    #expect(Set(pairs.map { $0.theirs[1] }).count > 5)
  }
}
