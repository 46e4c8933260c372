internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate ppk2`: a Power Profiler Kit II with a board behind it.
struct SimulatePPK2Command: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ppk2",
    abstract: "Stands in for a Nordic PPK2 with a board behind it.",
    discussion: """
      Speaks its protocol on a pseudo terminal, 100,000 samples a second, and prints a bench file that \
      means it. The board sleeps at 2.5 uA, works at 8 mA for 20 ms of each 100 ms, and sends at 120 mA \
      for 5 ms of each second: a mean of 2.16 mA. Nordic's application, ppk2-api and ppk2lab can read it, \
      too, when they are told its path. Ends by Ctrl-C, and then tells what was sent.

      EXAMPLES
        kelvin simulate ppk2 --for '10 min' > ppk2.yaml &
        kelvin measure --bench ppk2.yaml --meter simulated-ppk2 --for '5 s'
        kelvin simulate ppk2 --fault byte-loss-2 --after 50000
        kelvin simulate ppk2 --fault sample-loss-64 --after 200000     its counter cannot show that
        kelvin simulate ppk2 --link /tmp/ppk2                          a path that stays the same
      """)

  @OptionGroup var line: SimulatedLineOptions

  @Option(help: "What its calibration is drawn from.") var seed: UInt64 = 1

  @Option(help: "How far its gains may be off what it says, in percent.") var error = 0.0

  @Option(
    help: ArgumentHelp(
      "What happens once: byte-loss-0 to -3, sample-loss-N, noise-N (bytes), flip-BIT, stall, unplug.",
      valueName: "event"))
  var fault: String?

  @Option(help: "After how many samples.") var after: Int64 = 100_000

  @Option(
    help: """
      What it says of itself: \
      \(PPK2Faults.Metadata.allCases.map(\.rawValue).joined(separator: ", ")).
      """)
  var metadata = "right"

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    _ = try faults()
    guard (0...50).contains(error) else { throw ValidationError("--error: 0 to 50 percent") }
    guard after >= 0 else { throw ValidationError("--after: 0 or more") }
  }

  private func faults() throws -> PPK2Faults {
    var faults = PPK2Faults()
    guard let said = PPK2Faults.Metadata(rawValue: metadata) else {
      throw ValidationError(
        "--metadata: one of "
          + PPK2Faults.Metadata.allCases.map(\.rawValue).joined(separator: ", "))
    }
    faults.metadata = said
    faults.skew = line.skew * 1e-6
    if let fault {
      guard let event = PPK2Faults.event(named: fault) else {
        throw ValidationError(
          "--fault: byte-loss-0 to -3, sample-loss-N, noise-N, flip-0 to -31, stall, unplug")
      }
      faults.events[after] = event
    }
    return faults
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let device = try SimulatedPPK2(
      PPK2Unit(seed: seed, error: error / 100), faults: faults(), at: line.port, seed: seed)
    defer { device.stop() }
    let link = try line.makeLink(to: device.path)
    defer { link?.remove() }
    SimulatedBench.print("a board whose supply a PPK2 measures", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-ppk2]
      meters:
        simulated-ppk2: {driver: ppk2, \(line.place(link?.path ?? device.path))\
      mode: source, voltage: 3.3 V, inputs: [D0, D1]}
      """)
    SimulatedBench.wait(duration, stop)
    let record = device.record
    Terminal.standardError.line(
      "sent \(record.samples - record.lost) samples since it was started last, lost \(record.lost)")
  }
}
