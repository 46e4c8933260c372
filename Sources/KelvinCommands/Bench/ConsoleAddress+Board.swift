internal import KelvinAgenda
internal import KelvinDevices
internal import KelvinModel

extension ConsoleAddress {
  /// Where a board's console is, as the bench file and the board's profile say; nil: it has none.
  ///
  /// - Throws: when its adapter is not there, or the owner of ports cannot hold it.
  init?(of board: BoardEntry, _ hardware: HardwareProfiles) throws {
    guard let choice = board.console else { return nil }
    let baud = try hardware.board(named: board.profile).consoleBaud
    try self.init(choice, baud: baud.flatMap(UInt32.init(exactly:)))
  }
}
