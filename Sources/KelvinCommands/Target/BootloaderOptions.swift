internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// What commands take that talk to a board's boot loader.
struct BootloaderOptions: ParsableArguments {
  @OptionGroup var bench: BenchOptions

  @Option(help: "How long to wait until the board is in its boot loader.") var wait = "5 s"

  @OptionGroup var hold: BoardHoldOptions

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  /// Leases a board for the moment, opens its boot loader, and gives both back however `body` ends.
  ///
  /// - Parameters:
  ///   - verb: for others who want the board: `flash`.
  ///   - hear: each line that the boot loader says, on the board's own thread.
  func withBootloader<Result: Sendable>(
    of board: String, for verb: String, until deadline: Deadline,
    hear: @escaping @Sendable (String) -> Void,
    _ body: @escaping @Sendable (FastbootDevice) async throws -> Result
  ) async throws -> Result {
    let patience = try DurationText.seconds(wait, "--wait")
    let environment = CommandEnvironment.current
    let entry = try bench.board(board, in: bench.read(environment).bench)
    let address = try Self.address(of: entry)
    let resources = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current())
    return try await hold.holding(
      .init(resources.board(entry), external: entry.lease), for: "kelvin target \(verb)",
      until: deadline
    ) { _ in
      try await BoardSeat(board).run {
        let device = try await FastbootDevice.open(address, patience: patience, until: deadline)
        defer { device.close() }
        device.hear = hear
        return try await body(device)
      }
    }
  }

  /// Where a board's boot loader is.
  ///
  /// - Throws: of kind configuration when the bench does not say.
  static func address(of entry: BoardEntry) throws -> FastbootAddress {
    let choices = [entry.bootloader, entry.connection].compactMap { $0 }
    guard let choice = choices.first(where: { $0.driver == "fastboot" }) else {
      throw PlainFailure(
        .configuration,
        "\(entry.location): board '\(entry.name)' has no 'bootloader' that speaks fastboot",
        hint: "say how it is reached: 'bootloader: {fastboot: {tcp: 10.0.0.7}}'")
    }
    return try FastbootAddress(choice)
  }
}
