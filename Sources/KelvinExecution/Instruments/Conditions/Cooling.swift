internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// Commands that cool a board while it is waited for: a fan on a relay, a governor, a service.
struct Cooling: Sendable, Hashable {
  enum Place: String, Sendable, CaseIterable { case host, board }

  var start: [String]
  var stop: [String]
  var place = Place.host

  /// Seconds that a command may take: it switches something, and ends.
  private static let seconds = 30.0

  /// Runs one of the two commands to its end.
  ///
  /// - Throws: when it does not end well.
  func run(
    _ words: [String], for target: Target, interrupt: Interrupt? = nil
  ) async throws {
    let connection: any Connection =
      switch place {
      case .host: LocalConnection()
      case .board: target.connection
      }
    // What it leaves running may be what cools.
    let command = Command(words, endsDescendants: false)
    let result = try await connection.execute(
      command, until: .after(seconds: Cooling.seconds, interrupt: interrupt))
    guard result.isSuccess else {
      let text = KernelText.string(result.standardError.bytes[...])
      throw PlainFailure(
        .infrastructure, "cooling: '\(words.joined(separator: " "))' \(result.termination)",
        evidence: String(text.prefix(200)))
    }
  }
}
