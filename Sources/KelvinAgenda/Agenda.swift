public import KelvinModel

/// An agenda as read, merged, validated and planned.
public struct Agenda: Sendable {
  public let plan: Plan
  /// Every file as read, in the order first read; values of `password` and `passphrase` keys are
  /// replaced by `'***'`, since the sources are kept with the run.
  public let sources: [Source]
  /// What is doubtful or has no effect.
  public let warnings: [Diagnostic]

  /// A file as read.
  public struct Source: Sendable, Hashable {
    public var path: String
    public var content: String

    /// Creates a source.
    public init(path: String, content: String) {
      self.path = path
      self.content = content
    }
  }
}
