import Foundation
import KelvinConnections
import KelvinModel
import KelvinSimulators
import KelvinSystem
import Testing

@testable import KelvinMeters

/// Whether this machine can emulate USB devices.
private enum Gadgets {
  static let programs = ProcessInfo.processInfo.environment["KELVIN_GADGETS"] ?? ""
  static let areThere = !programs.isEmpty && access("/sys/class/udc/dummy_udc.0", F_OK) == 0
}

/// A PPK2 behind the kernel's own USB: a gadget with its ids and the real cdc_acm driver, found by udev.
@Suite(
  .serialized, .timeLimit(.minutes(4)),
  .enabled(
    if: Gadgets.areThere, "needs USB gadgets: runs in the bench host"))
final class PPK2OnBenchHost {
  static let gadget = "kelvin-ppk2"
  private static let create = """
    gadget_create \(gadget) 0x1915 0xc00a PPK2-0001 'Nordic Semiconductor' PPK2
    gadget_function \(gadget) acm.ppk2
    """
  private let port: String

  init() throws {
    // One that a failed test left behind.
    try Self.shell("gadget_remove \(Self.gadget)")
    try Self.shell(Self.create)
    let folder = "/sys/kernel/config/usb_gadget/\(Self.gadget)/functions/acm.ppk2/"
    let number = try String(contentsOfFile: folder + "port_num", encoding: .utf8)
    port = "/dev/ttyGS" + number.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  deinit { try? Self.shell("gadget_remove \(Self.gadget)") }

  private static func shell(_ words: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-ec", ". \(Gadgets.programs)/configfs.sh\n\(words)"]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(words)")
  }

  private func plug() throws { try Self.shell("gadget_plug \(Self.gadget) dummy_udc.0") }
  private func unplug() throws { try Self.shell("gadget_unplug \(Self.gadget)") }

  private var search: [FoundMeter] {
    get async throws {
      try await PPK2Driver().find(through: LocalConnection(), until: .after(seconds: 30))
    }
  }

  /// The meter, as what was found says.
  private func open() async throws -> any Meter {
    let deadline = Deadline.after(seconds: 60)
    var found = try await search.first
    while found == nil || found?.obstacle != nil {
      try #require(!deadline.hasPassed, "\(String(describing: found))")
      _ = deadline.limited(toSeconds: 0.1).wait()
      found = try await search.first
    }
    let meter = try #require(found)
    #expect(meter.name == "ppk2/PPK2-0001" && meter.summary.contains("Nordic"))
    var options = meter.options
    options.merge(["mode": .text("source"), "voltage": .text("3.3 V"), "settle": .number(6)]) {
      $1
    }
    return try await PPK2Driver().open(
      name: meter.name, options: options, through: LocalConnection(), until: .after(seconds: 30))
  }

  /// No value that the board cannot have drawn, in their order. An emulated machine is too slow for such a
  /// device, which loses most of what it measures.
  private func check(_ sink: CollectingSink) {
    let wave = PPK2Waveform(PPK2Unit(), volts: 3.3)
    let greatest = (wave.truth.max() ?? 0) * 1.1
    let codes = sink.codes(0)
    #expect(codes.allSatisfy { abs(Double($0)) * 1e-8 <= greatest })
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test func isFoundMeasuresAndComesBackWhenItWasUnplugged() async throws {
    var device = try SimulatedPPK2(at: port)
    try plug()
    var meter = try await open()
    #expect(meter.identity.location.hasPrefix("/dev/ttyACM"))
    #expect(meter.identity.serial == "PPK2-0001")
    var sink = CollectingSink()
    try await meter.start(into: sink, until: .after(seconds: 30))
    #expect(sink.wait(for: 20_000, seconds: 60))

    // Pulled while it measures: what came before is there, and why it ended.
    try unplug()
    let limit = Deadline.after(seconds: 20)
    let location = meter.identity.location
    while access(location, F_OK) == 0, !limit.hasPassed { _ = limit.limited(toSeconds: 0.1).wait() }
    // The kernel has told its readers before the port's name went.
    _ = limit.limited(toSeconds: 0.5).wait()
    var summary = await meter.stop(until: .after(seconds: 20))
    #expect(summary.failure?.code == .gone, "\(String(describing: summary.failure))")
    #expect(summary.samples[0] >= 20_000)
    check(sink)
    await meter.close()
    device.stop()
    #expect(try await search.isEmpty)

    // Plugged in again it is the same one.
    device = try SimulatedPPK2(at: port)
    try plug()
    meter = try await open()
    sink = CollectingSink()
    try await meter.start(into: sink, until: .after(seconds: 30))
    #expect(sink.wait(for: 10_000, seconds: 60))
    summary = await meter.stop(until: .after(seconds: 20))
    #expect(summary.failure == nil, "\(String(describing: summary.failure))")
    check(sink)
    await meter.close()
    try PPK2MeterTests.wait("switched off") { !device.record.isConnected }
    device.stop()
    print("ppk2 over USB: \(summary.samples[0]) samples, lost \(summary.lost)")
  }
}
