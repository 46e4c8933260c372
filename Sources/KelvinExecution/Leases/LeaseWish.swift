public import KelvinModel
public import KelvinStore

/// What a run or command wants for itself, and what to do on the way to it.
public struct LeaseWish: Sendable {
  /// A board or meter, and the other system that must be asked for it.
  public struct Resource: Sendable, Hashable {
    public var resource: BenchResource
    public var external: ExternalLease?

    /// Creates a wish for one resource.
    public init(_ resource: BenchResource, external: ExternalLease? = nil) {
      self.resource = resource
      self.external = external
    }
  }

  public var resources: [Resource]
  /// The run's id; empty outside of a run.
  public var run: String
  /// The run's directory, absolute; empty outside of a run.
  public var directory: String
  /// For people: `run governors`.
  public var purpose: String
  /// Take over leases whose owner is gone, or cannot be judged from here.
  public var takesOver: Bool
  /// To look after a board: also one that was taken out, which stays so.
  public var attends: Bool
  /// How long each command of another system may take.
  public var externalSeconds: Double
  /// Where the bench database is; nil: where ``StateDirectory`` says.
  public var stateDirectory: String?
  /// Hears what a person would want to know: what was taken over from whom.
  public var note: @Sendable (String) -> Void
  /// Brings a board that was taken over back to the settings that it had before its last owner;
  /// what it throws quarantines the board.
  public var restore: @Sendable (LeaseGrant.Inheritance, Deadline) async throws -> Void
  /// Switches a board on that a command which is gone left off; nil where whoever wishes for it
  /// switches it anyway, or cannot.
  public var switchOn: (@Sendable (BenchResource, Deadline) async throws -> Void)?

  /// Creates a wish.
  public init(
    _ resources: [Resource], run: String = "", directory: String = "", purpose: String,
    takesOver: Bool = false, attends: Bool = false, externalSeconds: Double = 60,
    stateDirectory: String? = nil,
    note: @escaping @Sendable (String) -> Void = { _ in },
    restore: @escaping @Sendable (LeaseGrant.Inheritance, Deadline) async throws -> Void,
    switchOn: (@Sendable (BenchResource, Deadline) async throws -> Void)? = nil
  ) {
    self.resources = resources
    self.run = run
    self.directory = directory
    self.purpose = purpose
    self.takesOver = takesOver
    self.attends = attends
    self.externalSeconds = externalSeconds
    self.stateDirectory = stateDirectory
    self.note = note
    self.restore = restore
    self.switchOn = switchOn
  }
}
