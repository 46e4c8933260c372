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

  /// Creates a status; of a resource that nobody has or keeps unless it says so.
  public init(
    resource: BenchResource, state: BoardState, lease: Lease? = nil,
    standing: LeaseHolder.Standing? = nil, reservation: Reservation? = nil,
    health: BenchHealth? = nil
  ) {
    self.resource = resource
    self.state = state
    self.lease = lease
    self.standing = standing
    self.reservation = reservation
    self.health = health
  }
}
