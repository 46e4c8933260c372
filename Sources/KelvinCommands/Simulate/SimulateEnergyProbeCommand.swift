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

  @OptionGroup var line: SimulatedLineOptions

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

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    _ = try faults()
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
    faults.skew = line.skew * 1e-6
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

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let device = try SimulatedEnergyProbe(
      EnergyProbeWaveform(seed: seed), faults: faults(), at: line.port, seed: seed)
    defer { device.stop() }
    let link = try line.makeLink(to: device.path)
    defer { link?.remove() }
    SimulatedBench.print("a board whose rails an Energy Probe measures", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-energy-probe]
      meters:
        simulated-energy-probe: {driver: arm-energy-probe, \(line.place(link?.path ?? device.path))channels: {
          0: {site: cpu, shunt: 20 mohm},
          1: {site: gpu, shunt: 50 mohm, fields: [voltage, current]},
          2: {site: memory, shunt: 100 mohm, fields: [power, voltage, current]}}}
      """)
    SimulatedBench.wait(duration, stop)
    let record = device.record
    Terminal.standardError.line(
      "sent \(record.frames - record.lost) frames since it was started last, lost \(record.lost)")
  }
}
