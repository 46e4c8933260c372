import Foundation
import KelvinConnections
import KelvinDevices
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinMeters

/// A FNIRSI tester on the wire, driven as a true one.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct FNIRSIOnBenchHost {
  private var soon: Deadline { .after(seconds: 30) }

  static var device: USBDeviceInfo? {
    USBDeviceInfo.all().first { FNIRSIModel(vendor: $0.vendorID, product: $0.productID) != nil }
  }

  static func plug(_ words: String = "", as model: String = "fnb58") throws -> RawGadget {
    try RawGadget(
      [model, "--speed", "full", "--with", words], serial: "FN1", device: { device },
      // The kernel's HID driver has taken it.
      isReady: { device in
        FileManager.default.fileExists(atPath: "\(device.syspath)/\(device.name):1.0/driver")
      })
  }

  static func open(_ options: [String: Value] = [:]) async throws -> any Meter {
    try await FNIRSIDriver().open(
      name: "f", options: options, through: LocalConnection(), until: .after(seconds: 30))
  }

  /// What it was told, in this order.
  static func told(_ gadget: RawGadget) -> [String] {
    gadget.record.compactMap { $0.hasPrefix("told ") ? String($0.dropFirst(5)) : nil }
  }

  /// Samples that are not what was sent under their number.
  static func madeUp(_ sink: CollectingSink) -> Int {
    let (volts, amperes) = (sink.codes(0), sink.codes(1))
    return sink.codes(2).enumerated().count { place, number in
      let current = (number % 100 < 60 ? 30_000 : 100_000) + number % 100
      return amperes[place] != current || volts[place] != 510_000 - current / 20
    }
  }

  /// The numbers of samples that were not given out between the first and the last.
  static func missing(_ sink: CollectingSink) -> [Int64] {
    let numbers = sink.codes(2)
    guard let first = numbers.first, let last = numbers.last else { return [] }
    return (first...last).filter { !numbers.contains($0) }
  }

  /// Losses, and reports that are damaged, are gaps at their places; it goes on for longer than it was told once.
  @Test func measures() async throws {
    let gadget = try Self.plug("drop=30:2,damage=45")
    let found = try await FNIRSIDriver().find(through: LocalConnection(), until: soon)
    #expect(found.map(\.name) == ["fnirsi/FN1"] && found[0].obstacle == nil)
    let meter = try await Self.open(["match": found[0].options["match"] ?? .null])
    #expect(meter.identity.model == "FNB58" && meter.identity.serial == "FN1")
    #expect(meter.identity.verified == "simulator only" && meter.rate == 100)
    // Opening it tells it nothing; nobody else can have it meanwhile.
    #expect(Self.told(gadget).isEmpty)
    let second = await meterFailure { _ = try await Self.open() }
    #expect(second?.code == .busy, "\(String(describing: second))")
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(sink.wait(for: 200, seconds: 30))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure == nil, "\(summary)")
    #expect(Self.madeUp(sink) == 0)
    #expect(Self.missing(sink) == Array(120..<128) + Array(180..<184))
    let gaps = sink.events.filter { $0.kind == .gap }
    // Each at its place. An emulated machine that is starved may be late for a second on end, once.
    let counts = gaps.compactMap(\.count)
    #expect(counts.contains(8) && counts.contains(4) && counts.count <= 3, "\(sink.events)")
    #expect(summary.lost == counts.reduce(0, +))
    #expect(summary.counts["damaged reports"] == .integer(1))
    #expect(sink.codes(4).allSatisfy { $0 == 311 })
    let times = sink.times()
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
    // Three seconds, by the host's clock.
    let (span, steps) = (times.last! - times[0], sink.codes(2).last! - sink.codes(2)[0])
    #expect(abs(Double(span) / 1e7 - Double(steps)) < 4, "\(span) ns, \(steps)")
    #expect(Array(Self.told(gadget).prefix(4)) == ["81", "82", "82", "83"])
    #expect(!gadget.record.contains { $0.hasPrefix("torn") })
    // Once more.
    let again = CollectingSink()
    try await meter.start(into: again, until: soon)
    #expect(again.wait(for: 8))
    #expect(await meter.stop(until: soon).failure == nil && Self.madeUp(again) == 0)
    await meter.close()
    let after = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(after?.code == .gone)
    // The kernel's driver has it again.
    #expect(
      RawGadget.wait {
        guard let device = Self.device else { return false }
        return SmallFile.realPath("\(device.syspath)/\(device.name):1.0/driver")?.hasSuffix(
          "usbhid") == true
      })
  }

  /// An older one, which is told to go on with each report.
  @Test func unpluggedItKeepsWhatCame() async throws {
    let gadget = try Self.plug("unplug=30", as: "fnb48")
    let meter = try await Self.open()
    #expect(meter.identity.model == "FNB48")
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(TesterMeterTests.isOver(meter))
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .gone && summary.failure?.message.hasPrefix("f: ") == true)
    #expect(sink.codes(0).count == 116 && summary.samples[0] == 116 && Self.madeUp(sink) == 0)
    #expect(Self.told(gadget).count { $0 == "83" } > 4)
    await meter.close()
  }

  @Test func withoutChecksumsItIsReadWhenItIsAskedFor() async throws {
    let gadget = try Self.plug("no-sum")
    let meter = try await Self.open()
    let sink = CollectingSink()
    let failure = await meterFailure { try await meter.start(into: sink, until: soon) }
    #expect(failure?.code == .malfunction, "\(String(describing: failure))")
    #expect(failure?.hint.contains("checksum: false") == true && sink.codes(0).isEmpty)
    await meter.close()
    let other = try await Self.open(["checksum": .boolean(false)])
    try await other.start(into: sink, until: soon)
    #expect(sink.wait(for: 4))
    #expect(await other.stop(until: soon).failure == nil && Self.madeUp(sink) == 0)
    await other.close()
    gadget.unplug()
  }

  @Test func silentItIsToldAnewAndGivenUp() async throws {
    let gadget = try Self.plug("silent=25")
    let meter = try await Self.open()
    let sink = CollectingSink()
    try await meter.start(into: sink, until: soon)
    #expect(TesterMeterTests.isOver(meter))
    #expect(RawGadget.wait { Self.told(gadget).count { $0 == "82" } > 3 })
    let summary = await meter.stop(until: soon)
    #expect(summary.failure?.code == .timedOut, "\(summary)")
    #expect(sink.codes(0).count == 96 && Self.madeUp(sink) == 0)
    await meter.close()
  }

  /// Who logs with it otherwise reads the same numbers.
  @Test(
    .enabled(
      if: FileManager.default.fileExists(
        atPath: "\(MonsoonThirdPartyOnBenchHost.root)/.build/capture-tools/usb_multimeter"),
      "needs usb-multimeter, scripts/capture-tools"))
  func usbMultimeterAgrees() throws {
    let gadget = try Self.plug()
    let result = try #require(
      PPK2ThirdPartyTests.python(
        """
        import sys
        sys.dont_write_bytecode = True
        import usb.core
        # The emulated device cannot be reset.
        usb.core.Device.reset = lambda self: None
        from usb_multimeter import all_devices, USBMeter
        class Log:
            values = []
            def log(self, measurements):
                self.values += measurements
            def should_stop(self):
                return len(self.values) >= 40
        log = Log()
        device = next(all_devices())
        meter = USBMeter(USBMeter.Config(device, log, use_crc=True))
        # What the device still sends is nobody's.
        meter._drain_buffer = lambda: None
        meter.setup_device()
        meter.run(log)
        print(device.device_info.model.name, device.serial_number)
        for value in log.values:
            print(repr(value.voltage), repr(value.current), repr(value.dp), repr(value.dn))
        """))
    try #require(result.status == 0, "\(result.output)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.first == "FNB58 FN1")
    let values = lines.dropFirst().map { $0.split(separator: " ").compactMap { Double($0) } }
    try #require(values.count >= 40)
    for (number, theirs) in values.enumerated() {
      // The driver's decoder of the same sample: its codes are what `madeUp` compares with.
      let current = (number % 100 < 60 ? 30_000 : 100_000) + number % 100
      let codes = [510_000 - current / 20, current, number, 580].map { Int64($0) }
      let ours = zip(FNIRSIReport.channels, codes).map { $0.value(of: $1) }
      #expect(zip(theirs, ours).allSatisfy { abs($0 - $1) <= $1 * 1e-15 }, "\(theirs) \(ours)")
    }
    #expect(Self.told(gadget).prefix(3) == ["81", "82", "82"])
  }
}
