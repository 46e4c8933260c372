internal import KelvinModel

/// A board that a command switched off for a moment, and that is not known to be on again: written down
/// first, since a command that is killed meanwhile leaves the board off.
public struct Outage: Sendable, Hashable {
  /// The id of the lease under which it was switched off.
  public var lease: Int64
  /// Who switched it off, and where.
  public var user: String
  public var host: String
  public var processID: Int32
  /// What for: `bench check --switch`.
  public var reason: String
  public var sinceWallNanoseconds: Int64

  /// For messages: `switched off for bench check --switch by anna, process 4711 on labhost, at ...`
  public var label: String {
    "switched off for \(reason) by \(user), process \(processID) on \(host), at "
      + WallTime.text(nanoseconds: sinceWallNanoseconds)
  }
}
