public import KelvinModel

/// What exists: the workloads, instruments and outputs that an agenda may name.
public struct Declarations: Sendable {
  public var workloads: [Declaration]
  public var instruments: [Declaration]
  public var outputs: [Declaration]
  /// Says what is wrong with a regular expression; nil when it is fine.
  public var checkPattern: @Sendable (String) -> String?

  /// Creates a list of what exists.
  public init(
    workloads: [Declaration], instruments: [Declaration], outputs: [Declaration],
    checkPattern: @escaping @Sendable (String) -> String? = { _ in nil }
  ) {
    self.workloads = workloads
    self.instruments = instruments
    self.outputs = outputs
    self.checkPattern = checkPattern
  }

  /// Names of instruments and outputs.
  public var augmentationNames: [String] { instruments.map(\.name) + outputs.map(\.name) }
}
