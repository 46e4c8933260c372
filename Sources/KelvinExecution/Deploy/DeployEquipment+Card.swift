internal import Glibc
internal import KelvinConnections
public import KelvinModel
internal import KelvinSystem
internal import KelvinTargets

extension DeployEquipment {
  /// Writes the card of a board that is off: the multiplexer gives it to this host, and back.
  ///
  /// - Throws: of kind infrastructure: a command that fails, a card that does not come, a write that does.
  func writeCard(
    _ images: DeployImages, board: String, until deadline: Deadline
  ) async throws {
    guard let device = option(.sdMux, "device")?.text, let image = images.deployment.root else {
      throw PlainFailure(.internal, "\(board): 'sd-mux' without a device or an image")
    }
    try await DeployEquipment.runOnHost(words(.sdMux, "to_host"), board: board, until: deadline)
    do {
      try wait(for: device, board: board, until: deadline.limited(toSeconds: 30))
      try CardWriter.write(image, to: device)
    } catch {
      // The board gets its card back, whatever is on it.
      try? await DeployEquipment.runOnHost(
        words(.sdMux, "to_board"), board: board, until: .after(seconds: 60))
      throw error
    }
    try await DeployEquipment.runOnHost(words(.sdMux, "to_board"), board: board, until: deadline)
  }

  /// Gives the board its card back, where a multiplexer has it: whoever had it may have been killed.
  public static func giveCardBack(
    to board: BoardEntry, until deadline: Deadline
  ) async throws {
    let words = board.deploy.options[.sdMux]?["to_board"]?.list?.compactMap(\.text) ?? []
    guard !words.isEmpty else { return }
    try await runOnHost(words, board: board.name, until: deadline)
  }

  private func wait(
    for device: String, board: String, until deadline: Deadline
  ) throws(PlainFailure) {
    while access(device, W_OK) != 0 {
      guard !deadline.hasPassed, !deadline.isInterrupted else {
        throw PlainFailure(
          .infrastructure, "\(board): its card does not come: \(device): \(Errno.current)",
          hint: "does 'to_host' switch it to this host, and may this user write to it?")
      }
      // udev makes the node some time after the card was switched.
      _ = deadline.limited(toSeconds: 0.1).wait()
    }
  }

  private static func runOnHost(
    _ argv: [String], board: String, until deadline: Deadline
  ) async throws {
    let result = try await LocalConnection().execute(
      Command(
        argv, environment: ["KELVIN_BOARD": board], standardOutput: .capture(limit: 65_536),
        standardError: .capture(limit: 65_536)), until: deadline)
    try DeployEquipment.check(result, argv, board)
  }

  static func check(
    _ result: CommandResult, _ argv: [String], _ board: String
  ) throws(PlainFailure) {
    guard !result.isSuccess else { return }
    let said = (result.standardOutput.text + result.standardError.text).trimmingASCIIWhitespace
    throw PlainFailure(
      .infrastructure, "\(board): deploying: \(argv.first ?? "") \(result.termination)",
      evidence: String(said.suffix(1000)))
  }
}
