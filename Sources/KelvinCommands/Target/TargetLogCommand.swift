internal import ArgumentParser
internal import KelvinConnections
internal import KelvinModel
internal import KelvinTargets

/// `kelvin target log`: what a board logs, as it comes.
struct TargetLogCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log",
    abstract: "Follows a board's log: Android's, systemd's, or its kernel's.",
    discussion: """
      Ends with control-C, when the time is over, or when the connection is lost. A board that is reached \
      by its console alone shows its log when the time is over.

      EXAMPLES
        kelvin target log phone
        kelvin target log phone --buffer crash 'ActivityManager:I' '*:S'
        kelvin target log rock --kernel --root
        kelvin target log rock --lines 100 --for '10 s'

      EXIT CODES
        0 when the time is over; 1 when it ended by itself; 126 when the connection was lost
      """)

  @Argument(help: "The board, by its name in the bench file; local is this machine.")
  var board: String

  @Argument(help: "For logcat: TAG:PRIORITY; default: everything.") var filters: [String] = []

  @Flag(help: "The kernel's.") var kernel = false

  @Option(help: "For logcat: a buffer, such as main or crash; may be repeated.")
  var buffer: [String] = []

  @Option(help: "How many of the last lines come first; of the kernel all that it has.")
  var lines = 10

  @Option(name: .customLong("for"), help: "End after this time, such as '10 s'; default: never.")
  var duration: TimeArgument?

  @Flag(help: "Read it as root, by the way that the bench file's 'become' says.") var root = false

  @OptionGroup var target: TargetOptions

  func validate() throws {
    guard (0...1_000_000).contains(lines) else { throw ValidationError("--lines: 0 to 1000000") }
    if kernel, !filters.isEmpty || !buffer.isEmpty {
      throw ValidationError("filters and --buffer are logcat's")
    }
  }

  func run() async throws {
    let seconds = duration?.seconds
    let interrupt = SignalInterrupt.begin()
    let (isKernel, count, buffers, filters, asRoot) = (kernel, lines, buffer, filters, root)
    let ending: CommandEnding
    do {
      let result = try await target.withTarget(
        board, for: "log", until: Deadline(time: nil, interrupt: interrupt)
      ) { target -> CommandResult in
        let setup = Deadline.after(seconds: 30, interrupt: interrupt)
        var log = isKernel ? TargetLog.kernel : try await TargetLog.system(of: target, until: setup)
        if case .logcat = log {
          log = .logcat(buffers: buffers, filters: filters)
        } else if !buffers.isEmpty || !filters.isEmpty {
          throw ConnectionFailure(
            .unsupported, "\(target.name): filters and --buffer are logcat's, and it has none",
            hint: "leave them out, and look for lines with grep")
        }
        let command = Command(
          log.following(lines: count), standardOutput: .descriptor(1),
          standardError: .descriptor(2), asRoot: asRoot)
        return try await target.connection.execute(
          command, until: .after(seconds: seconds ?? .infinity, interrupt: interrupt))
      }
      ending = CommandEnding(result)
    } catch {
      ending = CommandEnding(error)
    }
    // That is what was asked for.
    if ending.outcome == .timedOut, seconds != nil { return }
    if ending.isWorthAMessage { Terminal.standardError.line("kelvin: \(ending.message)") }
    guard ending.exitCode != 0 else {
      Terminal.standardError.line("kelvin: \(board): its log ended by itself")
      throw CommandExit(code: 1)
    }
    throw CommandExit(
      code: ending.outcome == .exited || ending.outcome == .signaled ? 1 : ending.exitCode)
  }
}
