public import KelvinModel

/// What a workload printed; read when it is asked for.
public struct WorkloadOutput: Sendable {
  public let parameters: Parameters
  let standardOutputPath: String
  let standardErrorPath: String
  /// What messages and metrics name as their source.
  public let source: String

  /// Bytes of standard output beyond which a parser sees nothing.
  static let limit = 16 << 20

  /// The lines of standard output as text; what is not UTF-8 becomes U+FFFD.
  public func lines() throws -> [Substring] { try text().split(whereSeparator: \.isNewline) }

  /// Standard output as text.
  public func text() throws -> String { try WorkloadOutput.text(standardOutputPath) }

  /// Standard error as text.
  public func errorText() throws -> String { try WorkloadOutput.text(standardErrorPath) }

  private static func text(_ path: String) throws -> String {
    guard let bytes = try? HostFile.read(path, limit: limit) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A metric of this workload.
  public func metric(
    _ name: String, _ value: Double, unit: String = "", lowerIsBetter: Bool? = nil,
    classifiers: [String: String] = [:]
  ) -> Metric {
    Metric(
      name, .number(value), unit: unit, lowerIsBetter: lowerIsBetter, classifiers: classifiers,
      source: source)
  }
}
