internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate iiod`: a libiio daemon with current sensors behind it.
struct SimulateIIODCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iiod",
    abstract: "Stands in for an iiod with INA226 chips, such as a BayLibre ACME.",
    discussion: """
      Listens on 127.0.0.1 only, and prints a bench file that means it. libiio's own tools can read it, \
      too. What it measures is known: --truth writes it to a file. Ends by Ctrl-C.

      EXAMPLES
        kelvin simulate iiod --for 600 > iiod.yaml &
        kelvin simulate iiod --rate 10000 --truth truth.csv
        kelvin simulate iiod --fault gap --after 5000      the kernel's buffer runs over once
        iio_info -u ip:127.0.0.1                           while it runs with --port 30431
      """)

  /// As its documentation calls them.
  static let faults = [
    "none", "cut", "truncation", "byte-loss", "eio", "stall", "huge-length", "gap", "wrong-mask",
    "truncated-description"
  ]

  @Option(help: "Samples a second of each chip.") var rate = 1000.0

  @Option(help: "How many chips, each a device of its own.") var probes = 2

  @Option(help: "The TCP port; default: one that is free; iiod's own is 30431.")
  var port: UInt16 = 0

  @Option(help: "A file for what was true at each scan that was sent.", completion: .file())
  var truth: String?

  @Option(help: "What is wrong: \(SimulateIIODCommand.faults.joined(separator: ", ")).")
  var fault = "none"

  @Option(help: "After how many scans.") var after = 1000

  @Option(help: "By how much the board's clock is fast, in ppm.") var skew = 0.0

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard (1e-3...1e6).contains(rate) else { throw ValidationError("--rate: 0.001 to 1000000") }
    guard (1...8).contains(probes) else { throw ValidationError("--probes: 1 to 8") }
    guard IIODFault.named(fault, after: after) != nil, after >= 0 else {
      throw ValidationError("--fault: one of \(Self.faults.joined(separator: ", "))")
    }
    guard (-1e5...1e5).contains(skew) else {
      throw ValidationError("--skew: -100000 to 100000 ppm")
    }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let board = IIODBoard(rate: rate, probes: probes, clockSkew: skew * 1e-6)
    let server = try SimulatedIIOD(
      board, port: port, fault: IIODFault.named(fault, after: after) ?? .none, truthPath: truth)
    defer { server.stop() }
    SimulatedBench.print("a board whose supply an iiod measures", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-iiod]
      meters:
        simulated-iiod: {driver: iiod, host: 127.0.0.1, port: \(server.port), device: probe1}
      """)
    SimulatedBench.wait(duration, stop)
  }
}
