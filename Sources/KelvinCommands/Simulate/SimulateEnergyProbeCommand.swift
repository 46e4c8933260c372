internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate energy-probe`: an Arm Energy Probe at a board with three rails.
struct SimulateEnergyProbeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "energy-probe",
    abstract: "Stands in for an Arm Energy Probe at a board with three rails.",
    discussion: """
      Speaks its protocol on a pseudo terminal, 10,000 frames a second, and prints a bench file that \
      means it. Rail 'cpu', of 5 V, draws 0.2 A and for 20 ms of each 100 ms 1.2 A with a ripple: 2 W. \
      Rail 'gpu', of 3.3 V, draws 0.3 A with a ripple: 0.99 W. Rail 'memory', of 1.8 V, climbs from 0.2 A \
      to 1.2 A in each 100 ms: 1.2591 W. Arm's caiman can read it, too: 'caiman -l -d PATH -r 0:20 -r 1:50 -r 2:100'. \
      Ends by Ctrl-C, and then tells what was sent.

      EXAMPLES
        kelvin simulate energy-probe --for '10 min' > probe.yaml &
        kelvin measure --bench probe.yaml --meter simulated-energy-probe --for '5 s'
        kelvin simulate energy-probe --fault byte-loss-3 --after 50000
        kelvin simulate energy-probe --fault frame-loss-65536 --after 20000    its numbers cannot show that
        kelvin simulate energy-probe --link /tmp/probe                         a path that stays the same
      """)

  @Option(help: "A symbolic link to the port, for as long as it goes on.", completion: .file())
  var link: String?

  @Option(
    help: "Speak on this serial port: the device's side of a USB gadget, such as /dev/ttyGS0.",
    completion: .file())
  var port: String?

  @Option(help: "What its converter's noise is drawn from.") var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "What happens once: byte-loss-0 to -19, frame-loss-N, noise-N (bytes), flip-BIT, restart, stall, unplug.",
      valueName: "event"))
  var fault: String?

  @Option(help: "After how many frames.") var after: Int64 = 10_000

  @Option(
    help: """
      What it answers: \
      \(EnergyProbeFaults.Answers.allCases.map(\.rawValue).joined(separator: ", ")).
      """)
  var answers = "right"

  @Option(help: "By how much its clock is fast, in ppm.") var skew = 0.0

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    _ = try faults()
    guard (-1e4...1e4).contains(skew) else { throw ValidationError("--skew: -10000 to 10000 ppm") }
    guard port == nil || link == nil else {
      throw ValidationError("--link: a link is to a pseudo terminal, and --port names another port")
    }
    guard after >= 0 else { throw ValidationError("--after: 0 or more") }
  }

  private func faults() throws -> EnergyProbeFaults {
    var faults = EnergyProbeFaults()
    guard let said = EnergyProbeFaults.Answers(rawValue: answers) else {
      throw ValidationError(
        "--answers: one of "
          + EnergyProbeFaults.Answers.allCases.map(\.rawValue).joined(separator: ", "))
    }
    faults.answers = said
    faults.skew = skew * 1e-6
    if let fault {
      guard let event = EnergyProbeFaults.event(named: fault) else {
        throw ValidationError(
          "--fault: byte-loss-0 to -19, frame-loss-N, noise-N, flip-0 to -159, restart, stall, unplug"
        )
      }
      faults.events[after] = event
    }
    return faults
  }

  /// Where the host finds it: what a gadget's port is called there, its own udev knows.
  private func place(_ path: String) -> String {
    port == nil ? "\n    path: \(YAMLText.quoted(path))" : ""
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let device = try SimulatedEnergyProbe(
      EnergyProbeWaveform(seed: seed), faults: faults(), at: port, seed: seed)
    defer { device.stop() }
    let link = try link.map { path throws(PlainFailure) in
      try TerminalLink(path, to: device.path)
    }
    defer { link?.remove() }
    SimulatedBench.print("a board whose rails an Energy Probe measures", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-energy-probe]
      meters:
        simulated-energy-probe:
          driver: arm-energy-probe\(place(link?.path ?? device.path))
          channels:
            0: {site: cpu, shunt: 20 mohm}
            1: {site: gpu, shunt: 50 mohm, fields: [voltage, current]}
            2: {site: memory, shunt: 100 mohm, fields: [power, voltage, current]}
      """)
    SimulatedBench.wait(duration, stop)
    let record = device.record
    Terminal.standardError.line(
      "sent \(record.frames - record.lost) frames since it was started last, lost \(record.lost)")
  }
}
