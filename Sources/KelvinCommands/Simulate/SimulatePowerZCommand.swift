internal import ArgumentParser

/// `kelvin simulate power-z`: a USB tester with a known load.
struct SimulatePowerZCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "power-z",
    abstract: "Stands in for ChargerLAB's POWER-Z, as a USB device of this kernel.",
    discussion: """
      For a kernel with dummy_hcd and raw_gadget: the bench host's (scripts/virtual-bench). Prints a bench file that \
      means it. 5 V; 100 mA for 0.6 s, then 1.5 A for 0.4 s. Ends by Ctrl-C, which unplugs it.

      EXAMPLES
        kelvin simulate power-z > tester.yaml &
        kelvin measure --bench tester.yaml --meter simulated --for '5 s'
        kelvin simulate power-z --model km002c --with lose=3000:25
      """)

  /// As the program calls them.
  static let models = ["km003c", "km002c"]

  @Option(help: "Which: \(SimulatePowerZCommand.models.joined(separator: ", ")).")
  var model = "km003c"

  @OptionGroup var gadget: SimulatedGadgetOptions

  func validate() throws {
    guard Self.models.contains(model) else {
      throw ValidationError("--model: one of \(Self.models.joined(separator: ", "))")
    }
  }

  func run() throws {
    try gadget.play(
      model, serial: "SIMULATED", "a board behind a USB tester",
      meter: "{driver: km003c, match: {ID_SERIAL_SHORT: SIMULATED}}")
  }
}
