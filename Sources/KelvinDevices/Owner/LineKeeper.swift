package import KelvinModel

/// Has lines driven by the owner of ports, so that their level outlives the command that set it.
package struct LineKeeper: Sendable {
  /// What became of a wish.
  package enum Outcome: Sendable, Hashable {
    /// The lines as the owner reads them.
    case held(ControlLines)
    /// The owner cannot be used: whoever wants a level holds it himself, while he lives.
    case unavailable(OwnerFailure)
  }

  private let places: OwnerPlaces
  private let starter: OwnerStarter
  private let client: String

  /// Seconds for an owner to begin.
  private static let startSeconds = 10.0

  /// Creates a keeper; nothing is started before it is needed.
  ///
  /// - Parameter client: who is calling, for listings: `kelvin power`.
  package init(
    as client: String, places: OwnerPlaces = .standard, starter: OwnerStarter = .standard
  ) {
    self.client = client
    self.places = places
    self.starter = starter
  }

  /// Has lines driven; starts the owner where there is none.
  ///
  /// - Parameters:
  ///   - name: what they are driven for; the port is called so where it is not held yet.
  ///   - powers: whether that powers a board from now on.
  /// - Throws: as ``Owner/Client/drive(_:at:as:powers:until:)``.
  package func drive(
    _ lines: ControlLines, at address: PortAddress, as name: String, powers: Bool,
    until deadline: Deadline
  ) throws(OwnerFailure) -> Outcome {
    let client: Owner.Client
    do throws(OwnerFailure) {
      client = try Owner.Client.connect(
        to: places, as: self.client, starter: starter,
        until: deadline.limited(toSeconds: LineKeeper.startSeconds))
    } catch {
      guard error.code != .interrupted else { throw error }
      return .unavailable(error)
    }
    return .held(
      try client.drive(lines, at: address, as: name, powers: powers, until: deadline).lines)
  }

  /// Lines that an owner holds, as they are now; nil: there is no owner, or it does not hold them.
  package func lines(
    at address: PortAddress, until deadline: Deadline
  ) throws(OwnerFailure) -> ControlLines? {
    guard
      let client = try? Owner.Client.connect(
        to: places, as: self.client, starter: nil, until: deadline)
    else { return nil }
    return try client.lines(at: address, until: deadline)?.lines
  }
}
