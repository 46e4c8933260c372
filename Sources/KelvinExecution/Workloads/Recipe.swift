public import KelvinModel

/// A workload as a small declaration over a command: what it needs, which command line its
/// parameters make, and what its output says. ``CommandWorkload`` does the rest.
public struct Recipe: Sendable {
  public var declaration: Declaration
  /// Programs it always needs.
  public var requirements: [Requirement]
  /// Programs of which its parameters choose one, for the hint when that one is missing.
  public var optional: [Requirement]
  /// The command line for validated parameters. The first word that is the name of a declared
  /// program becomes that program's path on the target.
  public var argv: @Sendable (Parameters) throws -> [String]
  /// Host files that the command line names: they are brought to the target, and their words in the
  /// command line become the paths there.
  public var files: @Sendable (Parameters) -> [String]
  /// Metrics from the workload's output, beyond those that the user's patterns find.
  public var parse: @Sendable (WorkloadOutput) throws -> [Metric]
  /// Added to the environment.
  public var environment: [String: String]

  /// What one of ``files`` must say for these parameters; nil when it is right as it is.
  public var edit: @Sendable (Parameters, [UInt8]) throws -> [UInt8]? = { _, _ in nil }
  /// Whether each attempt runs in an empty directory of its own on the target.
  public var needsDirectory: @Sendable (Parameters) -> Bool = { _ in false }
  /// Which files that it leaves in its own directory are results; by name.
  public var isResult: @Sendable (String) -> Bool = { _ in false }
  /// Whether it must run as root.
  public var needsRoot: @Sendable (Parameters) -> Bool = { _ in false }
  /// Whether its programs come from the host's assets even when the target has them.
  public var bringsPrograms: @Sendable (Parameters) -> Bool = { _ in false }

  /// Declares a workload.
  public init(
    _ declaration: Declaration, requirements: [Requirement] = [],
    environment: [String: String] = [:],
    files: @escaping @Sendable (Parameters) -> [String] = { _ in [] },
    argv: @escaping @Sendable (Parameters) throws -> [String],
    optional: [Requirement] = [],
    parse: @escaping @Sendable (WorkloadOutput) throws -> [Metric] = { _ in [] }
  ) {
    self.declaration = declaration
    self.requirements = requirements
    self.optional = optional
    self.environment = environment
    self.files = files
    self.argv = argv
    self.parse = parse
  }

  /// The same recipe with some of its rarer properties set.
  public func with(_ change: (inout Recipe) -> Void) -> Recipe {
    var recipe = self
    change(&recipe)
    return recipe
  }

  /// The workload as the registry lists it, with the options that all commands have.
  public var type: WorkloadType {
    let recipe = self
    let own = declaration.options
    // A workload's own meaning of a name wins, e.g. schbench's timeout.
    let common = CommandWorkload.commonOptions.filter { option in
      !own.contains { $0.isNamed(option.name) }
    }
    let full = Declaration(
      declaration.kind, declaration.name, aliases: declaration.aliases,
      summary: declaration.summary, description: declaration.description, options: own + common,
      metrics: declaration.metrics, verified: declaration.verified,
      linkUse: declaration.linkUse)
    return WorkloadType(full, requirements: requirements + optional) { spec in
      try CommandWorkload(recipe, spec)
    }
  }
}
