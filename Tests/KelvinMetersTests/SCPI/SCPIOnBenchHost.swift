import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Synchronization
import Testing

@testable import KelvinMeters

/// A simulated supply on USB (hardware/virtual-bench/gadgets/usbtmc.c), plugged in while this lives.
final class SCPIGadget: Sendable {
  private let gadget: RawGadget

  init() throws {
    gadget = try RawGadget(["usbtmc"], serial: "VB0001", device: { Self.device })
  }

  func unplug() { gadget.unplug() }
  func freeze() { gadget.freeze() }

  static var device: USBDeviceInfo? {
    USBDeviceInfo.all().first { $0.vendorID == 0x1209 && $0.productID == 2 }
  }

  /// What it was told.
  var record: [String] { gadget.record.filter { $0 != "running" && $0 != "configured" } }

  static func open(_ more: [String: Value] = [:]) async throws -> any Meter {
    var options: [String: Value] = [
      "match": .map(["ID_SERIAL_SHORT": .text("VB0001")]), "settle": .number(0)
    ]
    options.merge(more) { $1 }
    return try await SCPIDriver().open(
      name: "psu", options: options, through: LocalConnection(), until: soon)
  }
}

/// Supplies on USB, through libusb and the kernel.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct SCPIOnBenchHost {
  /// Its current grows by a tenth of a milliampere with each answer: each of them is there, once.
  @Test func measuresAndSetsOverUSB() async throws {
    let gadget = try SCPIGadget()
    let meter = try await SCPIGadget.open(["voltage": .number(3.3), "max-voltage": .number(3.6)])
    #expect(meter.identity.model == "Kelvin PSU-1" && meter.identity.location.contains("VB0001"))
    #expect(gadget.record.isEmpty)
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 40))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil && summary.lost == 0, "\(String(describing: summary.failure))")
    let codes = sink.codes(1)
    #expect(codes == codes.indices.map { 1_000_000_000 + Int64($0) * 1_000_000 })
    #expect(sink.codes(0).allSatisfy { $0 == 33_000_000 })
    await meter.close()
    #expect(gadget.record == ["volts 3.300", "volts 5.000"])
  }

  /// A block that comes in several answers, each with a header of its own.
  @Test func joinsTheAnswersOfABlock() async throws {
    let gadget = try SCPIGadget()
    let place = SCPIPlace.usb(try #require(DeviceMatch(.map(["ID_SERIAL_SHORT": .text("VB0001")]))))
    let session = try await place.session(of: "psu", until: soon)
    for count in [1, 17, 999, 2345, 4321] {
      let bytes = try session.block("DATA? \(count)", limit: 8000, until: soon)
      #expect(bytes == (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }, "\(count)")
    }
    #expect(try session.errors("SYST:ERR?", until: soon).isEmpty)
    // What is never answered ends in time, and does not hinder the next connection.
    let failure = await meterFailure {
      _ = try session.ask("HUSH?", until: .after(seconds: 1))
    }
    #expect(failure?.code == .timedOut && failure?.message.contains("psu: USB") == true)
    _ = consume session
    let again = try await place.session(of: "psu", until: soon)
    #expect(try again.identity(until: soon).model == "PSU-1")
    #expect(gadget.record == ["hush"])
  }

  @Test(arguments: [true, false])
  func whatCameBeforeTheEndIsKept(isUnplugged: Bool) async throws {
    let gadget = try SCPIGadget()
    let meter = try await SCPIGadget.open(["patience": .number(1.5)])
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 10))
    // It ends at once, or when patience does.
    if isUnplugged { gadget.unplug() } else { gadget.freeze() }
    usleep(isUnplugged ? 500_000 : 2_500_000)
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == (isUnplugged ? .gone : .timedOut))
    #expect(summary.failure?.message.contains("psu") == true)
    let codes = sink.codes(1)
    #expect(codes.count >= 10 && summary.samples[1] == Int64(codes.count))
    #expect(codes == codes.indices.map { 1_000_000_000 + Int64($0) * 1_000_000 })
    gadget.unplug()
    await meter.close()
    let nobody = await meterFailure { _ = try await SCPIGadget.open() }
    #expect(nobody?.code == .notFound)
  }

  static let tools = "\(SCPIThirdPartyTests.root)/.build/capture-tools"
  static let hasClient = ["usb", "usbtmc"].allSatisfy {
    FileManager.default.fileExists(atPath: "\(tools)/\($0)")
  }

  /// python-usbtmc reads the same numbers and the same block by its own headers.
  @Test(.enabled(if: hasClient, "needs python-usbtmc and pyusb, scripts/capture-tools"))
  func pythonUSBTMCReadsIt() async throws {
    let gadget = try SCPIGadget()
    let done = try await SCPIThirdPartyTests.run([
      "env", "PYTHONPATH=\(Self.tools)", "python3", "-S", "-c",
      """
      import os, usbtmc
      psu = usbtmc.Instrument(0x1209, 2)
      print(psu.ask('*IDN?'))
      print(*[psu.ask('MEAS:CURR?') for _ in range(5)])
      print(psu.ask_raw(b'DATA? 2000')[:11].hex(), flush=True)
      os._exit(0)
      """
    ])
    #expect(
      done.standardOutput.text.split(separator: "\n") == [
        "Kelvin,PSU-1,VB0001,1.0", "0.1000 0.1001 0.1002 0.1003 0.1004",
        "23343230303000070e151c"
      ], "\(done.standardError.text)")
    #expect(gadget.record.isEmpty)
  }
}
