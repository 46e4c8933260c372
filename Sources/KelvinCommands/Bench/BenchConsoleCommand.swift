internal import ArgumentParser
internal import CLinux
internal import Glibc
internal import KelvinAgenda
internal import KelvinDevices
internal import KelvinExecution
internal import KelvinModel
internal import KelvinStore

/// `kelvin bench console`: this terminal as a console that the owner of ports holds.
struct BenchConsoleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "console", abstract: "Connects this terminal to a console; leave by Ctrl-].",
    discussion: """
      The console stays held, and its log goes on, when this command ends. Several may read a \
      console; one at a time writes to it. Without a terminal, standard input is sent as it is. A \
      board of the bench is opened when it is not held yet.

      Reading asks nobody. To write to the console of a board of the bench, nobody else may have \
      or keep the board; nothing is leased for it, so that your own runs may begin meanwhile.

      EXAMPLES
        kelvin bench console rock
        kelvin bench console rock --from -2000         the last 2000 bytes first
        kelvin bench console rock --read-only
        kelvin bench console a --address socket:/run/a.sock     what is in no bench file
        kelvin bench console rock --from first --for 5 > rock.txt
      """)

  @OptionGroup var places: OwnerPlaceOptions
  @OptionGroup var bench: BenchOptions
  @OptionGroup var use: BoardUseOptions

  @Argument(help: "The console's name: that of its board.") var name: String

  @Option(help: "Where it is, when it is not held yet: KIND:WHERE, as for 'kelvin bench up'.")
  var address: String?

  @Option(
    parsing: .unconditional,
    help: "Where to begin: first, end, a position in the log, or -N for N bytes before the end.")
  var from = "end"

  @Flag(help: "Send nothing.") var readOnly = false

  @Flag(help: "Take the right to write from another client.") var takeOver = false

  @Flag(help: "Idleness never closes it.") var keep = false

  @Option(name: .customLong("for"), help: "Leave after this time, such as '30 s'.")
  var duration: TimeArgument?

  func validate() throws {
    _ = try position()
    guard Owner.isValidName(name) else { throw ValidationError("'\(name)': no name of a console") }
  }

  private func position() throws -> ConsolePosition {
    switch from {
    case "first": return .first
    case "end": return .end
    default:
      if from.hasPrefix("-"), let count = UInt64(from.dropFirst()) { return .last(count) }
      guard let position = UInt64(from) else {
        throw ValidationError("--from: first, end, a position, or -N for N bytes before the end")
      }
      return .position(position)
    }
  }

  /// The board of this name; a console that is none of the bench's belongs to nobody.
  private func board() throws -> BoardEntry? {
    if bench.bench == nil, (try? bench.paths()) == nil { return nil }
    return try bench.read(.current).bench.board(named: name)
  }

  /// Asks who has the board.
  private func mayWrite(_ entry: BoardEntry) throws {
    let environment = CommandEnvironment.current
    let resources = BenchResources(
      environment.benchDeclarations(environment.hardware), host: try HostIdentity.current())
    do {
      try use.use.check(resources.board(entry))
    } catch {
      let failure = PlainFailure(error)
      throw PlainFailure(
        failure.kind, failure.message, evidence: failure.evidence,
        hint: failure.hint + "; --read-only reads it all the same")
    }
  }

  func run() async throws {
    // A bench file with mistakes keeps nobody from reading what is held.
    let board = readOnly && bench.bench == nil ? try? board() : try board()
    if !readOnly, let board { try mayWrite(board) }
    let interrupt = SignalInterrupt.begin()
    let isTerminal = isatty(0) == 1
    var options = ConsoleRelay.Options(name: name)
    options.address = try address.map { text throws(OwnerFailure) in try ConsoleAddress(text) }
    var absence: (any Error)?
    if options.address == nil, let board {
      do {
        options.address = try ConsoleAddress(of: board, CommandEnvironment.current.hardware)
      } catch {
        // It may be held all the same, with all that it said before it was unplugged.
        absence = error
      }
    }
    options.position = try position()
    options.keep = keep
    options.writes = !readOnly
    options.takesOver = takeOver
    options.escape = isTerminal ? 0x1D : nil
    let places = places.places
    // A reader alone need not begin by starting an owner; one that goes on after its death must.
    let starter: OwnerStarter? = options.address == nil ? nil : .standard
    var isFirst = true
    let relay: ConsoleRelay
    do throws(OwnerFailure) {
      relay = try ConsoleRelay(
        options, input: 0, output: 1,
        report: { line in Terminal.standardError.write("\r\nkelvin: \(line)\r\n") },
        until: .after(seconds: 30, interrupt: interrupt)
      ) { () throws(OwnerFailure) in
        defer { isFirst = false }
        return try Owner.Client.connect(
          to: places, as: "kelvin bench console", starter: isFirst ? starter : .standard,
          until: .after(seconds: 30, interrupt: interrupt))
      }
    } catch {
      guard let absence, error.code == .unknownConsole || error.code == .notRunning else {
        throw error
      }
      throw absence
    }
    if isTerminal {
      Terminal.standardError.line("kelvin: \(name); leave with Ctrl-]")
      guard kelvin_terminal_raw(0) == 0 else {
        throw PlainFailure(.infrastructure, "the terminal cannot be made raw: \(Errno.current)")
      }
    }
    defer { kelvin_terminal_restore() }
    let deadline =
      duration.map { Deadline.after(seconds: $0.seconds, interrupt: interrupt) }
      ?? Deadline(time: nil, interrupt: interrupt)
    let end = try relay.run(until: deadline)
    if isTerminal { Terminal.standardError.write("\r\n") }
    if end == .interrupted { throw CommandExit.interrupted }
  }
}
