/// The formats in which captures leave and enter Kelvin.
public enum CaptureFormat: String, Sendable, CaseIterable {
  case csv
  case perfetto
  case jls
  case ppk2
  case sigrok = "sr"
  case ptdaemon

  /// Bytes that an imported file may have, and expand to.
  public static let expandedLimit = 1 << 30

  /// What its files are called, without a dot.
  public var suffix: String {
    switch self {
    case .csv: "csv"
    case .perfetto: "perfetto-trace"
    case .jls: "jls"
    case .ppk2: "ppk2"
    case .sigrok: "sr"
    case .ptdaemon: "spl.txt"
    }
  }

  /// Whether Kelvin reads it, too.
  public var isImported: Bool { self != .perfetto && self != .ptdaemon }

  /// The format that a file's name says; nil when it says none.
  public init?(path: String) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    guard let format = Self.allCases.first(where: { name.hasSuffix("." + $0.suffix) }) else {
      return nil
    }
    self = format
  }

  /// Writes a capture.
  ///
  /// - Returns: what the file does not hold of the capture, for a person.
  /// - Throws: ``CaptureFileFailure`` when the format cannot hold it; what the source's walk throws;
  ///   ``OutputFailure``.
  public func write(_ source: CaptureSource, to file: ExportFile) throws -> [String] {
    switch self {
    case .csv:
      try CaptureCSV.write(source, to: file)
      return []
    case .perfetto: return try PerfettoTrace.write(source, to: file)
    case .jls: return try JLSFile.write(source, to: file)
    case .ppk2: return try PPK2File.write(source, to: file)
    case .sigrok: return try SigrokSession.write(source, to: file)
    case .ptdaemon: return try PTDaemonLog.write(source, to: file)
    }
  }

  /// Reads a capture.
  ///
  /// - Parameter name: what to call the capture when the file does not say.
  /// - Throws: ``CaptureFileFailure`` when nothing can be read.
  public func read(
    _ bytes: [UInt8], name: String
  ) throws(CaptureFileFailure) -> ImportedCapture {
    switch self {
    case .csv: return try CaptureCSV.read(bytes, name: name)
    case .jls: return try JLSFile.read(bytes, name: name)
    case .ppk2: return try PPK2File.read(bytes, name: name)
    case .sigrok: return try SigrokSession.read(bytes, name: name)
    case .perfetto, .ptdaemon:
      throw CaptureFileFailure(.unsupported, "Kelvin writes \(rawValue), and does not read it")
    }
  }
}
