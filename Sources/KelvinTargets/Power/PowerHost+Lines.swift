internal import KelvinDevices
internal import KelvinModel

extension PowerHost {
  /// Has the owner of ports drive lines, so that they keep their level when this process is gone.
  ///
  /// - Returns: the lines as they are read; nil, after a warning, when no owner can be had.
  func drive(
    _ lines: ControlLines, at address: PortAddress, with keeper: LineKeeper, powers: Bool,
    _ deadline: Deadline
  ) throws(PowerFailure) -> ControlLines? {
    do throws(OwnerFailure) {
      switch try keeper.drive(lines, at: address, as: lineName, powers: powers, until: deadline) {
      case .held(let lines): return lines
      case .unavailable(let failure):
        warn("no owner of ports holds the line: \(failure.description)")
        return nil
      }
    } catch { throw PowerFailure(error) }
  }
}

extension PowerFailure {
  /// What the owner of ports said about a line.
  init(_ failure: OwnerFailure) {
    let kind: FailureKind = failure.code == .unsupported ? .configuration : failure.kind
    self.init(kind, failure.message, evidence: failure.evidence, hint: failure.hint)
  }
}
