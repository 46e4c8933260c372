internal import ArgumentParser
internal import KelvinAgenda
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench up`: starts the owner of ports where there is none, has it hold consoles, and lists
/// what it holds.
struct BenchUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Holds consoles in a process of their own, and lists them.",
    discussion: """
      The owner of ports keeps consoles open and logs what they say, whatever becomes of the \
      commands that use them. It starts by itself when it is needed, and ends when it is idle \
      (docs/owner.md). The consoles that the bench file names are opened, or those that are named \
      here; a board may have none, and so may the bench. Lines that 'kelvin power' drives (GPIO, DTR \
      and RTS) are held too, and listed.

      EXAMPLES
        kelvin bench up
        kelvin bench up --bench examples/virtual-bench.yaml
        kelvin bench up --format json
        kelvin bench up --console rock=serial:/dev/serial/by-path/X@1500000
        kelvin bench up --console a=socket:/run/a.sock --console b=telnet:10.0.0.9:4001 --keep

      EXIT CODES
        0 all are open; 1 some are not, and are tried again; 2 bad input
      """)

  @OptionGroup var places: OwnerPlaceOptions
  @OptionGroup var bench: BenchOptions

  @Option(
    help: ArgumentHelp(
      "Have this console held, and not those of the default bench; may be repeated. KIND:WHERE is "
        + ConsoleAddress.forms + ".",
      valueName: "name=kind:where"))
  var console: [ConsoleArgument] = []

  @Flag(help: "Idleness never closes the consoles that are opened.")
  var keep = false

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  func run() async throws {
    let interrupt = SignalInterrupt.begin()
    var failures: [String] = []
    let boards = try described(&failures)
    let deadline = Deadline.after(seconds: 30, interrupt: interrupt)
    let client = try Owner.Client.connect(
      to: places.places, as: "kelvin bench up", until: deadline)
    for (name, address) in boards + console.map({ ($0.name, $0.address) }) {
      do throws(OwnerFailure) {
        let status = try client.open(name, at: address, keep: keep, until: deadline)
        if status.state != .open { failures.append("\(name): \(status.state)") }
      } catch {
        guard error.code == .conflict else { throw error }
        failures.append(error.description)
      }
    }
    try show(client, until: deadline)
    for failure in failures { Terminal.standardError.line("kelvin: \(failure)") }
    if !failures.isEmpty { throw CommandExit.jobNotOK }
  }

  /// The consoles of the bench file; without any bench there are none.
  private func described(_ failures: inout [String]) throws -> [(String, ConsoleAddress)] {
    let environment = CommandEnvironment.current
    if bench.bench == nil {
      let isDescribed = (try? BenchFiles.find(environment: HostEnvironment.variables)) != nil
      guard console.isEmpty, isDescribed else { return [] }
    }
    let hardware = environment.hardware
    var found: [(String, ConsoleAddress)] = []
    for board in try bench.read(environment).bench.boards {
      do {
        guard let address = try ConsoleAddress(of: board, hardware) else { continue }
        found.append((board.name, address))
      } catch {
        // One adapter that is not plugged in does not keep the others from being held.
        failures.append("\(board.name): \(error)")
      }
    }
    return found
  }

  private func show(_ client: Owner.Client, until deadline: Deadline) throws {
    let held = try client.list(until: deadline)
    switch format {
    case .json:
      let values: [String: Value] = [
        "pid": .integer(Int64(client.processID)), "state": .text(client.stateDirectory),
        "consoles": .list(held.filter { $0.kind == .console }.map(\.value)),
        "lines": .list(held.filter { $0.kind == .line }.map(\.value))
      ]
      Terminal.standardOutput.line(Value.map(values).json)
    case .text:
      Terminal.standardOutput.line("owner of ports: process \(client.processID)")
      for holding in held { Terminal.standardOutput.line(Self.line(holding)) }
      if !held.contains(where: { $0.kind == .console }) {
        Terminal.standardOutput.line("no consoles are held")
      }
    }
  }

  /// `rock  serial:/dev/x@115200  open, kept; 1234 bytes logged; kelvin run (77) attached`,
  /// `rock.power  gpio:pinctrl:17  open, kept; high; rock.power on`
  static func line(_ holding: Holding) -> String {
    var parts = ["\(holding.state)\(holding.keep ? ", kept" : "")"]
    if holding.kind == .console {
      var log = "\(holding.end) bytes logged"
      if holding.first > 0 { log += ", the last \(holding.end - holding.first) kept" }
      parts.append(log)
    }
    if !holding.drivers.isEmpty {
      parts.append(holding.lines.description)
      parts.append(
        holding.drivers.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value ? "on" : "off")" }
          .joined(separator: ", "))
    }
    if holding.lost > 0 { parts.append("\(holding.lost) bytes lost") }
    if let problem = holding.logProblem { parts.append("log: \(problem)") }
    if !holding.readers.isEmpty {
      parts.append(holding.readers.joined(separator: ", ") + " attached")
    }
    if let writer = holding.writer { parts.append("\(writer) writes") }
    return
      "\(holding.name)  \(holding.address)  \(parts.filter { !$0.isEmpty }.joined(separator: "; "))"
  }
}
