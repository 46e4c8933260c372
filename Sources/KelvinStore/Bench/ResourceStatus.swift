public import KelvinModel

/// A board or meter, and all that the bench database says of it now.
public struct ResourceStatus: Sendable, Hashable {
  public var resource: BenchResource
  public var state: BoardState
  public var lease: Lease?
  /// What is known of the lease's holder.
  public var standing: LeaseHolder.Standing?
  /// Only one that has not expired.
  public var reservation: Reservation?
  public var health: BenchHealth?
  /// That it was switched off for a moment, and is not known to be on again.
  public var outage: Outage?
  /// Whether its lease is only what a command left that is gone: whoever comes next gets it.
  public var isAbandoned: Bool

  /// Whether nobody is left who would switch it on again.
  public var isLeftOff: Bool {
    guard let outage else { return false }
    return lease?.id != outage.lease || standing == .dead
  }

  /// Creates a status; of a resource that nobody has or keeps unless it says so.
  public init(
    resource: BenchResource, state: BoardState, lease: Lease? = nil,
    standing: LeaseHolder.Standing? = nil, reservation: Reservation? = nil,
    health: BenchHealth? = nil, outage: Outage? = nil, isAbandoned: Bool = false
  ) {
    self.resource = resource
    self.state = state
    self.lease = lease
    self.standing = standing
    self.reservation = reservation
    self.health = health
    self.outage = outage
    self.isAbandoned = isAbandoned
  }
}
