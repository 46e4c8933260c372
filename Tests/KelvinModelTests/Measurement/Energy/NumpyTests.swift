import Foundation
import KelvinModel
import Testing

/// The same samples integrated by numpy, which shares nothing with Kelvin.
struct NumpyTests {
  private static let python = "/usr/bin/env"

  /// What a program prints; nil when it fails.
  private static func run(_ program: String, _ arguments: String...) throws -> String? {
    let process = Process()
    process.executableURL = URL(filePath: python)
    process.arguments = ["python3", "-c", program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    try process.run()
    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return process.terminationStatus == 0 ? String(decoding: output, as: UTF8.self) : nil
  }

  private static let hasNumpy = (try? run("import numpy")) != nil

  /// Trapezoids over the samples in an interval and the power interpolated at its ends.
  private static let program = """
    import sys, numpy as np
    t, v, i = np.loadtxt(sys.argv[1]).T
    a, b = float(sys.argv[2]), float(sys.argv[3])
    p = v * i
    inside = (t > a) & (t < b)
    times = np.concatenate([[a], t[inside], [b]])
    power = np.concatenate([[np.interp(a, t, p)], p[inside], [np.interp(b, t, p)]])
    trapezoid = getattr(np, "trapezoid", None) or np.trapz
    print(repr(float(trapezoid(power, times) * 1e-9)))
    """

  @Test(
    .timeLimit(.minutes(1)), .enabled(if: hasNumpy, "needs python3-numpy"),
    arguments: [1, 7, 256, 20_000])
  func numpyComesToTheSameEnergy(block: Int) throws {
    var dice = Dice(seed: 5)
    let count = 20_000
    var times: [Int64] = []
    var volts: [Int64] = []
    var amperes: [Int64] = []
    for index in 0..<count {
      times.append(Int64((Double(index) + dice.within(0.2)) * 1e5))
      volts.append(Int64(4800 + 400 * dice.unit()))
      amperes.append(Int64(index / 500 % 2 == 0 ? 1000 : 200_000) + Int64(1000 * dice.unit()))
    }
    // Ends between two samples.
    let interval: ClosedRange<Int64> = 12_345_678...1_987_654_321
    let source = try PowerSource(
      .product(voltage: 0, current: 1),
      of: [
        Channel(name: "v", unit: "mV", site: "a", kind: .voltage),
        Channel(name: "i", unit: "uA", site: "a", kind: .current)
      ], meter: MeterIdentity(name: "m", driver: "d"))
    var integrator = EnergyIntegrator(source, spacing: .every(1e5), intervals: [interval])
    for start in stride(from: 0, to: count, by: block) {
      let part = start..<min(start + block, count)
      try integrator.take([
        SampleBlock(channel: 0, times: .each(Array(times[part])), codes: Array(volts[part])),
        SampleBlock(channel: 1, times: .each(Array(times[part])), codes: Array(amperes[part]))
      ])
    }
    integrator.finish()
    let figure = integrator.figure(of: 0)
    #expect(figure.coverage == 1)

    let file = FileManager.default.temporaryDirectory
      .appending(path: "kelvin-numpy-\(UUID().uuidString).txt")
    defer { try? FileManager.default.removeItem(at: file) }
    let lines = times.indices.map {
      "\(times[$0]) \(Double(volts[$0]) * 1e-3) \(Double(amperes[$0]) * 1e-6)"
    }
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    let output = try #require(
      try Self.run(
        Self.program, file.path, "\(interval.lowerBound)", "\(interval.upperBound)"))
    let joules = try #require(
      Double(output.trimmingCharacters(in: .whitespacesAndNewlines)), "\(output)")
    #expect(abs(figure.energy / joules - 1) < 1e-9, "\(figure.energy) J, numpy \(joules) J")
  }
}
