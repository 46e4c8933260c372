/// Why samples cannot become a figure.
public struct FigureFailure: Failure, Hashable {
  public let kind: FailureKind
  public let message: String
  public let hint: String

  /// Describes a failure.
  public init(_ kind: FailureKind, _ message: String, hint: String = "") {
    self.kind = kind
    self.message = message
    self.hint = hint
  }
}
