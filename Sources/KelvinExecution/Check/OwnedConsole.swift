package import KelvinDevices
package import KelvinModel

/// Asks a console for a prompt through the owner of ports, which holds it from then on: what the
/// board says while it is asked stands in the console's log as well.
package struct OwnedConsole: Sendable {
  private let places: OwnerPlaces
  private let baud: @Sendable (BoardEntry) -> UInt32?

  /// Creates a way to ask.
  ///
  /// - Parameter baud: the rate of a board's console when its bench file names none.
  package init(
    places: OwnerPlaces = .standard,
    baud: @escaping @Sendable (BoardEntry) -> UInt32? = { _ in nil }
  ) {
    self.places = places
    self.baud = baud
  }

  /// Presses return until one of the prompts shows, once a second: a board that boots does not
  /// listen yet.
  ///
  /// - Returns: nil when the deadline passed without one.
  /// - Throws: `OwnerFailure`, `DeviceFailure`: the console could not be opened, or another client
  ///   writes to it.
  package func prompt(
    of board: BoardEntry, _ console: DriverChoice, among prompts: [ConsolePrompt],
    until deadline: Deadline
  ) throws -> ConsolePrompt? {
    let client = try Owner.Client.connect(to: places, as: "kelvin bench check", until: deadline)
    let status = try client.open(
      console: board.name, console, baud: baud(board), until: deadline)
    if case .lost(let reason) = status.state { throw OwnerFailure(.lost, reason) }
    var attachment = try client.attach(board.name, from: .end, until: deadline)
    try client.takeWriter(board.name, until: deadline)
    var seen: [UInt8] = []
    while !deadline.hasPassed, !deadline.isInterrupted {
      try client.write([UInt8(ascii: "\r")], to: board.name, until: deadline)
      let patience = deadline.limited(toSeconds: 1)
      while let news = try client.news(of: &attachment, until: patience) {
        if case .lost(let reason)? = news.newState { throw OwnerFailure(.lost, reason) }
        seen = (seen + news.bytes).suffix(65_536)
        // The echo of the key alone is no answer: something must follow it.
        if let prompt = ConsolePrompt.shown(at: seen, of: prompts) { return prompt }
      }
    }
    return nil
  }
}
