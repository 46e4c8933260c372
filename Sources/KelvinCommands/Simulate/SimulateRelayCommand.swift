internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate relay`: a relay board on a pseudo terminal.
struct SimulateRelayCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "relay",
    abstract: "Stands in for a relay board behind a serial adapter.",
    discussion: """
      Speaks the board's protocol on a pseudo terminal, and prints a bench file that means it, to try \
      'kelvin power' without hardware. What is switched is told on standard error. Ends by Ctrl-C.

      EXAMPLES
        kelvin simulate relay --for 600 > relay.yaml &
        kelvin power on simulated --bench relay.yaml
        kelvin power state simulated --bench relay.yaml
        kelvin simulate relay --model devantech --link /tmp/relay    a path that stays the same
      """)

  enum Model: String, ExpressibleByArgument, CaseIterable {
    case lcus, devantech
    case lcusSilent = "lcus-silent"

    var driver: String { self == .devantech ? "devantech" : "lcus" }
    var relays: Int {
      switch self {
      case .lcus: 4
      case .lcusSilent: 1
      // What a USB-RLY08 has, whose id it answers with.
      case .devantech: 8
      }
    }
    var simulated: SimulatedRelayBoard.Model {
      switch self {
      case .lcus: .lcus
      case .lcusSilent: .lcusSilent
      case .devantech: .devantech(id: 8)
      }
    }
  }

  @Option(
    help: "lcus (4 relays, tells its states), lcus-silent (1, tells nothing), devantech (8).")
  var model = Model.lcus

  @Option(help: "A symbolic link to the terminal, for as long as it goes on.", completion: .file())
  var link: String?

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws { try SimulatedBench.check(duration) }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let board = SimulatedRelayBoard(model.simulated, relays: model.relays) { relay, isOn in
      SimulatedBench.tell("relay \(relay)", isOn)
    }
    let server = try DeviceServer(terminal: board)
    defer { server.stop() }
    let link = try link.map { path throws(PlainFailure) in
      try TerminalLink(path, to: server.address)
    }
    defer { link?.remove() }
    SimulatedBench.print(
      "a relay board (\(model.rawValue)) with relays 1 to \(model.relays)",
      power: "{\(model.driver): {path: \(YAMLText.quoted(link?.path ?? server.address)), relay: 1}}"
    )
    SimulatedBench.wait(duration, stop)
  }
}
