public import KelvinModel

/// Why a file cannot be flashed.
public struct ImageFailure: Failure, Hashable {
  public let kind: FailureKind
  public let message: String
  public let evidence: String
  public let hint: String

  /// Creates a failure; the message starts with the file.
  init(_ kind: FailureKind, _ message: String, evidence: String = "", hint: String = "") {
    self.kind = kind
    self.message = message
    self.evidence = evidence
    self.hint = hint
  }

  /// A sparse image that breaks the format's rules.
  static func malformed(_ path: String, _ problem: String) -> ImageFailure {
    ImageFailure(
      .configuration, "\(path): is a broken sparse image: \(problem)",
      hint: "make it again, or copy it again: nothing was flashed")
  }
}
