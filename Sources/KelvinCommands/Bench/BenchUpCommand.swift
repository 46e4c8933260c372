internal import ArgumentParser
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench up`: starts the owner of ports where there is none, has it hold consoles, and lists
/// what it holds.
struct BenchUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Holds consoles in a process of their own, and lists them.",
    discussion: """
      The owner of ports keeps consoles open and logs what they say, whatever becomes of the commands
      that use them. It starts by itself when it is needed, and ends when it is idle (docs/owner.md).

      EXAMPLES
        kelvin bench up
        kelvin bench up --format json
        kelvin bench up --console rock=serial:/dev/serial/by-path/X@1500000
        kelvin bench up --console a=socket:/run/a.sock --console b=telnet:10.0.0.9:4001 --keep
      """)

  @OptionGroup var places: OwnerPlaceOptions

  @Option(
    help: ArgumentHelp(
      "Have a console held; may be repeated. KIND:WHERE is serial:PATH[@BAUD], socket:PATH, "
        + "pty:PATH, tcp:HOST:PORT or telnet:HOST:PORT.", valueName: "name=kind:where"))
  var console: [ConsoleArgument] = []

  @Flag(help: "Idleness never closes the consoles that are named.")
  var keep = false

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let deadline = Deadline.after(seconds: 30, interrupt: SignalInterrupt.begin())
    let client = try Owner.Client.connect(
      to: places.places, as: "kelvin bench up", until: deadline)
    for console in console {
      _ = try client.open(console.name, at: console.address, keep: keep, until: deadline)
    }
    let held = try client.list(until: deadline)
    switch format {
    case .json:
      let values: [String: Value] = [
        "pid": .integer(Int64(client.processID)), "state": .text(client.stateDirectory),
        "consoles": .list(held.map(\.value))
      ]
      Terminal.standardOutput.line(Value.map(values).json)
    case .text:
      Terminal.standardOutput.line("owner of ports: process \(client.processID)")
      for console in held { Terminal.standardOutput.line(Self.line(console)) }
      if held.isEmpty { Terminal.standardOutput.line("no consoles are held") }
    }
    let named = Set(console.map(\.name))
    let isLost = held.contains { named.contains($0.name) && $0.state != .open }
    if isLost { throw CommandExit.jobNotOK }
  }

  /// `rock  serial:/dev/x@115200  open, kept; 1234 bytes logged; kelvin run (77) attached, writes`
  static func line(_ console: ConsoleStatus) -> String {
    var parts = ["\(console.state)\(console.keep ? ", kept" : "")"]
    var log = "\(console.end) bytes logged"
    if console.first > 0 { log += ", the last \(console.end - console.first) kept" }
    parts.append(log)
    if console.lost > 0 { parts.append("\(console.lost) bytes lost") }
    if let problem = console.logProblem { parts.append("log: \(problem)") }
    if !console.readers.isEmpty {
      parts.append(console.readers.joined(separator: ", ") + " attached")
    }
    if let writer = console.writer { parts.append("\(writer) writes") }
    return "\(console.name)  \(console.address)  \(parts.joined(separator: "; "))"
  }
}
