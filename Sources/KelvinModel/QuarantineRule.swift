/// When a board has failed so often that nothing more is to be tried on it.
public struct QuarantineRule: Sendable, Hashable, Codable, CustomStringConvertible {
  /// So many failures break the rule; at least 1.
  public let failures: Int
  /// Among so many of the last attempts; at least ``failures``.
  public let attempts: Int

  /// What counts where nobody says otherwise.
  public static let standard = QuarantineRule(failures: 5, of: 10)

  /// Creates a rule; what cannot be is taken for the nearest that can.
  public init(failures: Int, of attempts: Int) {
    self.failures = max(1, failures)
    self.attempts = max(self.failures, attempts)
  }

  /// Whether a board has failed too often.
  ///
  /// What was stopped, or never began, says nothing of a board and is left out, as if it had not been.
  ///
  /// - Parameter verdicts: of attempts on it, the newest last.
  public func isBroken(by verdicts: [Verdict]) -> Bool { troubles(in: verdicts) >= failures }

  /// How many of the attempts that count failed because of the board or what is around it.
  public func troubles(in verdicts: [Verdict]) -> Int {
    verdicts.lazy.filter { $0 != .aborted && $0 != .skipped }.suffix(attempts)
      .count(where: \.isBoardTrouble)
  }

  public var description: String { "\(failures) of \(attempts)" }
}

extension Verdict {
  /// Whether the board failed, or the bench around it, and not what ran on it.
  public var isBoardTrouble: Bool {
    self == .failed(.target) || self == .failed(.infrastructure)
  }
}
