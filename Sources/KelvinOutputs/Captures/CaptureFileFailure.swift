public import KelvinModel

/// A file of samples that could not be read, or a capture that a format cannot hold.
public struct CaptureFileFailure: Failure, Hashable {
  /// What is wrong, so that callers can tell cases apart.
  public enum Code: String, Sendable {
    /// Not a file of this format.
    case notThisFormat = "not this format"
    /// The file ends too early.
    case truncated
    /// The file contradicts itself, or a checksum does not hold.
    case corrupt
    /// The file claims or needs more than Kelvin takes.
    case tooLarge = "too large"
    /// A valid file that uses what Kelvin does not read.
    case unsupported
    /// The capture has what the format cannot hold.
    case notRepresentable = "not representable"
  }

  public let code: Code
  public let kind: FailureKind = .configuration
  public let message: String
  public let evidence: String
  public let hint: String

  init(_ code: Code, _ message: String, evidence: String = "", hint: String = "") {
    self.code = code
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }
}
