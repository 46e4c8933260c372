internal import Foundation
internal import KelvinMeters
internal import KelvinModel

/// Where the calibration of a meter is kept: `calibration/NAME.json` beside the bench file.
struct CalibrationFile: Sendable {
  let path: String

  /// - Parameters:
  ///   - meter: its name in the bench file; one that the kernel has is named with its board.
  ///   - bench: the bench files.
  /// - Returns: nil without a bench file.
  init?(of meter: String, besides bench: [String]) {
    guard let first = bench.first else { return nil }
    let folder = URL(fileURLWithPath: first).deletingLastPathComponent().path
    let name = meter.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-" }
    path = "\(folder)/calibration/\(String(name)).json"
  }

  /// What is kept beside the bench files of a meter.
  static func reader(
    besides bench: [String]
  ) -> @Sendable (String) throws(MeterFailure) -> MeterCalibration? {
    { place throws(MeterFailure) in try CalibrationFile(of: place, besides: bench)?.read() }
  }

  /// - Returns: nil when there is none.
  /// - Throws: `invalid` for a file that is no calibration.
  func read() throws(MeterFailure) -> MeterCalibration? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard let data = FileManager.default.contents(atPath: path), data.count < 1 << 24,
      let calibration = Value(json: String(decoding: data, as: UTF8.self))
        .flatMap(MeterCalibration.init)
    else {
      throw MeterFailure(
        .invalid, "\(path): this is no calibration that can be read",
        hint: "calibrate anew with 'kelvin meter calibrate --forget', or put the file back")
    }
    return calibration
  }

  func write(_ calibration: MeterCalibration) throws(MeterFailure) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
      try Data((calibration.value.json + "\n").utf8).write(
        to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw MeterFailure(.invalid, "\(path): cannot be written", evidence: "\(error)")
    }
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
