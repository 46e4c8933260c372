internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench health`: how boards and meters are, and what happened to them.
struct BenchHealthCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "health",
    abstract: "Shows how boards are: state, jobs, recoveries, flake rate, and what last happened.",
    discussion: """
      Without a name: a table of everything that this host's bench database knows. With one: why \
      it is out, how its jobs ended, how it was brought back and how long that took, and what last \
      happened to it. Reads only; needs no permission to write.

      FLAKY is the share of jobs that ended 'failed: target' or 'failed: infrastructure', or whose \
      attempts disagreed, with the interval that holds the true share with 95 % confidence \
      (Wilson). The time to recover goes from the finding until the board could be used again.

      EXAMPLES
        kelvin bench health
        kelvin bench health rock
        kelvin bench health rock --events 100 --format json
      """)

  @Argument(help: "A board or meter by its name in the bench file; local is this machine.")
  var name: String?

  @OptionGroup var bench: BenchOptions
  @Option(help: "How many of the last events and recoveries are shown.") var events = 10
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
      HealthReport(
        status: $0, history: try BenchListing.history(of: $0.resource, recoveries: events),
        events: try BenchListing.events(of: $0.resource, limit: events))
    }
    switch format {
    case .json:
      Terminal.standardOutput.line(Value.list(reports.map(HealthText.value)).json)
    case .text:
      if reports.isEmpty { Terminal.standardOutput.line("nothing is known of any board or meter") }
      if name == nil {
        if !reports.isEmpty { HealthText.table(reports).print() }
      } else {
        for report in reports { Terminal.standardOutput.write(HealthText.text(report)) }
      }
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
