import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Qoitech's own client (otii-tcp-client, PyPI) controls and reads the simulator, and agrees with the driver.
@Suite(.timeLimit(.minutes(2)))
struct OtiiThirdPartyTests {
  static let hasClient = FileManager.default.fileExists(
    atPath: "\(SCPIThirdPartyTests.root)/.build/capture-tools/otii_tcp_client")

  static func python(_ server: DeviceServer, _ script: String) async throws -> [String] {
    let done = try await SCPIThirdPartyTests.run([
      "env", "PYTHONPATH=\(SCPIThirdPartyTests.root)/.build/capture-tools", "python3", "-c",
      """
      from otii_tcp_client import otii_client
      client = otii_client.OtiiClient()
      otii = client.connect(host='127.0.0.1', port=\(server.address))
      device = otii.get_devices()[0]
      project = otii.get_active_project()
      \(script)
      client.disconnect()
      """
    ])
    #expect(done.termination == .exited(0), "\(done.standardError.text)")
    return done.standardOutput.text.split(separator: "\n").map(String.init)
  }

  /// Each number that it reads of the recording that the driver has made is the driver's, to the last digit.
  @Test(.enabled(if: hasClient, "needs otii-tcp-client, scripts/capture-tools"))
  func itReadsTheSameSamples() async throws {
    let (otii, server) = try OtiiMeterTests.serve()
    let meter = try await OtiiMeterTests.open(
      server, OtiiMeterTests.supply.merging(["keep-recording": true]) { $1 })
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2000))
    _ = await meter.stop(until: soon)
    await meter.close()
    let lines = try await Self.python(
      server,
      """
      recording = project.get_last_recording()
      for channel in ['mc', 'mv']:
          count = recording.get_channel_data_count(device.id, channel)
          data = recording.get_channel_data(device.id, channel, 0, count)
          assert data['timestamp'] == 0
          print(data['interval'], *[value.hex() for value in data['values']])
      """)
    try #require(lines.count == 2)
    for (place, line) in lines.enumerated() {
      let words = line.split(separator: " ").map(String.init)
      #expect(words.first == (place == 0 ? "0.00025" : "0.001"))
      let scale = meter.channels[place].scale
      let theirs = words.dropFirst().compactMap { Double($0) }.map { Int64(($0 / scale).rounded()) }
      #expect(theirs.count >= 500 && theirs == sink.codes(place))
    }
    #expect(otii.now.holders == [""])
  }

  /// What it does by the documented example works at the simulator, and is seen by the driver's settings as done.
  @Test(.enabled(if: hasClient, "needs otii-tcp-client, scripts/capture-tools"))
  func itControlsTheSimulator() async throws {
    let (otii, server) = try OtiiMeterTests.serve()
    let lines = try await Self.python(
      server,
      """
      import time
      device.add_to_project()
      device.set_main_voltage(3.7)
      device.set_max_current(0.5)
      device.enable_channel('mc', True)
      device.set_main(True)
      project.start_recording()
      time.sleep(0.4)
      project.stop_recording()
      device.set_main(False)
      recording = project.get_last_recording()
      info = recording.get_channel_info(device.id, 'mc')
      print(device.get_main_voltage(), device.get_max_current(), device.get_main())
      print(device.get_version()['fw_version'], info['sample_rate'], info['to'])
      """)
    #expect(lines.first == "3.7 0.5 False")
    #expect(lines.last?.hasPrefix("2.0.4 4000 0.") == true)
    let now = otii.now
    #expect(now.unknown.isEmpty && now.recordings.count == 1 && now.holders == [""])
  }
}
