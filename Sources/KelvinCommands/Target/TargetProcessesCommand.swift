internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target processes`: what runs on a board, and how to end it.
struct TargetProcessesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "processes",
    abstract: "Lists, awaits and ends processes of a board.",
    discussion: """
      A process is named by its number, its name as 'ps' shows it, its first argument with or without \
      directories, or a pattern of these or of the whole command line with *, ? and [...].

      EXAMPLES
        kelvin target processes rock
        kelvin target processes rock 'stress-ng*' --format json
        kelvin target processes rock sshd --wait --timeout '1 min'
        kelvin target processes rock com.example.app --wait-end
        kelvin target processes rock '*benchmark --all*' --end --root
        kelvin target processes rock 4711 --signal STOP

      EXIT CODES
        0 when there was such a process; 1 when there was none, or a signal was refused; 3 when one that \
      was waited for, or was to end, did not come or go in time
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "Which processes; default: all.") var processes = ""

  @Flag(help: "Wait until there is one.") var wait = false

  @Flag(help: "Wait until none of them is left.") var waitEnd = false

  @Option(help: "Send a signal: a name or a number.") var signal: String?

  @Flag(help: "End them: SIGTERM, and SIGKILL after 2 seconds.") var end = false

  @Flag(help: "Signal as root, by the way that the bench file's 'become' says.") var root = false

  @Option(help: "How long it may take.") var timeout = "30 s"

  @Option(help: "Print as text or json.") var format = OutputFormat.text

  @OptionGroup var target: TargetOptions

  func validate() throws {
    if [wait, waitEnd, end, signal != nil].count(where: { $0 }) > 1 {
      throw ValidationError("--wait, --wait-end, --end and --signal exclude each other")
    }
    if processes.isEmpty, wait || waitEnd || end || signal != nil {
      throw ValidationError("say which processes: all of them is never meant")
    }
    if let signal, SignalName.number(signal) == nil {
      throw ValidationError("--signal \(signal): no signal of this name")
    }
  }

  func run() async throws {
    let deadline = try Deadline.ofCommand(timeout)
    let match = ProcessMatch(processes)
    let number = signal.flatMap { SignalName.number($0) }
    let (waits, waitsForEnd, ends, asRoot) = (wait, waitEnd, end, root)
    let (found, report) = try await target.withTarget(board, for: "processes", until: deadline) {
      target -> ([TargetProcess], SignalReport?) in
      if waits { return ([try await target.waitForProcess(match, until: deadline)], nil) }
      let found = try await target.processes(match, until: deadline)
      if waitsForEnd {
        let left = try await target.waitForEnd(of: found, until: deadline)
        guard left.isEmpty else {
          throw ConnectionFailure(
            .timedOut,
            "\(target.name): still there: "
              + left.map { "\($0.processID) (\($0.name))" }.joined(separator: ", "))
        }
      }
      if let number {
        return (
          found, try await target.signal(found, number, asRoot: asRoot, until: deadline)
        )
      }
      if ends { return (found, try await target.end(found, asRoot: asRoot, until: deadline)) }
      return (found, nil)
    }
    print(found)
    for refusal in report?.refused ?? [] {
      Terminal.standardError.line(
        "kelvin: \(board): \(refusal.process.processID) (\(refusal.process.name)): \(refusal.reason)"
      )
    }
    for process in report?.spared ?? [] {
      Terminal.standardError.line(
        "kelvin: \(board): \(process.processID) (\(process.name)): left alone: Kelvin works by it")
    }
    let isRefused = report.map { !$0.refused.isEmpty || !$0.spared.isEmpty } ?? false
    if found.isEmpty {
      Terminal.standardError.line("kelvin: \(board): no process is '\(processes)'")
    }
    if found.isEmpty || isRefused { throw CommandExit(code: 1) }
  }

  private func print(_ processes: [TargetProcess]) {
    if format == .json {
      return Terminal.standardOutput.line(
        Value.list(
          processes.map { process in
            .map([
              "pid": .integer(Int64(process.processID)),
              "parent": .integer(Int64(process.parentID)), "user": .text(process.user),
              "name": .text(process.name), "state": .text(String(process.state)),
              "resident_bytes": .integer(process.residentBytes),
              "start_ticks": .integer(Int64(clamping: process.startTicks)),
              "arguments": .list(process.arguments.map { .text($0) })
            ])
          }
        ).json)
    }
    guard !processes.isEmpty else { return }
    let rows = processes.map {
      [
        "\($0.processID)", "\($0.parentID)", $0.user, String($0.state),
        "\($0.residentBytes / 1024)", TextTable.printable($0.commandLine)
      ]
    }
    TextTable(
      header: ["PID", "PPID", "USER", "S", "KIB", "COMMAND"], right: [0, 1, 4], rows: rows
    ).print()
  }
}

/// Signals by their names, with the numbers that they have on ARM, x86 and RISC-V (signal(7)).
enum SignalName {
  private static let numbers: [String: Int32] = [
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "CHLD": 17, "CONT": 18,
    "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25,
    "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31
  ]

  /// Reads `TERM`, `SIGTERM` or `15`; nil for what is none.
  static func number(_ text: String) -> Int32? {
    if let number = Int32(text) { return (1...64).contains(number) ? number : nil }
    let name = text.uppercased()
    return numbers[name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name]
  }
}
