public import KelvinModel

/// What is measured. One instance for each spec; what belongs to one attempt lives in its
/// ``JobContext``. All calls run on the board's thread, with the stage's deadline in
/// ``JobContext/deadline``.
public protocol Workload: Sendable {
  /// Once per spec, before the first job of the run: finds and checks what it needs.
  func initialize(_ job: JobContext) async throws
  /// Before each measured window: brings files, sets ``JobContext/launch``.
  func setup(_ job: JobContext) async throws
  /// The measured window.
  func run(_ job: JobContext) async throws
  /// After it: metrics and artifacts; also after a failed run, to save what there is.
  func extractResults(_ job: JobContext) async throws
  /// Always called once setup began.
  func teardown(_ job: JobContext) async throws
  /// Once per spec, after the last job of the run; only if ``initialize(_:)`` worked.
  func finalize(_ job: JobContext) async throws
}

extension Workload {
  public func initialize(_ job: JobContext) async throws {}
  public func setup(_ job: JobContext) async throws {}
  public func extractResults(_ job: JobContext) async throws {}
  public func teardown(_ job: JobContext) async throws {}
  public func finalize(_ job: JobContext) async throws {}
}

/// A kind of workload: its declaration, and how an instance is made for a spec.
public struct WorkloadType: Sendable {
  public let declaration: Declaration
  /// Programs that it needs on the target.
  public let requirements: [Requirement]
  /// From the spec's validated parameters.
  public let make: @Sendable (JobSpec) throws -> any Workload

  /// Declares a kind of workload.
  public init(
    _ declaration: Declaration, requirements: [Requirement] = [],
    make: @escaping @Sendable (JobSpec) throws -> any Workload
  ) {
    self.declaration = declaration
    self.requirements = requirements
    self.make = make
  }
}
