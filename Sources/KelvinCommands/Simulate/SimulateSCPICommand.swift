internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate scpi`: a power supply or multimeter with a board behind it.
struct SimulateSCPICommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scpi",
    abstract: "Stands in for a power supply or multimeter that speaks SCPI.",
    discussion: """
      Listens on 127.0.0.1 only, and prints a bench file that means it. The board behind channel 1 \
      draws 100 mA ± 50 mA, a triangle with a period of a second, at the voltage that is set (5 V, and \
      on, at its begin). pyvisa and sigrok-cli can read it, too. Ends by Ctrl-C, and then tells what it \
      was set to.

      EXAMPLES
        kelvin simulate scpi --for '10 min' > psu.yaml &
        kelvin measure --bench psu.yaml --meter simulated-psu --for '5 s'
        kelvin simulate scpi --profile rs-ngm202 --logging         FastLog, a thousand samples a second
        kelvin simulate scpi --fault silent --after 100
        sigrok-cli -d scpi-pps:conn=tcp-raw/127.0.0.1/5555 --samples 10     while it runs with --port 5555
      """)

  static let faults = [
    "none", "slow", "silent", "twice", "wrong", "cut", "shift", "overload", "nan", "error"
  ]

  @Option(
    help: "What it is: \(SCPIModel.allCases.map(\.rawValue).joined(separator: ", ")).",
    completion: .list(SCPIModel.allCases.map(\.rawValue)))
  var profile = SCPIModel.dp832.rawValue

  @Option(help: "The TCP port; default: one that is free.") var port: UInt16 = 0

  @Option(help: "What channel 1 is set to at its begin, in volts; 0: it is off.") var volts = 5.0

  @Option(help: "By how much currents are off at most, in amperes.") var noise = 0.0

  @Option(help: "How long each answer takes, in milliseconds.") var delay = 0.0

  @Option(help: "What is wrong: \(SimulateSCPICommand.faults.joined(separator: ", ")).")
  var fault = "none"

  @Option(help: "After how many values.") var after = 100

  @Flag(help: "Let the bench file ask for the instrument's own logging.") var logging = false

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard SCPIModel(rawValue: profile) != nil else {
      throw ValidationError(
        "--profile: one of " + SCPIModel.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard fault == "none" || SCPIFaults.event(named: fault) != nil, after >= 0 else {
      throw ValidationError("--fault: one of \(Self.faults.joined(separator: ", "))")
    }
    guard (0...32).contains(volts) else { throw ValidationError("--volts: 0 to 32") }
    guard (0...1).contains(noise) else { throw ValidationError("--noise: 0 to 1 A") }
    guard (0...10_000).contains(delay) else { throw ValidationError("--delay: 0 to 10000 ms") }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let model = SCPIModel(rawValue: profile) ?? .generic
    var faults = SCPIFaults()
    faults.noise = noise
    faults.delay = delay / 1000
    if let event = SCPIFaults.event(named: fault) { faults.events[after + 1] = event }
    let instrument = SCPIInstrument(model, faults: faults, volts: volts > 0 ? volts : nil)
    let server = try SimulatedSCPI(instrument, port: port)
    defer { server.stop() }
    SimulatedBench.print("a board that a bench supply measures", connection: "local")
    let more = logging ? ", logging: true, rate: 1 kHz" : ""
    Terminal.standardOutput.line(
      """
          meters: [simulated-psu]
      meters:
        simulated-psu: {driver: scpi, host: 127.0.0.1, port: \(server.port)\(more)}
      """)
    SimulatedBench.wait(duration, stop)
    let state = instrument.now
    Terminal.standardError.line("answered \(state.answers.count) values")
    for (number, output) in state.outputs.enumerated() where !model.isMeter {
      Terminal.standardError.line(
        "channel \(number + 1): \(output.voltage) V, at most \(output.currentLimit) A, "
          + (output.isOn ? "on" : "off"))
    }
  }
}
