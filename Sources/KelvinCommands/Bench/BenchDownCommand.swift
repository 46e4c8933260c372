internal import ArgumentParser
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench down`: ends the owner of ports, or its holding of one console or line.
struct BenchDownCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "down",
    abstract: "Closes the consoles and lines that are held, and ends their owner.",
    discussion: """
      Refuses while a command is attached to a console, or while something is to be kept because \
      letting go of it may cut a board's power or reset it; it says which. A line that was switched \
      off is let go. Logs stay.

      EXAMPLES
        kelvin bench down
        kelvin bench down --console rock
        kelvin bench down --console rock.power --force     a line, by its name in 'kelvin bench up'
        kelvin bench down --force
      """)

  @OptionGroup var places: OwnerPlaceOptions

  @Option(help: "Close this console or line only; may be repeated.") var console: [String] = []

  @Flag(help: "Also what is in use or to be kept.") var force = false

  func run() async throws {
    let deadline = Deadline.after(seconds: 30, interrupt: SignalInterrupt.begin())
    let client: Owner.Client
    do throws(OwnerFailure) {
      client = try Owner.Client.connect(
        to: places.places, as: "kelvin bench down", starter: nil, until: deadline)
    } catch {
      guard error.code == .notRunning else { throw error }
      Terminal.standardOutput.line("no owner of ports runs")
      return
    }
    if console.isEmpty {
      let closed = try client.shutDown(force: force, until: deadline)
      for name in closed { Terminal.standardOutput.line("closed \(name)") }
      Terminal.standardOutput.line("owner of ports: process \(client.processID) ended")
    }
    for name in console {
      try client.close(name, force: force, until: deadline)
      Terminal.standardOutput.line("closed \(name)")
    }
  }
}
