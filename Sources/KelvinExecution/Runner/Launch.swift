public import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// How the workload's process will be started. Callbacks before the measured window may change it;
/// what they changed is recorded with the attempt.
public struct Launch: Sendable, Hashable {
  public var argv: [String]
  /// Added to the target's environment.
  public var environment: [String: String]
  public var workingDirectory: TargetPath?
  public var standardInput: Command.Input
  /// CPUs to run on; nil leaves them as they are.
  public var affinity: [Int]?
  public var niceness: Int?
  public var realtimePriority: Int?

  /// Creates a launch without changes to the target's environment and scheduling.
  public init(
    argv: [String], environment: [String: String] = [:], workingDirectory: TargetPath? = nil,
    standardInput: Command.Input = .null, affinity: [Int]? = nil, niceness: Int? = nil,
    realtimePriority: Int? = nil
  ) {
    self.argv = argv
    self.environment = environment
    self.workingDirectory = workingDirectory
    self.standardInput = standardInput
    self.affinity = affinity
    self.niceness = niceness
    self.realtimePriority = realtimePriority
  }

  /// What is different from `original`, under the names of the attempt's `changes`.
  func changes(from original: Launch) -> [String: Value] {
    var changes: [String: Value] = [:]
    if argv != original.argv { changes["argv"] = .list(argv.map(Value.text)) }
    if environment != original.environment {
      changes["environment"] = .map(
        environment.filter { original.environment[$0.key] != $0.value }.mapValues(Value.text))
    }
    if affinity != original.affinity {
      changes["affinity"] = .text(affinity.map(CPUList.text) ?? "all")
    }
    if niceness != original.niceness { changes["niceness"] = .integer(Int64(niceness ?? 0)) }
    if realtimePriority != original.realtimePriority {
      changes["realtime priority"] = .integer(Int64(realtimePriority ?? 0))
    }
    return changes
  }
}
