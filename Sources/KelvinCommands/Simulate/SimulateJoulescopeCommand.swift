internal import ArgumentParser

/// `kelvin simulate joulescope`: an energy analyzer with a known load.
struct SimulateJoulescopeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "joulescope",
    abstract: "Stands in for Jetperch's Joulescope JS110, as a USB device of this kernel.",
    discussion: """
      For a kernel with dummy_hcd and raw_gadget: the bench host's (scripts/virtual-bench). Prints a bench file that \
      means it. 3.3 V less 0.5 ohm; 1.25 mA with a saw for 0.6 ms, then 60 mA for 0.4 ms. An emulated machine takes no \
      2 MS/s: '--with rate=20000' makes it slower. Ends by Ctrl-C, which unplugs it.

      EXAMPLES
        kelvin simulate joulescope --with rate=20000 > analyzer.yaml &
        kelvin measure --bench analyzer.yaml --meter simulated --for '5 s'
        kelvin simulate joulescope --with rate=20000,lose=300:4
      """)

  @OptionGroup var gadget: SimulatedGadgetOptions

  func run() throws {
    try gadget.play(
      "joulescope", serial: "SIMULATED", "a board behind a Joulescope",
      meter: "{driver: joulescope-js110, match: {ID_SERIAL_SHORT: SIMULATED}}")
  }
}
