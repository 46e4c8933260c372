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

  @Flag(
    help: """
      Take over the board from a run that is gone, or on a host that is gone for good; its settings \
      are restored first.
      """)
  var takeOver = false

  @OptionGroup var use: BoardUseOptions

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
    let patience = try PowerOptions.seconds(wait, "--wait")
    let environment = CommandEnvironment.current
    let entry = try bench.board(board, in: bench.read(environment).bench)
    let address = try Self.address(of: entry)
    let resources = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current())
    let lease = try await use.use.take(
      LeaseWish(
        [.init(resources.board(entry), external: entry.lease)], purpose: "kelvin target \(verb)",
        takesOver: takeOver, attends: true,
        note: { Terminal.standardError.line("kelvin: \($0)") },
        // Kelvin has changed no setting that outlives its run.
        restore: { _, _ in }), until: deadline)
    do {
      let result = try await BootloaderSession(board: board).use(
        address, patience: patience, until: deadline, hear: hear, body)
      await Self.giveBack(lease)
      return result
    } catch {
      await Self.giveBack(lease)
      throw error
    }
  }

  private static func giveBack(_ lease: BoardLease?) async {
    for problem in await lease?.giveBack() ?? [] {
      Terminal.standardError.line("kelvin: warning: \(problem)")
    }
  }

  /// Where a board's boot loader is.
  ///
  /// - Throws: of kind configuration when the bench does not say.
  static func address(of entry: BoardEntry) throws -> FastbootAddress {
    let choices = [entry.bootloader, entry.connection].compactMap { $0 }
    guard let choice = choices.first(where: { $0.driver == "fastboot" }) else {
      throw PlainFailure(
        .configuration, "\(entry.location): board '\(entry.name)' has no 'bootloader'",
        hint: "say how it is reached: 'bootloader: {fastboot: {tcp: 10.0.0.7}}'")
    }
    return try FastbootAddress(choice)
  }
}

/// A board's boot loader, used on a thread of the board's own, since it blocks.
actor BootloaderSession {
  private let thread: BoardThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// Starts the thread.
  init(board: String) { thread = BoardThread(name: board) }

  /// Opens the boot loader, and closes it when `body` has ended.
  func use<Result: Sendable>(
    _ address: FastbootAddress, patience: Double, until deadline: Deadline,
    hear: @escaping @Sendable (String) -> Void,
    _ body: @Sendable (FastbootDevice) async throws -> Result
  ) async throws -> Result {
    let device = try await FastbootDevice.open(address, patience: patience, until: deadline)
    defer { device.close() }
    device.hear = hear
    return try await body(device)
  }
}
