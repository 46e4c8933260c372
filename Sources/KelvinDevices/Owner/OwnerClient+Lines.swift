package import KelvinModel

extension Owner.Client {
  /// Has lines driven of the port at an address: of a console that is held, or of a port that is held
  /// for its lines from now on. They keep their level when this client is gone.
  ///
  /// - Parameters:
  ///   - name: what they are driven for; the port is called so where it is not held yet.
  ///   - powers: whether that powers a board from now on, so that nothing lets go of them unasked.
  /// - Returns: the port, with its lines as they are read.
  /// - Throws: `lost` when the port is not there or another program has it, `unsupported` when it has no
  ///   such lines, `conflict` when the name is held at another address.
  package func drive(
    _ lines: ControlLines, at address: PortAddress, as name: String, powers: Bool,
    until deadline: Deadline
  ) throws(OwnerFailure) -> Holding {
    try drive(
      LineDrive(
        name: name, address: address.description, lines: lines, powers: powers,
        milliseconds: Owner.Client.milliseconds(deadline)), until: deadline)
  }

  /// The port that is held at an address, with its lines as they are now; nil: none is.
  package func lines(
    at address: PortAddress, until deadline: Deadline
  ) throws(OwnerFailure) -> Holding? {
    do throws(OwnerFailure) {
      return try drive(
        LineDrive(
          name: "line", address: address.description, isHeldOnly: true,
          milliseconds: Owner.Client.milliseconds(deadline)), until: deadline)
    } catch {
      guard error.code == .unknownConsole else { throw error }
      return nil
    }
  }

  private func drive(_ drive: LineDrive, until deadline: Deadline) throws(OwnerFailure) -> Holding {
    let answer = try perform(.drive(drive), until: deadline)
    return try Holding(answer.header["holding"] ?? .null)
  }
}
