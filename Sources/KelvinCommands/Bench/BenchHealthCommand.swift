internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench health`: how boards and meters are, and what happened to them.
struct BenchHealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Shows how a board is: its state, why it is out, and what last happened to it.",
    discussion: """
      Without a name: everything that this host's bench database knows. Reads only; needs no \
      permission to write.

      EXAMPLES
        kelvin bench health
        kelvin bench health rock
        kelvin bench health rock --events 100 --format json
      """)

  @Argument(help: "A board or meter by its name in the bench file; local is this machine.")
  var name: String?

  @OptionGroup var bench: BenchOptions
  @Option(help: "How many of the last events are shown of each.") var events = 10
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func validate() throws {
    guard (0...100_000).contains(events) else { throw ValidationError("--events: 0 to 100000") }
  }

  func run() async throws {
    let statuses =
      if let name { [try BenchListing.status(of: resource(name))] } else {
        try BenchListing.read().resources
      }
    let reports = try statuses.map {
      (status: $0, events: try BenchListing.events(of: $0.resource, limit: events))
    }
    switch format {
    case .json:
      Terminal.standardOutput.line(Value.list(reports.map { HealthText.value($0, $1) }).json)
    case .text:
      if reports.isEmpty { Terminal.standardOutput.line("nothing is known of any board or meter") }
      for report in reports { Terminal.standardOutput.write(HealthText.text(report.0, report.1)) }
    }
  }

  private func resource(_ name: String) throws -> BenchResource {
    let host = try HostIdentity.current()
    if BoardChoice(rawValue: name) != nil { return .thisMachine(on: host) }
    let environment = CommandEnvironment.current
    let described = try bench.read(environment).bench
    let resources = BenchResources(
      environment.benchDeclarations(environment.hardware), host: host)
    if let meter = described.meter(named: name) { return resources.meter(meter) }
    return resources.board(try bench.board(name, in: described))
  }
}
