import Foundation
import KelvinModel
import Testing

@testable import KelvinMeters

/// Monsoon's own client reads the simulator, and agrees with the driver about what it sent.
@Suite(
  .serialized, .enabled(if: RawGadget.isPossible, "needs the bench host"),
  .timeLimit(.minutes(2)))
struct MonsoonThirdPartyOnBenchHost {
  static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
  static let isThere = FileManager.default.fileExists(
    atPath: "\(root)/.build/capture-tools/Monsoon/sampleEngine.py")

  /// What PyMonsoon made of packets, and the packets.
  struct Reading: Decodable {
    /// In the order in which they came, as hexadecimal digits.
    var packets: [String]
    /// How many of them had come when it took itself for calibrated.
    var calibrated: Int
    /// Milliamperes and volts.
    var main: [Double]
    var usb: [Double]
    var aux: [Double]
    var mainVoltage: [Double]
    var usbVoltage: [Double]
    var serial: Int
    var firmware: Int
  }

  /// Runs PyMonsoon, one packet at a time, so that each is processed with the calibrations up to it.
  static func read(_ model: String) throws -> Reading {
    let script = """
      import json, sys, types
      # PyMonsoon imports SciPy and uses nothing of it.
      sys.modules['scipy'] = types.ModuleType('scipy')
      sys.modules['scipy.stats'] = sys.modules['scipy'].stats = types.ModuleType('scipy.stats')
      from Monsoon import \(model), sampleEngine
      import usb.util
      monsoon = \(model).Monsoon()
      monsoon.setup_usb()
      monsoon.setVout(3.7)
      packets, calibrated = [], []
      bulk = monsoon.BulkRead
      def read():
          data = bulk()
          packets.append(bytes(data).hex())
          return data
      monsoon.BulkRead = read
      engine = sampleEngine.SampleEngine(monsoon)
      engine.bulkProcessRate = 1
      engine.ConsoleOutput(False)
      channels = sampleEngine.channels
      for channel in (channels.USBCurrent, channels.AuxCurrent, channels.USBVoltage):
          engine.enableChannel(channel)
      samples = engine.getSamples
      def get():
          calibrated.append(len(packets))
          return samples()
      engine.getSamples = get
      engine.startSampling(1200)
      engine.getSamples = samples
      _, main, usb_, aux, mainVoltage, usbVoltage = engine.getSamples()
      monsoon.setVout(0)
      usb.util.dispose_resources(monsoon.Protocol.DEVICE)
      numbers = lambda column: [float(value) for value in column]
      print(json.dumps({
          'packets': packets, 'calibrated': calibrated[0], 'main': numbers(main), 'usb': numbers(usb_),
          'aux': numbers(aux), 'mainVoltage': numbers(mainVoltage), 'usbVoltage': numbers(usbVoltage),
          'serial': int(monsoon.statusPacket.serialNumber),
          'firmware': int(monsoon.statusPacket.firmwareVersion)}))
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PYTHONPATH": "\(root)/.build/capture-tools", "PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(String(decoding: output, as: UTF8.self))")
    let line = output.split(separator: UInt8(ascii: "\n")).last ?? []
    return try JSONDecoder().decode(Reading.self, from: Data(line))
  }

  /// What the driver's own code makes of the same packets.
  static func decode(
    _ reading: Reading, _ model: MonsoonModel, _ scales: MonsoonScales, sites: [MonsoonSite]
  ) -> [[Int64]] {
    var stream = MonsoonStream(model, scales, sites: sites)
    var seen = MonsoonPackets.Seen()
    for (index, packet) in reading.packets.enumerated() {
      // From where PyMonsoon begins to keep what it measures.
      stream.isOpen = index >= reading.calibrated
      let digits = Array(packet.utf8)
      let bytes = stride(from: 0, to: digits.count, by: 2).map {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
      }
      stream.take(bytes.span.bytes) { seen.take($0) }
    }
    stream.flush { seen.take($0) }
    return seen.codes
  }

  static func compare(_ ours: [Int64], _ theirs: [Double], unit: Double, scale: Double) -> Double {
    zip(ours, theirs).map { abs(Double($0) * scale - $1 * unit) }.max() ?? .infinity
  }

  @Test(
    .enabled(if: isThere, "needs PyMonsoon, scripts/capture-tools"),
    arguments: [MonsoonModel.hvpm, .lvpm])
  func pyMonsoonAgreesSampleBySample(model: MonsoonModel) async throws {
    let gadget = try MonsoonGadget("pace=reader,period=500,model=\(model == .hvpm ? "hv" : "lv")")
    // The driver asks the simulator for its scales as PyMonsoon does.
    let meter = try await MonsoonGadget.open()
    let scales = try #require((meter as? MonsoonMeter)?.scales)
    let identity = meter.identity
    await meter.close()
    let reading = try Self.read(model == .hvpm ? "HVPM" : "LVPM")
    #expect(identity.serial == "\(reading.serial)" && identity.firmware == "\(reading.firmware)")
    #expect(gadget.isSet("41 3879731", "41 0") && gadget.settings.count == 2, "\(gadget.settings)")
    let sites: [MonsoonSite] = model == .hvpm ? [.main, .usb, .aux] : [.main, .usb]
    let codes = Self.decode(reading, model, scales, sites: sites)
    try #require(reading.main.count >= 1200 && codes[0].count >= reading.main.count)
    // To half of the driver's step, and both currents of the board were there.
    let (half, amperes) = (0.5e-8 * 1.0001, 1e-3)
    let scale = MonsoonStream.scale
    #expect(Self.compare(codes[0], reading.main, unit: amperes, scale: scale) <= half)
    #expect(Self.compare(codes[2], reading.usb, unit: amperes, scale: scale) <= half)
    if model == .hvpm {
      #expect(Self.compare(codes[4], reading.aux, unit: amperes, scale: scale) <= half)
    }
    for (column, site, theirs) in [
      (1, MonsoonSite.main, reading.mainVoltage), (3, .usb, reading.usbVoltage)
    ] {
      let step = model.voltageStep(site)
      #expect(Self.compare(codes[column], theirs, unit: 1, scale: step) < 1e-12)
    }
    #expect((reading.main.min() ?? 0) < 13 && (reading.main.max() ?? 0) > 850)
    #expect(abs(reading.main[0] - 12) < 5)
  }
}
