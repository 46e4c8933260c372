internal import KelvinModel

/// Options of Workload Automation's trace-cmd instrument that say how its program is used: they are
/// taken where they ask for what happens here anyway, and refused where they do not.
struct TraceOptionOfWA {
  private let name: String
  private let type: OptionType
  /// The value that means what Kelvin does; nil: none.
  private let harmless: Value?
  private let hint: String

  private static let all = [
    TraceOptionOfWA(
      name: "no_install", type: .boolean, harmless: true,
      hint: "nothing is installed: the target needs no trace-cmd"),
    TraceOptionOfWA(
      name: "report", type: .boolean, harmless: false,
      hint: "run 'trace-cmd report trace.dat' on this machine when the run is over"),
    TraceOptionOfWA(
      name: "report_on_target", type: .boolean, harmless: false,
      hint: "the target needs no trace-cmd; run 'trace-cmd report trace.dat' on this machine"),
    TraceOptionOfWA(
      name: "mode", type: .choice(["write-to-memory", "write-to-disk"]),
      harmless: "write-to-memory",
      hint: "the trace stays in the target's memory until the window is over: make buffer_size "
        + "large enough"),
    TraceOptionOfWA(
      name: "buffer_size_step", type: .integer, harmless: nil,
      hint: "the buffer gets the size that buffer_size says, or the job fails")
  ]

  static var declarations: [OptionDeclaration] {
    all.map { option in
      OptionDeclaration(
        option.name, option.type,
        option.harmless.map {
          "For Workload Automation's agendas: only '\($0.display)' is taken, which has no effect."
        } ?? "For Workload Automation's agendas: refused, because it means nothing here.")
    }
  }

  /// - Throws: a configuration failure for the first that cannot be had.
  static func check(_ settings: [String: Value]) throws(PlainFailure) {
    for option in all {
      guard let value = settings[option.name], value != option.harmless else { continue }
      throw PlainFailure(
        .configuration, "\(option.name): '\(value.display)' means nothing to Kelvin's ftrace",
        hint: option.hint)
    }
  }
}
