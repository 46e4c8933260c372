internal import ArgumentParser
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench who`: who has which board or meter, and what nobody gets.
struct BenchWhoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "who",
    abstract: "Shows who has or keeps which board or meter, and which ones are taken out.",
    discussion: """
      All bench files of this host together. Reads only; needs no permission to write.

      EXAMPLES
        kelvin bench who
        kelvin bench who --all                         those that are free, too
        kelvin bench who --format json
      """)

  @Flag(help: "Also what is free.") var all = false
  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let statuses = try BenchListing.read().resources.filter {
      all || $0.state != .free || $0.reservation != nil || $0.outage != nil
    }
    switch format {
    case .json:
      Terminal.standardOutput.line(Value.list(statuses.map(StatusText.value)).json)
    case .text:
      if statuses.isEmpty {
        Terminal.standardOutput.line("nobody has or keeps anything, and nothing is taken out")
      }
      let names = statuses.map { "\($0.resource.kind.rawValue) \($0.resource.name)" }
      let width = names.map(\.count).max() ?? 0
      for (name, status) in zip(names, statuses) {
        let padding = String(repeating: " ", count: width - name.count)
        Terminal.standardOutput.line("\(name)\(padding)  \(StatusText.details(of: status))")
      }
    }
  }
}
