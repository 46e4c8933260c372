internal import ArgumentParser
internal import KelvinModel
internal import KelvinSimulators
internal import KelvinSystem

/// `kelvin simulate console`: a board that is reached by its serial console.
struct SimulateConsoleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "console",
    abstract: "Stands in for a board's serial console: a real shell behind a line with faults.",
    discussion: """
      Offers a console on a pseudo terminal (or --tcp, --telnet, --socket), and prints a bench file that \
      means it, to try Kelvin without hardware. What happens is told on standard error. Ends by Ctrl-C, \
      with all that ran on the board.

      The shell is one of this machine, with your rights: what is done on the board is done here. Only \
      'reboot' and its like are the board's own. It listens on 127.0.0.1 alone; whoever may connect \
      there has the shell, and --login keeps nobody out.

      Faults: \(ConsoleFaults.help). On the board, 'fault cut 3', 'fault vanish 3', 'fault panic' and \
      'reboot' have them happen at once; so does a line to the FIFO that is printed first.

      EXAMPLES
        kelvin simulate console --for 600 > console.yaml &
        kelvin target exec simulated --bench console.yaml -- uname -a
        kelvin bench console simulated --bench console.yaml
        kelvin simulate console --shell busybox --boot 5 --countdown 2 --baud 115200
        kelvin simulate console --login root --password kelvin --link /tmp/board
        kelvin simulate console --fault noise=100 --fault lost=0.001
        kelvin simulate console --telnet 2323 --fault vanish=20000:3 -- bash -l
      """)

  @Option(help: "dash, bash, mksh, or busybox, which has its own applets only.")
  var shell: String?

  @Argument(help: "A program in the shell's place, and its arguments.") var program: [String] = []

  @Option(help: "A symbolic link to the terminal, for as long as it goes on.", completion: .file())
  var link: String?

  @Option(help: "The TCP port of 127.0.0.1; 0: a free one.") var tcp: UInt16?

  @Option(help: "The same, by the telnet protocol.") var telnet: UInt16?

  @Option(help: "A unix socket.", completion: .file()) var socket: String?

  @Option(help: "Bits a second of the line; default: as fast as it goes.") var baud: Int?

  @Option(help: "Ask for a login, and let this user in.") var login: String?

  @Option(help: "With --login: ask for this password, too. It guards nothing.")
  var password: String?

  @Option(help: "Boot first, for so many seconds.") var boot: Double?

  @Option(help: "Seconds that a boot loader counts down first.") var countdown = 0

  @Option(help: "The shell's prompt.") var prompt = "# "

  @Option(name: .customLong("fault"), help: "What is wrong with it, several times.")
  var faults: [String] = []

  @Option(name: .customLong("for"), help: "End after this time, such as '10 min'.")
  var duration: TimeArgument?

  func validate() throws {
    try SimulatedBench.check(duration)
    guard [link != nil, tcp != nil, telnet != nil, socket != nil].count(where: { $0 }) < 2 else {
      throw ValidationError("one of --link, --tcp, --telnet and --socket")
    }
    guard shell.map({ BoardShell(rawValue: $0) != nil }) ?? true else {
      throw ValidationError(
        "--shell: dash, bash, mksh or busybox; any other program comes after '--'")
    }
    guard shell == nil || program.isEmpty else {
      throw ValidationError("--shell and a program: one of them")
    }
    guard password == nil || login != nil else { throw ValidationError("--password needs --login") }
    guard (300...10_000_000).contains(baud ?? 300) else {
      throw ValidationError("--baud: 300 to 10000000")
    }
    guard (0...3600).contains(boot ?? 0), (0...99).contains(countdown) else {
      throw ValidationError("--boot: 0 to 3600 s; --countdown: 0 to 99 s")
    }
    _ = try read()
  }

  private func read() throws -> ConsoleFaults {
    var result = ConsoleFaults()
    for fault in faults where !result.add(fault) {
      throw ValidationError("--fault: '\(fault)' is none of \(ConsoleFaults.help)")
    }
    return result
  }

  private var place: ConsolePlace {
    if let tcp { return .tcp(port: tcp) }
    if let telnet { return .telnet(port: telnet) }
    if let socket { return .socket(path: SmallFile.absolute(socket)) }
    return .terminal(link: link.map { SmallFile.absolute($0) })
  }

  func run() async throws {
    let stop = SignalInterrupt.begin()
    var setup = ConsoleSimulator.Setup(place)
    setup.shell = program.isEmpty ? shell.flatMap { BoardShell(rawValue: $0) } ?? .dash : nil
    setup.arguments = program
    setup.prompt = prompt
    setup.login = login.map { BoardConsole.Login(user: $0, password: password) }
    setup.bootSeconds = boot ?? (countdown > 0 ? 1 : nil)
    setup.countdown = countdown
    setup.bitsPerSecond = baud
    setup.faults = try read()
    let simulator = try ConsoleSimulator(setup) { Terminal.standardError.line($0) }
    defer { simulator.end() }
    Terminal.standardOutput.line("# Faults at once: echo cut 3 > \(simulator.controlPath)")
    SimulatedBench.print("a serial console", connection: connection(simulator.address))
    SimulatedBench.wait(duration, stop)
  }

  /// What a bench file says of it.
  private func connection(_ address: String) -> String {
    var login = self.login.map { ", login: \(YAMLText.quoted($0))" } ?? ""
    if password != nil { login += ", password-from: 'env:CONSOLE_PASSWORD'" }
    let port = address.split(separator: ":").last ?? ""
    switch place {
    case .terminal:
      return "{serial: {path: \(YAMLText.quoted(address))\(login)}}"
    case .tcp: return "{tcp: {host: 127.0.0.1, port: \(port)\(login)}}"
    case .telnet: return "{telnet: {host: 127.0.0.1, port: \(port)\(login)}}"
    case .socket(let path): return "{socket: {path: \(YAMLText.quoted(path))\(login)}}"
    }
  }
}
