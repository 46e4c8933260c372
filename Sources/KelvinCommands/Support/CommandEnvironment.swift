internal import KelvinAgenda
public import KelvinExecution
public import KelvinOutputs
internal import KelvinPatterns
internal import KelvinTargets

/// What commands know beyond their arguments: which workloads, instruments and outputs exist.
public struct CommandEnvironment: Sendable {
  public var registry: Registry
  public var outputs: [any OutputProcessor.Type]

  /// Creates an environment; plug-in packages add to the built-ins.
  public init(registry: Registry, outputs: [any OutputProcessor.Type]) {
    self.registry = registry
    self.outputs = outputs
  }

  /// What comes with Kelvin.
  public static let builtIn = CommandEnvironment(
    registry: Registry(
      workloads: Registry.builtInWorkloads, instruments: Registry.builtInInstruments),
    outputs: Outputs.all)

  /// The environment of the command that is running.
  @TaskLocal static var current = CommandEnvironment.builtIn

  /// The declarations that agendas are checked against.
  var declarations: Declarations {
    Declarations(
      workloads: registry.workloads.map(\.declaration),
      instruments: registry.instrumentDeclarations,
      outputs: outputs.map { $0.declaration }, settings: DeviceSettings.vocabulary,
      checkImages: { DeployImages.problems(with: $0) },
      checkPattern: { Pattern.problem(with: $0) },
      checkSettings: { [registry] in registry.problem(with: $1, of: $0) })
  }
}
