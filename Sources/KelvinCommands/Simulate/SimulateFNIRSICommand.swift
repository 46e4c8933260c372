internal import ArgumentParser

/// `kelvin simulate fnirsi`: a USB tester with a known load.
struct SimulateFNIRSICommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fnirsi",
    abstract: "Stands in for FNIRSI's USB tester, as a USB device of this kernel.",
    discussion: """
      For a kernel with dummy_hcd and raw_gadget: the bench host's (scripts/virtual-bench). Prints a bench file that \
      means it. 5.1 V less 50 mohm; 300 mA for 0.6 s, then 1 A for 0.4 s. Ends by Ctrl-C, which unplugs it.

      EXAMPLES
        kelvin simulate fnirsi > tester.yaml &
        kelvin measure --bench tester.yaml --meter simulated --for '5 s'
        kelvin simulate fnirsi --model fnb48 --with drop=50:3
      """)

  /// As the program calls them.
  static let models = ["fnb58", "fnb48"]

  @Option(help: "Which: \(SimulateFNIRSICommand.models.joined(separator: ", ")).")
  var model = "fnb58"

  @OptionGroup var gadget: SimulatedGadgetOptions

  func validate() throws {
    guard Self.models.contains(model) else {
      throw ValidationError("--model: one of \(Self.models.joined(separator: ", "))")
    }
  }

  func run() throws {
    try gadget.play(
      model, serial: "SIMULATED", "a board behind a USB tester",
      meter: "{driver: fnirsi, match: {ID_SERIAL_SHORT: SIMULATED}}")
  }
}
