import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// The driver against a simulated hub with a Yocto-Watt, whose conversions are known.
@Suite(.timeLimit(.minutes(2)))
struct YoctopuceTests {
  static func open(
    _ hub: SimulatedYoctoHub, _ more: [String: Value] = [:]
  ) async throws -> any Meter {
    var options: [String: Value] = [
      "host": "127.0.0.1", "port": .integer(Int64(hub.port)), "patience": .number(1),
      "rate": .number(50)
    ]
    options.merge(more) { $1 }
    return try await YoctopuceDriver().open(
      name: "watt", options: options, through: LocalConnection(), until: soon)
  }

  /// As the library rounds: to thousandths.
  static func codes() -> Set<Int64> {
    Set((0..<10).map { Int64((YoctoModule.power($0) * 1000).rounded()) })
  }

  @Test func measuresWhatTheModuleConverts() async throws {
    let hub = try SimulatedYoctoHub()
    let meter = try await Self.open(hub)
    #expect(meter.identity.serial == YoctoModule.serial && meter.identity.model == "Yocto-Watt")
    #expect(meter.channels.map(\.name) == ["power"] && meter.channels[0].unit == "W")
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 40))
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure == nil && summary.lost == 0)
    #expect(Set(sink.codes(0)).isSubset(of: Self.codes()) && Set(sink.codes(0)).count > 3)
    #expect(sink.events.contains { $0.kind == .repeats })
  }

  @Test func readsOtherSensorsAndTheCounter() async throws {
    let hub = try SimulatedYoctoHub()
    let meter = try await Self.open(
      hub, ["sensors": .list(["power", "voltage1", "current1"]), "counter": true])
    #expect(meter.channels.map(\.name) == ["power", "power-energy", "voltage1", "current1"])
    // At the mains voltage times current is no power.
    #expect(Set(meter.channels.map(\.site)) == ["", "voltage1", "current1"])
    #expect(meter.channels[3].unit == "A")
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 20))
    _ = await meter.stop(until: soon)
    await meter.close()
    // A tenth of a watt-hour at its begin.
    let energy = Double(sink.codes(1).first ?? 0) * meter.channels[1].scale
    #expect((360...372).contains(energy), "\(energy)")
    #expect(sink.codes(2).allSatisfy { $0 == 230_000 })
    let power = Double(sink.codes(0)[0]) * meter.channels[0].scale
    let current = Double(sink.codes(3)[0]) * meter.channels[3].scale
    #expect(abs(power - 230 * current) < 1e-3)
  }

  @Test(arguments: [
    (DeviceFault.cut, MeterFailure.Code.gone), (.half, .timedOut), (.silent, .timedOut),
    (.garbage, .malfunction), (.otherDevice, .malfunction)
  ])
  func whatCameBeforeTheEndIsKept(fault: DeviceFault, code: MeterFailure.Code) async throws {
    let hub = try SimulatedYoctoHub()
    let meter = try await Self.open(hub, ["patience": .number(0.5)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    hub.fault = fault
    _ = Deadline.after(seconds: 5).ended(with: meter).wait()
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure?.code == code, "\(String(describing: summary.failure))")
    #expect(summary.failure?.message.contains("watt: 127.0.0.1:\(hub.port)") == true)
    #expect(Set(sink.codes(0)).isSubset(of: Self.codes()))
  }

  @Test func aModuleThatIsUnpluggedEndsIt() async throws {
    let hub = try SimulatedYoctoHub()
    let meter = try await Self.open(hub)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    hub.isPlugged = false
    _ = Deadline.after(seconds: 5).ended(with: meter).wait()
    let summary = await meter.stop(until: soon)
    await meter.close()
    #expect(summary.failure?.code == .notFound && sink.codes(0).count >= 10)
    let again = await meterFailure { _ = try await Self.open(hub) }
    #expect(again?.code == .notFound)
    let named = await meterFailure {
      _ = try await Self.open(hub, ["serial": .text(YoctoModule.serial)])
    }
    #expect(named?.code == .notFound)
  }

  @Test func whatItDoesNotHaveIsRefused() async throws {
    let hub = try SimulatedYoctoHub()
    for (options, code) in [
      (["sensors": .list(["power9"])], MeterFailure.Code.notFound),
      (["serial": "../etc"], .invalid), (["serial": "OTHER-1"], .notFound)
    ] as [([String: Value], MeterFailure.Code)] {
      let failure = await meterFailure { _ = try await Self.open(hub, options) }
      #expect(failure?.code == code, "\(options): \(String(describing: failure))")
    }
    hub.fault = .otherDevice
    let failure = await meterFailure { _ = try await Self.open(hub) }
    #expect(failure?.code == .malfunction)
  }

  /// Numbers are in 1/65,536, and mean thousandths.
  @Test func readsNumbersAsTheLibraryDoes() {
    #expect(YoctoReading.number(.integer(360_448)) == 5.5)
    #expect(YoctoReading.number(.integer(-66)) == -0.001)
    #expect(YoctoReading.number(.integer(65_503)) == 0.999)
    let module = Value(
      json: """
        {"module":{"serialNumber":"A"},"power":{"unit":"W","currentValue":360448,"meter":81920},
        "current2":{"unit":"mA","currentValue":-2147483648},"voltage1":{"currentValue":1},"powerOutput":{"unit":"V"},
        "temperature":{"unit":"C","currentValue":65536}}
        """)?.map
    let sensors = YoctoReading.sensors(module ?? [:])
    #expect(sensors.map(\.id) == ["current2", "power"])
    #expect(sensors[0].value == nil && sensors[1].value == 5.5 && sensors[1].energy == 1.25)
  }

  static let hasLibrary = FileManager.default.fileExists(
    atPath: "\(SCPIThirdPartyTests.root)/.build/capture-tools/yoctopuce")

  /// Yoctopuce's own library finds the simulated module and reads what the driver reads, to the last digit.
  @Test(.enabled(if: hasLibrary, "needs yoctopuce, scripts/capture-tools"))
  func yoctopucesLibraryAgrees() async throws {
    let hub = try SimulatedYoctoHub(YoctoModule(isFrozen: true))
    let done = try await SCPIThirdPartyTests.run([
      "env", "PYTHONPATH=\(SCPIThirdPartyTests.root)/.build/capture-tools", "python3", "-c",
      """
      from yoctopuce.yocto_api import *
      from yoctopuce.yocto_power import *
      from yoctopuce.yocto_current import *
      problem = YRefParam()
      assert YAPI.RegisterHub('http://127.0.0.1:\(hub.port)', problem) == YAPI.SUCCESS, problem.value
      power, current = YPower.FirstPower(), YCurrent.FirstCurrent()
      print(power.get_hardwareId(), power.get_currentValue(), power.get_meter(), current.get_currentValue())
      YAPI.FreeAPI()
      """
    ])
    let words = done.standardOutput.text.split(separator: " ").map {
      $0.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    try #require(words.count == 4, "\(done.standardError.text) \(done.standardOutput.text)")
    #expect(words[0] == "\(YoctoModule.serial).power")
    let meter = try await Self.open(hub, ["sensors": .list(["power", "current1"]), "counter": true])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 2))
    _ = await meter.stop(until: soon)
    await meter.close()
    // Thousandths of a watt, of a watt-hour, of a milliampere.
    let theirs = words.dropFirst().compactMap { Double($0) }.map { Int64(($0 * 1000).rounded()) }
    #expect((0..<3).map { sink.codes($0).first } == theirs)
  }
}
