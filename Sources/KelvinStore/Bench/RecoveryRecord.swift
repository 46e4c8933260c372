public import KelvinModel

/// What was done to bring a board back that was lost, for the board's history.
public struct RecoveryRecord: Sendable, Hashable {
  /// One rung of the ladder, and what it came to.
  public struct Step: Sendable, Hashable {
    /// `reconnect`, `reboot`, `sysrq`, `reset`, `power_cycle`.
    public var rung: String
    public var seconds: Double
    /// Nil: the board was back.
    public var problem: String?

    /// Creates a step.
    public init(_ rung: String, seconds: Double, problem: String? = nil) {
      self.rung = rung
      self.seconds = seconds
      self.problem = problem
    }
  }

  /// The run's id.
  public var run: String
  /// What was seen of the board.
  public var finding: String
  public var steps: [Step]
  /// Whether the board could be used again.
  public var isBack: Bool
  /// From the finding until the board could be used again, or was given up.
  public var seconds: Double
  public var endedWallNanoseconds: Int64

  /// Creates a record.
  public init(
    run: String, finding: String, steps: [Step], isBack: Bool, seconds: Double,
    endedWallNanoseconds: Int64 = MonotonicTime.wallNanoseconds
  ) {
    self.run = run
    self.finding = finding
    self.steps = steps
    self.isBack = isBack
    self.seconds = seconds
    self.endedWallNanoseconds = endedWallNanoseconds
  }

  /// The rung that brought the board back, or ``lost``.
  public var outcome: String { isBack ? steps.last?.rung ?? "reconnect" : RecoveryRecord.lost }

  /// The outcome of a recovery that did not bring the board back.
  public static let lost = "lost"

  var stepsJSON: String {
    Value.list(
      steps.map { step in
        [
          "rung": .text(step.rung), "seconds": .number(step.seconds),
          "problem": step.problem.map { .text($0.storable(limit: 1024)) } ?? .null
        ]
      }
    ).json
  }

  static func steps(_ value: Value) -> [Step] {
    (value.list ?? []).compactMap { step in
      guard let map = step.map, let rung = map["rung"]?.text, let seconds = map["seconds"]?.number
      else { return nil }
      return Step(rung, seconds: seconds, problem: map["problem"]?.text)
    }
  }
}
