public import KelvinModel

/// Something that was found out about a board while a job ran on it.
public struct Finding: Sendable, Hashable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// Its kernel says so.
    case kernel(KernelSign.Kind)
    /// Nothing of it answers any more: it hangs, or is off.
    case hang
    /// Its kernel answers, and its programs do not: they starve, or it is about to hang.
    case unresponsive
    /// It is its link that is away; the board itself may be well.
    case linkAway
    /// It starts again and again, and does not come up.
    case bootLoop
    /// A meter sees less at its supply than it needs.
    case brownOut
  }

  public let kind: Kind
  /// Fatal ones raise the alarm.
  public let severity: KernelSign.Severity
  /// When it was known.
  public let time: MonotonicTime
  /// One sentence: the thing, and what is wrong with it.
  public let message: String
  /// What was seen that speaks for it, and what else might be.
  public let evidence: [String]
  /// What the kernel said, with its report as far as that has come.
  public internal(set) var sign: KernelSign?

  init(
    _ kind: Kind, _ severity: KernelSign.Severity, at time: MonotonicTime = .now,
    _ message: String, evidence: [String] = [], sign: KernelSign? = nil
  ) {
    self.kind = kind
    self.severity = severity
    self.time = time
    self.message = message
    self.evidence = evidence
    self.sign = sign
  }

  /// That a kernel said something.
  init(_ sign: KernelSign, board: String, severity: KernelSign.Severity? = nil) {
    self.init(
      .kernel(sign.kind), severity ?? sign.severity, at: sign.time, "\(board): \(sign)", sign: sign)
  }

  /// The failure that an attempt ends with for it: of the board, or of the bench around it.
  public var failure: PlainFailure {
    PlainFailure(
      kind == .linkAway || kind == .brownOut ? .infrastructure : .target, message,
      evidence: evidence.joined(separator: "; "))
  }

  public var description: String {
    evidence.isEmpty ? message : "\(message) (\(evidence.joined(separator: "; ")))"
  }
}
