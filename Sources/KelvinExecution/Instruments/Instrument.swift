public import KelvinModel

/// Code that acts on signals around a job: start and stop, extract, annotate.
///
/// One instance for each board and run; used on the board's thread only. State between callbacks
/// lives in the instance, behind ``BoardConfined``.
public protocol Instrument: Sendable {
  /// What it is and takes; its name is what agendas list.
  static var declaration: Declaration { get }

  /// Creates it from validated settings, defaults filled in.
  init(settings: [String: Value]) throws

  /// Looks at the target once per run, before the first job.
  ///
  /// - Throws: ``InstrumentUnavailable`` when there is nothing to measure on this target.
  func prepare(_ run: RunContext, until deadline: Deadline) async throws

  /// Its callbacks.
  @HookBuilder var hooks: [Hook] { get }
}

extension Instrument {
  public func prepare(_ run: RunContext, until deadline: Deadline) async throws {}

  var name: String { Self.declaration.name }
}

/// Says why an instrument has nothing to measure on this target.
public struct InstrumentUnavailable: Failure, Hashable {
  public let reason: String
  public let hint: String

  /// Creates it with the reason, and what would help.
  public init(_ reason: String, hint: String = "") {
    self.reason = reason
    self.hint = hint
  }

  public var kind: FailureKind { .target }
  public var message: String { reason }
}

/// Collects callbacks into a list.
@resultBuilder
public enum HookBuilder {
  public static func buildExpression(_ hook: Hook) -> [Hook] { [hook] }
  public static func buildExpression(_ hooks: [Hook]) -> [Hook] { hooks }
  public static func buildBlock(_ parts: [Hook]...) -> [Hook] { parts.flatMap(\.self) }
  public static func buildOptional(_ part: [Hook]?) -> [Hook] { part ?? [] }
  public static func buildEither(first part: [Hook]) -> [Hook] { part }
  public static func buildEither(second part: [Hook]) -> [Hook] { part }
}
