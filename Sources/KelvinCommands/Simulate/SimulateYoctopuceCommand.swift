internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators

/// `kelvin simulate yoctopuce`: a VirtualHub with a Yocto-Watt behind it.
struct SimulateYoctopuceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yoctopuce",
    abstract: "Stands in for a VirtualHub with a Yocto-Watt.",
    discussion: """
      Listens on 127.0.0.1 only, and prints a bench file that means it. The board draws 5 W ± 2 W, a \
      triangle with a period of a second, of which there is a new value each tenth of a second. Yoctopuce's own \
      libraries can read it, too. Ends by Ctrl-C.

      EXAMPLES
        kelvin simulate yoctopuce --for '10 min' > watt.yaml &
        kelvin measure --bench watt.yaml --meter simulated-watt --for '5 s'
        kelvin simulate yoctopuce --port 4444 --fault late
      """)

  static let faults: [(name: String, fault: DeviceFault)] = [
    ("late", .late(seconds: 0.3)), ("cut", .cut), ("garbage", .garbage), ("half", .half),
    ("other-device", .otherDevice), ("silent", .silent)
  ]

  @Option(help: "The TCP port; default: one that is free.") var port: UInt16 = 0

  @Option(
    help: "What is wrong: \(SimulateYoctopuceCommand.faults.map(\.name).joined(separator: ", ")).")
  var fault: String?

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard fault == nil || Self.faults.contains(where: { $0.name == fault }) else {
      throw ValidationError(
        "--fault: one of \(Self.faults.map(\.name).joined(separator: ", "))")
    }
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    let hub = try SimulatedYoctoHub(port: port)
    defer { hub.stop() }
    if let found = Self.faults.first(where: { $0.name == fault }) { hub.fault = found.fault }
    SimulatedBench.print("a board that a Yocto-Watt measures", connection: "local")
    Terminal.standardOutput.line(
      """
          meters: [simulated-watt]
      meters:
        simulated-watt: {driver: yoctopuce, host: 127.0.0.1, port: \(hub.port)}
      """)
    SimulatedBench.wait(duration, stop)
    Terminal.standardError.line("answered \(hub.requests.count) requests")
  }
}
