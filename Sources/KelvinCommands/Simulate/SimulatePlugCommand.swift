internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate plug`: a plug with an HTTP interface on the loopback interface.
struct SimulatePlugCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plug",
    abstract: "Stands in for a plug with an HTTP interface.",
    discussion: """
      Listens on 127.0.0.1 only, and prints a bench file that means it, to try 'kelvin power' without \
      hardware. What is switched is told on standard error. Ends by Ctrl-C.

      EXAMPLES
        kelvin simulate plug --for 600 > plug.yaml &
        kelvin power cycle simulated --off-for '1 s' --bench plug.yaml
        kelvin simulate plug --model shelly2 --port 8080
        kelvin simulate plug --model shelly2 --metered > plug.yaml    one that measures, 4 W and 6 W in turns
      """)

  enum Model: String, ExpressibleByArgument, CaseIterable {
    case tasmota, shelly1, shelly2

    var driver: String { self == .tasmota ? "tasmota" : "shelly" }
    /// The number of the first output, as its firmware counts.
    var first: Int { self == .tasmota ? 1 : 0 }
    var simulated: SimulatedPlug.Model {
      switch self {
      case .tasmota: .tasmota(password: nil)
      case .shelly1: .shelly1
      case .shelly2: .shelly2
      }
    }
  }

  @Option(help: "tasmota, shelly1 (first generation) or shelly2 (second and later).")
  var model = Model.tasmota

  @Option(help: "How many outputs it has.") var outputs = 1

  @Flag(help: "It is on, and measures what it gives: 4 W and 6 W, a second each.")
  var metered = false

  @Option(help: "The TCP port; default: one that is free.") var port: UInt16 = 0

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard (1...8).contains(outputs) else { throw ValidationError("--outputs: 1 to 8") }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let first = model.first
    let plug = SimulatedPlug(model.simulated, outputs: outputs, meter: metered ? PlugMeter() : nil)
    {
      index, isOn in
      SimulatedBench.tell("output \(index + first)", isOn)
    }
    let server = try DeviceServer(tcp: plug, port: port)
    defer { server.stop() }
    let last = first + outputs - 1
    SimulatedBench.print(
      "a plug (\(model.rawValue)) with "
        + (outputs == 1 ? "output \(first)" : "outputs \(first) to \(last)"),
      power: "{\(model.driver): {host: 127.0.0.1, port: \(server.address), output: \(first)}}")
    if metered {
      let driver = model == .tasmota ? "tasmota" : "shelly"
      Terminal.standardOutput.line(
        """
            meters: [simulated-plug]
        meters:
          simulated-plug: {driver: plug, model: \(driver), host: 127.0.0.1, port: \(server.address)}
        """)
    }
    SimulatedBench.wait(duration, stop)
  }
}
