internal import KelvinAgenda
internal import KelvinConnections
internal import KelvinDevices
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore
internal import KelvinSystem
internal import KelvinTargets

/// The board of a run: how it is reached, and what must be leased to use it.
struct RunBoard {
  let name: String
  /// The board itself and its meters; of this machine the machine.
  let resources: [LeaseWish.Resource]
  /// Whether it is leased without being asked: boards of a bench are, this machine is not.
  let isExclusive: Bool
  /// The files that describe it, absolute; none for this machine.
  let benchFiles: [String]
  /// The board's console, to be held while the run goes on.
  let console: RunConsole.Choice?
  /// Switches it on when a command that is gone left it off; nil where nothing does.
  let switchOn: (@Sendable (BenchResource, Deadline) async throws -> Void)?
  /// What takes its link away while a detached job runs.
  let link: BoardLink
  /// A new connection, which adds to the environment of every command.
  let connection: @Sendable (_ environment: [String: String]) throws -> any Connection

  /// This machine, or a board of the bench.
  ///
  /// - Parameter remembered: the bench files that an earlier life used.
  /// - Throws: every mistake in the bench file; a name that is on no bench; a connection that Kelvin
  ///   cannot make.
  static func find(
    _ name: String, bench: BenchOptions, remembered: [String] = [],
    _ environment: CommandEnvironment
  ) throws -> RunBoard {
    let host = try HostIdentity.current()
    if let choice = BoardChoice(rawValue: name) {
      return RunBoard(
        name: name, resources: [.init(.thisMachine(on: host))],
        isExclusive: false, benchFiles: [], console: nil, switchOn: nil, link: .quiet,
        connection: { choice.connection(environment: $0) })
    }
    let paths = try bench.paths(remembered: remembered)
    let reading = try bench.read(paths, environment)
    let entry = try bench.board(name, in: reading.bench)
    let known = BenchResources(
      environment.benchDeclarations(environment.hardware), host: host)
    let meters = entry.meters.compactMap { reading.bench.meter(named: $0) }.map {
      LeaseWish.Resource(known.meter($0))
    }
    return RunBoard(
      name: name, resources: [.init(known.board(entry), external: entry.lease)] + meters,
      isExclusive: true, benchFiles: paths.map { SmallFile.absolute($0) },
      console: entry.console.map { choice in
        let profile = try? environment.hardware.board(named: entry.profile)
        return RunConsole.Choice(
          choice: choice, baud: profile?.consoleBaud.flatMap(UInt32.init(exactly:)))
      },
      switchOn: PowerRequest.switchingOn(entry, of: reading.bench),
      link: try BoardLink(of: entry, host: RunBoard.powerHost()),
      connection: try connection(
        of: entry, try? environment.hardware.board(named: entry.profile)))
  }

  /// Refuses a plan that has jobs which this board cannot run.
  func check(_ plan: Plan) throws(PlainFailure) {
    for spec in plan.specs {
      guard let detached = spec.detached, let problem = link.problem(with: detached) else {
        continue
      }
      let place = spec.provenance["link"] ?? spec.provenance["workload"]
      throw PlainFailure(
        .configuration,
        (place.map { "\($0): " } ?? "") + "spec '\(spec.id)' \(problem.text)", hint: problem.hint)
    }
  }

  private static func powerHost() -> PowerHost {
    var host = PowerHost(warn: { Terminal.standardError.line("kelvin: \($0)") })
    host.keeper = LineKeeper(as: "kelvin run")
    return host
  }

  private static func connection(
    of entry: BoardEntry, _ profile: BoardProfile?
  ) throws(PlainFailure) -> @Sendable ([String: String]) throws -> any Connection {
    // A console carries commands, too.
    guard let choice = entry.connection ?? entry.console else {
      throw PlainFailure(
        .configuration, "\(entry.location): board '\(entry.name)' has no 'connection'",
        hint: "say how commands reach it: 'connection: {ssh: {host: 10.0.0.7}}'")
    }
    // What cannot be made is told before anything is touched.
    _ = try Connections.make(choice, of: entry, profile: profile)
    return { try Connections.make(choice, of: entry, profile: profile, environment: $0) }
  }
}
