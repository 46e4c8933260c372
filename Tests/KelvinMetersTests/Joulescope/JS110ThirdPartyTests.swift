import Foundation
import KelvinModel
import Testing

@testable import KelvinMeters

/// Jetperch's own decoder for the JS110 (PyPI joulescope, its first generation's StreamBuffer and Calibration)
/// reads the same packets, and the same memory.
struct JS110ThirdPartyTests {
  typealias Packets = JS110Packets
  static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
  static let isThere =
    (try? FileManager.default.contentsOfDirectory(
      atPath: "\(root)/.build/capture-tools/joulescope/v0"))?
    .contains { $0.hasPrefix("stream_buffer.") && $0.hasSuffix(".so") } ?? false

  /// Writes a calibration of its own making to the second file, and what becomes of the packets of the first
  /// with it to the third: for each sample two floats.
  static let script = """
    import os, sys
    os.environ['JOULESCOPE_BACKEND'] = 'none'
    import numpy as np
    from joulescope.v0.calibration import Calibration
    from joulescope.v0.stream_buffer import StreamBuffer
    packets, memory, values, mode = sys.argv[1:5]
    calibration = Calibration()
    calibration.serial_number = '000102030405060708090a0b0c0d0e0f'
    calibration.current_offset = np.array(
        [-2806.7178, -2822.6646, -2820.881, -2822.62, -2820.4626, -2820.5825, -2818.677, 0, np.nan], np.float32)
    calibration.current_gain = np.array(
        [6.828915e-4, 1.6375304e-4, 1.4626174e-5, 1.4937617e-6, 1.4970493e-7, 1.4983888e-8, 1.4984542e-9, 0,
         np.nan], np.float32)
    calibration.voltage_offset = np.array([-1150.5927, -2041.6752], np.float32)
    calibration.voltage_gain = np.array([9.468113e-4, 2.9342127e-4], np.float32)
    with open(memory, 'wb') as file:
        file.write(calibration.save(private_key=bytes(range(32))))
    buffer = StreamBuffer(1.0, [], 2000000)
    buffer.calibration_set(calibration.current_offset, calibration.current_gain, calibration.voltage_offset,
                           calibration.voltage_gain)
    buffer.suppress_mode = mode
    data = np.fromfile(packets, dtype=np.uint8)
    # In parts, as they come.
    for start in range(0, len(data), 512 * 20):
        buffer.insert(data[start:start + 512 * 20])
        buffer.process()
    first, end = buffer.sample_id_range
    buffer.samples_get(0, end, fields='current_voltage').astype(np.float32).tofile(values)
    """

  struct Reading {
    var memory: [UInt8]
    var current: [Float]
    var voltage: [Float]
  }

  static func read(_ packets: [UInt8], mode: String) throws -> Reading {
    let folder = try Folder()
    let files = ["packets", "memory", "values"].map { "\(folder.path)/\($0)" }
    try Data(packets).write(to: URL(fileURLWithPath: files[0]))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script] + files + [mode]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PYTHONPATH": "\(root)/.build/capture-tools", "PYTHONDONTWRITEBYTECODE": "1"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    let values = try Data(contentsOf: URL(fileURLWithPath: files[2]))
    let floats = values.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    return Reading(
      memory: Array(try Data(contentsOf: URL(fileURLWithPath: files[1]))),
      current: stride(from: 0, to: floats.count, by: 2).map { floats[$0] },
      voltage: stride(from: 1, to: floats.count, by: 2).map { floats[$0] })
  }

  /// A load that goes through all ranges and both ways, with codes that tell samples apart.
  static func load(_ sample: Int) -> UInt32 {
    let ranges = [6, 5, 4, 3, 2, 1, 0, 3, 0, 6, 2, 5, 1, 4, 0, 5]
    // Now and then two changes within one window.
    let step = sample / 40 + (sample % 40 > 36 && sample / 40 % 5 == 0 ? 3 : 0)
    let range = ranges[step % ranges.count]
    return JS110Packets.word(
      range, 2900 + sample * 37 % 12_000, 1200 + sample * 13 % 14_000, at: sample)
  }

  /// 300 packets; three of them lost, and some samples missing, far from changes of range.
  static let packets: [UInt8] = {
    var bytes: [UInt8] = []
    for number in 0..<300 where !(100..<103).contains(number) {
      let words = (0..<126).map { place -> UInt32 in
        let sample = 126 * number + place
        // 37,800 samples; from 12,000 to 13,400 and from 20,000 to 20,400 nothing changes.
        let isCalm = (12_000..<13_400).contains(sample) || (20_000..<20_400).contains(sample)
        if (20_100..<20_111).contains(sample) { return .max }
        return isCalm
          ? JS110Packets.word(3, 2900 + sample % 5000, 3000 + sample % 3000, at: sample)
          : load(sample)
      }
      bytes += JS110Packets.packet(number, words, isFiveVolts: false)
    }
    return bytes
  }()

  static func range(of sample: Int) -> Int {
    let start = sample % 126 * 4 + 8 + 512 * (sample / 126 - (sample / 126 > 102 ? 3 : 0))
    return Int(packets[start] & 3) | Int(packets[start + 2] & 1) << 2
  }

  @Test(
    .enabled(if: isThere, "needs joulescope, scripts/capture-tools"), .timeLimit(.minutes(1)),
    arguments: ["interp_1_n_1", "off"])
  func jetperchsOwnDecoderAgreesSampleBySample(mode: String) throws {
    let reading = try Self.read(Self.packets, mode: mode)
    let calibration = try JS110Calibration(reading.memory)
    #expect(calibration.serial == "000102030405060708090a0b0c0d0e0f")
    var stream = JS110Stream(calibration, hasInputs: false, isFiltered: mode != "off")
    stream.isOpen = true
    var seen = Packets.Seen()
    // Other parts than theirs.
    for start in stride(from: 0, to: Self.packets.count, by: 512 * 7) {
      let part = Array(Self.packets[start..<min(start + 512 * 7, Self.packets.count)])
      stream.take(part.span.bytes) { seen.take($0) }
      stream.flush { seen.take($0) }
    }
    #expect(reading.current.count >= 37_700)
    #expect(stream.lost == 389 && seen.gaps.map(\.count) == [378, 11])
    #expect(seen.numbers.count >= 37_300)
    #expect(stream.switched > 900 && (stream.replaced > 5000) == (mode != "off"))
    var (compared, differing, greatest) = (0, 0, 0.0)
    for (place, number) in seen.numbers.enumerated() {
      // Theirs takes the first samples for those of a range that is being entered.
      guard number >= 20, Int(number) < reading.current.count else { continue }
      let theirs = Double(reading.current[Int(number)])
      let volts = Double(reading.voltage[Int(number)])
      let ours = Double(seen.current[place]) * JS110Decoder.currentScale
      // Half of our step, and what single floats keep: of a code with its offset, and of a line between others.
      let gain = calibration.current[Self.range(of: Int(number))].gain
      let near = reading.current[
        max(0, Int(number) - 10)..<min(reading.current.count, Int(number) + 10)]
      let largest = near.reduce(0) { $1.isNaN ? $0 : max($0, Double(abs($1))) }
      let allowed = 0.5e-10 + 0.002 * gain + 2e-6 * largest
      let distance = abs(ours - theirs)
      compared += 1
      greatest = max(greatest, distance / allowed)
      let isNear = abs(Double(seen.voltage[place]) * JS110Decoder.voltageScale - volts) < 6.5e-6
      if !(distance <= allowed) || !isNear { differing += 1 }
    }
    print("js110 \(mode): \(compared) samples, at most \(greatest) of what is allowed")
    #expect(compared > 37_000 && differing == 0)
    // Where nothing is given out, theirs has no number either.
    let missing = reading.current.indices.filter { reading.current[$0].isNaN }
    #expect(missing.count == 389)
  }
}
