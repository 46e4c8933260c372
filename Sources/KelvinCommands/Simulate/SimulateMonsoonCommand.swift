internal import ArgumentParser

/// `kelvin simulate monsoon`: a power monitor with a known load.
struct SimulateMonsoonCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "monsoon",
    abstract: "Stands in for Monsoon's power monitor, as a USB device of this kernel.",
    discussion: """
      For a kernel with dummy_hcd and raw_gadget: the bench host's (scripts/virtual-bench). Prints a bench file that \
      means it. While its output is on: 12 mA for 0.6 s, then 850 mA for 0.4 s. Ends by Ctrl-C, which unplugs it.

      EXAMPLES
        kelvin simulate monsoon > monsoon.yaml &
        kelvin measure --bench monsoon.yaml --meter simulated --for '5 s'
        kelvin simulate monsoon --model lvpm --with drop=3000:40
      """)

  static let models = ["hvpm", "lvpm"]

  @Option(help: "Which: \(SimulateMonsoonCommand.models.joined(separator: ", ")).")
  var model = "hvpm"

  @OptionGroup var gadget: SimulatedGadgetOptions

  func validate() throws {
    guard Self.models.contains(model) else {
      throw ValidationError("--model: one of \(Self.models.joined(separator: ", "))")
    }
  }

  func run() throws {
    var gadget = gadget
    // The model comes first: what else is said changes it.
    gadget.with = ["model=\(model.dropLast(2))", gadget.with].compactMap(\.self).joined(
      separator: ",")
    try gadget.play(
      "monsoon", serial: "SIMULATED", "a board that a Monsoon supplies",
      meter:
        "{driver: monsoon, match: {ID_SERIAL_SHORT: SIMULATED}, voltage: 3.7 V, max-voltage: 4.2 V}"
    )
  }
}
