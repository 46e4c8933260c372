internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate otii`: Otii's server with an Arc or Ace behind it.
struct SimulateOtiiCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "otii",
    abstract: "Stands in for Otii's server with an Arc or Ace.",
    discussion: """
      Listens on 127.0.0.1 only, and prints a bench file that means it. The board draws 10 mA ± 5 mA, a \
      triangle with a period of a second, as soon as the main output is on; the bench file sets 3.3 V. \
      Qoitech's otii-tcp-client can control and read it, too. Ends by Ctrl-C, and then tells what was recorded.

      EXAMPLES
        kelvin simulate otii --for '10 min' > otii.yaml &
        kelvin measure --bench otii.yaml --meter simulated-otii --for '5 s'
        kelvin simulate otii --model ace --port 1905
        kelvin simulate otii --fault loss --after 20        a second is missing, and no time stamp tells it
      """)

  @Option(
    help: "What it is: arc or ace.", completion: .list(OtiiUnit.Model.allCases.map(\.rawValue)))
  var model = OtiiUnit.Model.arc.rawValue

  @Option(help: "The TCP port; default: one that is free.") var port: UInt16 = 0

  @Option(help: "By how much its clock is fast, in ppm.") var skew = 0.0

  @Option(help: "What is wrong: \(OtiiFaults.names.joined(separator: ", ")).")
  var fault: String?

  @Option(help: "After how many answers with samples.") var after = 20

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard OtiiUnit.Model(rawValue: model) != nil else {
      throw ValidationError("--model: arc or ace")
    }
    guard fault.map({ OtiiFaults.event(named: $0) != nil }) ?? true, after >= 0 else {
      throw ValidationError("--fault: one of \(OtiiFaults.names.joined(separator: ", "))")
    }
    guard (-1e4...1e4).contains(skew) else { throw ValidationError("--skew: -10000 to 10000 ppm") }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    var faults = OtiiFaults()
    faults.skew = skew * 1e-6
    if let fault { faults.events[after + 1] = OtiiFaults.event(named: fault) }
    let otii = SimulatedOtii(OtiiUnit.Model(rawValue: model) ?? .arc, faults: faults)
    let server = try DeviceServer(tcp: otii, port: port)
    defer { server.stop() }
    SimulatedBench.print("a board that an Otii supplies", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-otii]
      meters:
        simulated-otii: {driver: otii, port: \(server.address), \
      voltage: 3.3 V, max-voltage: 3.6 V, output: on}
      """)
    SimulatedBench.wait(duration, stop)
    let unit = otii.now
    Terminal.standardError.line(
      "\(unit.recorded) recordings, \(unit.said) answers with samples; "
        + "main output \(unit.volts) V, \(unit.isOn ? "on" : "off")")
  }
}
