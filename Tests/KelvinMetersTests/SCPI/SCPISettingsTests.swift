import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What is set at a supply, and what becomes of it.
@Suite(.timeLimit(.minutes(1)))
struct SCPISettingsTests {
  static let supply: [String: Value] = [
    "voltage": .number(3.3), "current-limit": .number(0.5), "max-voltage": .number(3.6),
    "output": "on"
  ]

  static func measure(_ meter: any Meter, count: Int = 3) async throws -> CaptureSummary {
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: count))
    return await meter.stop(until: soon)
  }

  @Test(arguments: [SCPIModel.n6705, .dp832, .spd3303, .ngm202, .hmc8043, .generic])
  func isSetWhenItMeasuresAndPutBackAtTheEnd(model: SCPIModel) async throws {
    let server = try SCPIMeterTests.server(model, volts: nil)
    var options = Self.supply
    if model != .spd3303 {
      options["over-voltage"] = .number(4)
      options["over-current"] = .number(model == .dp832 ? 0.6 : 0.5)
    }
    let before = server.instrument.now.outputs
    let meter = try await SCPIMeterTests.open(server, options)
    #expect(server.instrument.now.outputs == before)
    let summary = try await Self.measure(meter)
    #expect(summary.failure == nil, "\(String(describing: summary.failure))")
    let output = server.instrument.now.outputs[0]
    #expect(output.isOn && output.voltage == 3.3 && output.currentLimit == 0.5)
    if model != .spd3303 {
      #expect(output.overVoltage == 4 && output.overCurrentIsOn)
      #expect(output.overCurrent == (model == .dp832 ? 0.6 : 3.3))
    }
    // It was told, protections first and the output last.
    let settings = server.instrument.now.settings
    #expect(settings.last?.contains("OUTP") == true, "\(settings)")
    let said = summary.counts["set"]?.list?.compactMap(\.text) ?? []
    #expect(said.contains("channel 1: output on, was off"), "\(said)")
    #expect(said.contains("channel 1: voltage 3.3 V, was 0.0 V"), "\(said)")
    let status = try await meter.status(until: soon)
    #expect(status.contains { $0.name == "at its end" && $0.value == "restore" })
    // A second measurement changes nothing any more.
    #expect(try await Self.measure(meter).failure == nil)
    #expect(server.instrument.now.settings == settings)
    await meter.close()
    #expect(server.instrument.now.outputs == before)
    #expect(server.instrument.now.unknown.isEmpty, "\(server.instrument.now.unknown)")
    #expect(server.instrument.now.errors.isEmpty)
  }

  @Test func isLeftWhenThatIsAskedFor() async throws {
    for (ending, isOn) in [("leave", true), ("off", false)] {
      let server = try SCPIMeterTests.server(.dp832, volts: nil)
      var options = Self.supply
      options["at-end"] = .text(ending)
      let meter = try await SCPIMeterTests.open(server, options)
      _ = try await Self.measure(meter)
      await meter.close()
      let output = server.instrument.now.outputs[0]
      #expect(output.isOn == isOn && output.voltage == 3.3, "\(ending)")
    }
  }

  /// What stands on the instrument must be within the limits, too, before it is switched on.
  @Test func neverSwitchesOnMoreThanTheBoardTakes() async throws {
    let server = try SCPIMeterTests.server(.dp832, volts: nil)
    let first = try await SCPIMeterTests.open(
      server, ["voltage": .number(12), "at-end": "leave"])
    _ = try await Self.measure(first)
    await first.close()
    let meter = try await SCPIMeterTests.open(
      server, ["output": "on", "max-voltage": .number(3.6)])
    let failure = await meterFailure { _ = try await Self.measure(meter) }
    #expect(failure?.code == .invalid && failure?.message.contains("12.0 V") == true)
    await meter.close()
    #expect(!server.instrument.now.outputs[0].isOn)
  }

  @Test func whatItDoesNotTakeIsToldAndUndone() async throws {
    var faults = SCPIFaults()
    faults.oldErrors = 3
    let server = try SCPIMeterTests.server(.dp832, faults, volts: nil)
    let meter = try await SCPIMeterTests.open(
      server, ["voltage": .number(40), "current-limit": .number(0.2)])
    let failure = await meterFailure { _ = try await Self.measure(meter) }
    #expect(failure?.code == .malfunction)
    #expect(failure?.evidence.contains("-222") == true, "\(String(describing: failure))")
    // Not those of a predecessor.
    #expect(failure?.evidence.contains("-410") == false)
    let output = server.instrument.now.outputs[0]
    #expect(output.currentLimit == 1 && output.voltage == 0)
    await meter.close()
    // One that takes nothing, without a word.
    faults.isDeaf = true
    let deaf = try SCPIMeterTests.server(.hmc8043, faults, volts: nil)
    let other = try await SCPIMeterTests.open(deaf, ["voltage": .number(3)])
    let silent = await meterFailure { _ = try await Self.measure(other) }
    #expect(silent?.code == .malfunction && silent?.message.contains("voltage is 0.0 V") == true)
    await other.close()
  }

  @Test func whatItCannotProtectIsRefused() async throws {
    let siglent = try SCPIMeterTests.server(.spd3303, volts: nil)
    let meter = try await SCPIMeterTests.open(siglent, ["over-voltage": .number(4)])
    #expect(await meterFailure { _ = try await Self.measure(meter) }?.code == .unsupported)
    await meter.close()
    let keysight = try SCPIMeterTests.server(.n6705, volts: nil)
    let other = try await SCPIMeterTests.open(
      keysight, ["over-current": .number(0.4), "current-limit": .number(0.5)])
    #expect(await meterFailure { _ = try await Self.measure(other) }?.code == .unsupported)
    await other.close()
    #expect(keysight.instrument.now.outputs[0] == SCPIInstrument.Output())
  }

  /// A lower protection would trip at the voltage that there was: then the voltage goes first.
  @Test func aLowerProtectionDoesNotTrip() async throws {
    let server = try SCPIMeterTests.server(.n6705, volts: 12)
    let meter = try await SCPIMeterTests.open(
      server, ["voltage": .number(3.3), "over-voltage": .number(4)])
    #expect(try await Self.measure(meter).failure == nil)
    #expect(
      server.instrument.now.outputs[0].isOn && server.instrument.now.outputs[0].overVoltage == 4)
    await meter.close()
    #expect(server.instrument.now.outputs[0].isOn && server.instrument.now.outputs[0].voltage == 12)
    #expect(server.instrument.now.errors.isEmpty)
  }

  @Test func isSetByHandWithinTheLimits() async throws {
    let server = try SCPIMeterTests.server(.dp832, volts: nil)
    let meter = try await SCPIMeterTests.open(server, ["max-voltage": .number(3.6)])
    for (name, value) in [
      ("voltage", "4 V"), ("voltage", "lots"), ("color", "red"), ("output", "on")
    ] {
      let failure = await meterFailure {
        try await meter.set([MeterSetting(name, .text(value))], until: soon)
      }
      #expect(failure?.code == .invalid, "\(name) \(value)")
    }
    #expect(server.instrument.now.settings.isEmpty)
    try await meter.set(
      [MeterSetting("voltage", .text("3 V")), MeterSetting("output", .boolean(true))], until: soon)
    #expect(server.instrument.now.outputs[0].isOn && server.instrument.now.outputs[0].voltage == 3)
    try await meter.set([MeterSetting("output", .boolean(false))], until: soon)
    #expect(!server.instrument.now.outputs[0].isOn)
    await meter.close()
    #expect(server.instrument.now.outputs[0] == SCPIInstrument.Output())
    // It was not switched on again on the way back.
    #expect(server.instrument.now.settings.count { $0.hasSuffix("OUTP ON") } == 1)
  }

  /// What was set by hand is not taken back by what the bench file says.
  @Test func byHandGoesBeforeTheBenchFile() async throws {
    let server = try SCPIMeterTests.server(.hmc8043, volts: nil)
    let meter = try await SCPIMeterTests.open(server, Self.supply)
    try await meter.set([MeterSetting("voltage", .text("3 V"))], until: soon)
    #expect(try await Self.measure(meter).failure == nil)
    #expect(server.instrument.now.outputs[0].voltage == 3 && server.instrument.now.outputs[0].isOn)
    await meter.close()
    #expect(server.instrument.now.outputs[0] == SCPIInstrument.Output())
  }

  /// A connection that is lost does not keep it from being put back.
  @Test func isPutBackOverANewConnection() async throws {
    var faults = SCPIFaults()
    faults.events[5] = .cut
    let server = try SCPIMeterTests.server(.hmc8043, faults, volts: nil)
    let meter = try await SCPIMeterTests.open(server, Self.supply)
    #expect(try await Self.measure(meter, count: 2).failure?.code == .gone)
    #expect(server.instrument.now.outputs[0].isOn)
    await meter.close()
    #expect(server.instrument.now.outputs[0] == SCPIInstrument.Output())
  }

  /// Looking at an instrument switches nothing off.
  @Test func onlyLookingChangesNothing() async throws {
    let server = try SCPIMeterTests.server(.dp832)
    let meter = try await SCPIMeterTests.open(server, ["at-end": "off", "voltage": .number(3)])
    _ = try await meter.status(until: soon)
    await meter.close()
    #expect(server.instrument.now.settings.isEmpty && server.instrument.now.outputs[0].isOn)
  }

  @Test func aMultimetersFunctionIsToldToBeLeft() async throws {
    let server = try SCPIMeterTests.server(.sdm3055)
    let meter = try await SCPIMeterTests.open(server)
    let summary = try await Self.measure(meter)
    #expect(server.instrument.now.function == .current)
    let said = summary.counts["set"]?.list?.compactMap(\.text) ?? []
    #expect(said == ["its function: CONF:CURR:DC"])
    await meter.close()
  }
}
