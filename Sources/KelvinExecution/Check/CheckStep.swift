public import KelvinModel

/// One thing that `kelvin bench check` looked at.
public struct CheckStep: Sendable, Hashable {
  public enum Result: String, Sendable, Hashable, CaseIterable {
    case ok
    case failed
    /// It was not looked at, and the detail says why.
    case skipped
  }

  /// `board 'rock'`, `meter 'ppk2-a'`.
  public var subject: String
  /// What part of it: `lease`, `connection`, `console`, `bootloader`, `power`, `reset`, `device`.
  public var part: String
  public var result: Result
  /// What was seen, or what is wrong.
  public var detail: String
  /// What to do about it; empty when it is well.
  public var hint: String

  /// Creates a step.
  public init(
    _ subject: String, _ part: String, _ result: Result, _ detail: String, hint: String = ""
  ) {
    self.subject = subject
    self.part = part
    self.result = result
    self.detail = detail
    self.hint = hint
  }

  /// A step that failed.
  init(_ subject: String, _ part: String, _ failure: any Error) {
    let plain = PlainFailure(failure)
    let evidence = plain.evidence.isEmpty ? "" : " (\(plain.evidence))"
    self.init(subject, part, .failed, plain.message + evidence, hint: plain.hint)
  }

  /// For `--format json`.
  public var value: Value {
    [
      "subject": .text(subject), "part": .text(part), "result": .text(result.rawValue),
      "detail": .text(detail), "hint": .text(hint)
    ]
  }
}
