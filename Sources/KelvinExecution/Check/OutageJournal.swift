/// Where it is written down that a board is switched off for a moment: a process that is killed
/// meanwhile leaves it off, and the next one must know.
public struct OutageJournal: Sendable {
  /// Before the board is switched off, with the reason for people; when it throws, the board stays on.
  public var begin: @Sendable (_ reason: String) async throws -> Void
  /// When it is on again.
  public var end: @Sendable () async throws -> Void

  /// Creates a journal; one that writes nothing by default.
  public init(
    begin: @escaping @Sendable (_ reason: String) async throws -> Void = { _ in },
    end: @escaping @Sendable () async throws -> Void = {}
  ) {
    self.begin = begin
    self.end = end
  }
}
