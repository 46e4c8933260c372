/// A board or meter that somebody keeps for themselves, until a moment.
public struct Reservation: Sendable, Hashable {
  public var user: String
  /// Where it was made.
  public var host: String
  public var reason: String
  public var madeWallNanoseconds: Int64
  public var expires: BenchMoment

  /// Creates a reservation.
  public init(
    user: String, host: String, reason: String, madeWallNanoseconds: Int64, expires: BenchMoment
  ) {
    self.user = user
    self.host = host
    self.reason = reason
    self.madeWallNanoseconds = madeWallNanoseconds
    self.expires = expires
  }
}
