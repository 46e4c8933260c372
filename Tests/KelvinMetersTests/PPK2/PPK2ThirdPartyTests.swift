import Foundation
import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Clients that others wrote read the simulator, and agree with the driver about what it sent.
@Suite(.timeLimit(.minutes(3)))
struct PPK2ThirdPartyTests {
  static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

  /// Runs Python with the clients of scripts/capture-tools; nil where they are not installed.
  static func python(_ script: String) -> (status: Int32, output: String)? {
    guard FileManager.default.fileExists(atPath: "\(root)/.build/capture-tools/ppk2_api") else {
      return nil
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PYTHONPATH": "\(root)/.build/capture-tools"]) { $1 }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.standardError
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  static let isThere = FileManager.default.fileExists(
    atPath: "\(root)/.build/capture-tools/ppk2_api")

  /// ppk2-api reads; the very bytes that it read go through the driver's own decoder, and each value is
  /// the same to half of the driver's step.
  @Test(.enabled(if: isThere, "needs ppk2-api, scripts/capture-tools"))
  func ppk2APIAgreesSampleBySample() throws {
    let unit = PPK2Unit(seed: 12)
    let device = try SimulatedPPK2(unit)
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(
      "ppk2-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    let result = try #require(
      Self.python(
        """
        import struct, time
        from ppk2_api.ppk2_api import PPK2_API
        meter = PPK2_API('\(device.path)')
        assert meter.get_modifiers()
        meter.use_source_meter()
        meter.set_source_voltage(3300)
        meter.toggle_DUT_power('ON')
        time.sleep(0.1)
        meter.start_measuring()
        raw, values = b'', []
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            data = meter.get_data()
            if len(data) >= 4:
                raw += data
                # Currents in uA, and the digital inputs.
                values += meter.get_samples(data)[0]
            time.sleep(0.002)
        meter.stop_measuring()
        with open('\(file.path)', 'wb') as out:
            out.write(struct.pack('<QQ', len(raw), len(values)) + raw)
            out.write(struct.pack('<%dd' % len(values), *values))
        print(meter.modifiers['HW'], len(values))
        """))
    try #require(result.status == 0, "\(result.output)")
    #expect(result.output.hasPrefix("\(unit.hardware) "), "\(result.output)")
    let bytes = [UInt8](try Data(contentsOf: file))
    func number(_ place: Int) -> UInt64 {
      bytes[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let (size, count) = (Int(number(0)), Int(number(8)))
    let raw = Array(bytes[16..<16 + size / 4 * 4])
    let theirs = (0..<count).map { Double(bitPattern: number(16 + size + 8 * $0)) }
    try #require(count > 50_000 && raw.count / 4 == count)
    let calibration = try #require(
      PPK2Calibration(PPK2DecoderTests.metadata(unit), volts: 3.3))
    var decoder = PPK2Decoder(calibration, isFiltered: true)
    let (codes, _) = PPK2DecoderTests.decode(raw, &decoder)
    var worst = 0.0
    for (code, microamperes) in zip(codes, theirs) {
      worst = max(worst, abs(Double(code) * 1e-8 - microamperes * 1e-6))
    }
    #expect(worst <= 0.5e-8 * 1.0001, "\(worst) A")
    // And both mean what was true.
    let wave = PPK2Waveform(unit, volts: 3.3)
    let mean = theirs[..<50_000].reduce(0, +) / 50_000 * 1e-6
    #expect(abs(mean / wave.mean(from: 0, to: 49_999) - 1) < 0.01)
  }

  /// ppk2lab finds no fault with it, and the loss that there is.
  @Test(.enabled(if: isThere, "needs ppk2lab, scripts/capture-tools"))
  func ppk2labReadsIt() throws {
    let unit = PPK2Unit(seed: 2)
    var faults = PPK2Faults()
    faults.events[60_000] = .samples(10)
    faults.stale = 5000
    let device = try SimulatedPPK2(unit, faults: faults)
    let result = try #require(
      Self.python(
        """
        import json
        from ppk2lab import PPK2
        from ppk2lab.types import Mode
        with PPK2.open(port='\(device.path)') as meter:
            meter.set_mode(Mode.SOURCE)
            meter.set_source_voltage_mv(3300)
            meter.set_dut_power(True)
            metadata = meter.refresh_metadata()
            result = meter.capture(sample_limit=150000)
            capture = result.capture
            values = capture.currents_ua(filtered=False)
            print(json.dumps({
                'hw': metadata.hw, 'r0': metadata.cal_value('R', 0),
                'stored': capture.stored_count, 'missing': capture.missing_known,
                'mean': sum(values[:50000]) / 50000}))
        """), "ppk2lab did not run")
    try #require(result.status == 0, "\(result.output)")
    let last = result.output.split(separator: "\n").last.map(String.init) ?? ""
    let figures = try #require(
      try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
    #expect(figures["hw"] as? Int == unit.hardware)
    let resistance = try #require(figures["r0"] as? Double)
    #expect(abs(resistance / unit.resistance[0] - 1) < 1e-12)
    #expect(figures["missing"] as? Int == 10)
    let mean = try #require(figures["mean"] as? Double)
    let wave = PPK2Waveform(unit, volts: 3.3)
    #expect(abs(mean * 1e-6 / wave.mean(from: 0, to: 49_999) - 1) < 0.001)
  }
}
