internal import Glibc
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
  /// How the bench file says that it is reached; nil for this machine.
  let connectionChoice: DriverChoice?
  /// What brings it back when it is lost.
  let equipment: BoardEquipment
  /// How images get onto it.
  let deploy: DeployWays
  /// What its bench file says of it; nil for this machine.
  let entry: BoardEntry?
  /// What is known of boards of its kind; nil for this machine.
  let profile: BoardProfile?
  /// A new connection, which adds to the environment of every command.
  let connection: @Sendable (_ environment: [String: String]) throws -> any Connection

  /// This machine, or a board of the bench.
  ///
  /// - Parameters:
  ///   - remembered: the bench files that an earlier life used.
  ///   - declared: meters that the command line adds to it.
  /// - Throws: every mistake in the bench file; a name that is on no bench; a connection that Kelvin
  ///   cannot make.
  static func find(
    _ name: String, bench: BenchOptions, remembered: [String] = [], meters declared: [String] = [],
    _ environment: CommandEnvironment
  ) throws -> RunBoard {
    let host = try HostIdentity.current()
    if let choice = BoardChoice(rawValue: name) {
      return RunBoard(
        name: name, resources: [.init(.thisMachine(on: host))],
        isExclusive: false, benchFiles: [], console: nil, switchOn: nil, link: .quiet,
        connectionChoice: nil,
        equipment: try hostEquipment(bench, meters: declared, environment), deploy: DeployWays(),
        entry: nil,
        profile: nil,
        connection: { choice.connection(environment: $0) })
    }
    let paths = try bench.paths(remembered: remembered)
    let reading = try bench.read(paths, meters: declared, environment)
    let entry = try bench.board(name, in: reading.bench)
    let known = BenchResources(
      environment.benchDeclarations(environment.hardware), host: host)
    let profile = try environment.hardware.board(named: entry.profile)
    let meters = (entry.meters + reading.commandLineMeters)
      .compactMap { reading.bench.meter(named: $0) }
      .map { LeaseWish.Resource(known.meter($0)) }
    return RunBoard(
      name: name, resources: [.init(known.board(entry), external: entry.lease)] + meters,
      isExclusive: true, benchFiles: paths.map { SmallFile.absolute($0) },
      console: entry.console.map { choice in
        RunConsole.Choice(
          choice: choice, baud: profile.consoleBaud.flatMap(UInt32.init(exactly:)))
      },
      switchOn: PowerRequest.switchingOn(entry, of: reading.bench),
      link: try BoardLink(of: entry, host: RunBoard.powerHost()),
      connectionChoice: entry.connection ?? entry.console,
      equipment: try equipment(of: entry, profile, on: reading, at: paths),
      deploy: entry.deploy.over(profile.deploy), entry: entry,
      profile: profile,
      connection: try connection(of: entry, profile))
  }

  /// The board's settings as a run, or with an empty name a person, changes them.
  ///
  /// - Throws: `StoreFailure` when the bench database cannot be used.
  func settings(of target: Target, run: String) throws(StoreFailure) -> DeviceSettings? {
    guard let resource = resources.first?.resource else { return nil }
    return DeviceSettings(
      target: target, journal: try BenchJournal(resource, run: run), profile: profile)
  }

  /// Whether a run has left settings that are to be put back.
  func hasLeftSettings() -> Bool {
    // Nobody has left anything where there is no bench database, and none is made for the question.
    guard let resource = resources.first?.resource,
      access("\(StateDirectory.path())/\(BenchStore.fileName)", F_OK) == 0,
      let journal = try? BenchJournal(resource, run: "any")
    else { return false }
    return (try? journal.originals().isEmpty) == false
  }

  /// Puts back what a run that is gone has changed.
  func restore(_ inherited: LeaseGrant.Inheritance, until deadline: Deadline) async throws {
    guard hasLeftSettings() else { return }
    try await withSettings(run: "restore") { settings in
      let changes = try await settings.restore(until: deadline.limited(toSeconds: 120))
      guard !changes.isEmpty else { return }
      Terminal.standardError.line(
        "kelvin: \(name): as it was before \(inherited.previous.run): "
          + changes.map(\.description).joined(separator: "; "))
    }
  }

  /// How it is watched while a workload runs; nil: this machine is not.
  var watch: BoardWatch.Options? {
    guard let choice = connectionChoice else { return nil }
    var options = BoardWatch.Options()
    // A question over a console costs a board some CPU time.
    if choice.driver != "ssh", choice.driver != "adb" { options.heartbeat = 60 }
    return options
  }

  /// Says that a run could not put the board's settings back: a board of a bench is taken out.
  func quarantine(after run: String) {
    quarantine(
      reason: "its settings could not be put back after run \(run)",
      evidence: "try 'kelvin target restore \(name)'")
  }

  /// Takes a board of a bench out; this machine is only warned about.
  func quarantine(reason: String, evidence: String = "") {
    let line = "kelvin: warning: \(name): \(reason)" + (evidence.isEmpty ? "" : "; \(evidence)")
    guard isExclusive, let resource = resources.first?.resource else {
      return Terminal.standardError.line(line)
    }
    do {
      try BenchStore.open().quarantine(resource, reason: reason, evidence: evidence)
      Terminal.standardError.line(
        "\(line); it is quarantined: when it is well, 'kelvin bench enable \(name)'")
    } catch {
      Terminal.standardError.line("\(line); \(error)")
    }
  }

  /// Keeps the history of a board of a bench; nil for this machine, which is not judged.
  ///
  /// - Parameter rule: when the board has failed too often; nil: never.
  func healthObserver(run: String, rule: QuarantineRule?) -> HealthObserver? {
    guard isExclusive, let resource = resources.first?.resource else { return nil }
    return HealthObserver(resource, run: run, rule: rule) { quarantine(reason: $0, evidence: $1) }
  }

  /// Works on the board's settings on a thread of its own, through a connection of its own.
  func withSettings<Result: Sendable>(
    run: String, _ body: @escaping @Sendable (DeviceSettings) async throws -> Result
  ) async throws -> Result {
    try await BoardSeat(name).run {
      let target = Target(
        name: name, connection: try connection([:]), runID: "settings-\(getpid())")
      guard let settings = try settings(of: target, run: run) else {
        throw PlainFailure(.internal, "\(name): is no board")
      }
      do {
        let result = try await body(settings)
        await target.disconnect(until: .after(seconds: 5))
        return result
      } catch {
        await target.disconnect(until: .after(seconds: 5))
        throw error
      }
    }
  }

  static func powerHost() -> PowerHost {
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
