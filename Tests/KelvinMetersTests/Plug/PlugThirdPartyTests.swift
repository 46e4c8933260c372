import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Clients that others wrote (ShellyPy and tasmota-http, PyPI) read the simulated plugs, and agree with the driver.
@Suite(.timeLimit(.minutes(2)))
struct PlugThirdPartyTests {
  static let hasClients = ["ShellyPy", "tasmota_http"].allSatisfy {
    FileManager.default.fileExists(
      atPath: "\(SCPIThirdPartyTests.root)/.build/capture-tools/\($0)")
  }

  @Test(
    .enabled(if: hasClients, "needs ShellyPy and tasmota-http, scripts/capture-tools"),
    arguments: PlugMeterTests.models)
  func theyReadTheSame(model: SimulatedPlug.Model) async throws {
    // One conversion for all of the test.
    let (_, server) = try PlugMeterTests.serve(model, update: 3600)
    let script =
      switch model {
      case .tasmota:
        """
        from tasmota_http import TasmotaClient
        answer = TasmotaClient('127.0.0.1:\(server.address)').status(8)['StatusSNS']['ENERGY']
        print(answer['Power'], answer['Total'] * 3.6e6)
        """
      default:
        """
        import ShellyPy
        plug = ShellyPy.Shelly('127.0.0.1', port='\(server.address)')
        if '\(model)' == 'shelly1':
            meter = plug.meter(0)
            print(meter['power'], meter['total'] * 60)
        else:
            status = plug.relay(0)
            print(status['apower'], status['aenergy']['total'] * 3600)
        """
      }
    let done = try await SCPIThirdPartyTests.run([
      "env", "PYTHONPATH=\(SCPIThirdPartyTests.root)/.build/capture-tools", "python3", "-c", script
    ])
    let theirs = done.standardOutput.text.split(separator: " ").compactMap {
      Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
    }
    try #require(theirs.count == 2, "\(done.standardError.text)")
    let meter = try await PlugMeterTests.open(
      server, model, ["read": .list(["power", "energy"]), "update": .number(3600)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2))
    _ = await meter.stop(until: soon)
    await meter.close()
    for (channel, value) in theirs.enumerated() {
      let scale = meter.channels[channel].scale
      #expect(Set(sink.codes(channel)) == [Int64((value / scale).rounded())])
    }
    #expect(theirs[0] == 4)
  }
}
