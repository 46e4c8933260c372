internal import ArgumentParser
internal import Glibc
internal import KelvinDevices
internal import KelvinModel

/// `kelvin bench owner`: the process that holds ports. Others start it; people need not.
struct BenchOwnerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "owner", abstract: "Holds consoles for others, until it is idle.",
    discussion: """
      'kelvin bench up', and whatever uses a console, starts this process on demand. It writes one \
      line to standard output when an owner listens, and its own log to the state directory.

      EXAMPLES
        kelvin bench owner --idle-minutes 60
        kelvin bench owner --detach
      """,
    shouldDisplay: false)

  @OptionGroup var places: OwnerPlaceOptions

  @Option(help: "Ends after so many minutes without a client and without anything that is kept.")
  var idleMinutes = 10.0

  @Option(help: "MiB of a console's log that are kept.")
  var logSize = 256

  @Flag(help: "Start it as nobody's child, and end.")
  var detach = false

  func validate() throws {
    guard idleMinutes > 0 else { throw ValidationError("--idle-minutes: more than 0") }
    guard (1...1_048_576).contains(logSize) else {
      throw ValidationError("--log-size: from 1 to 1048576 MiB")
    }
  }

  func run() async throws {
    if detach {
      try OwnerProcess.detach(
        places.places,
        options: ["--idle-minutes", "\(idleMinutes)", "--log-size", "\(logSize)"])
      return
    }
    let stop = SignalInterrupt.begin()
    // It belongs to no terminal whose end would be its own.
    signal(SIGHUP, SIG_IGN)
    let bytes = UInt64(logSize) << 20
    let options = OwnerServer.Options(
      idleSeconds: idleMinutes * 60,
      limits: ConsoleLog.Limits(segmentBytes: min(16 << 20, bytes / 4), totalBytes: bytes))
    _ = try OwnerProcess.run(places.places, options, until: stop)
  }
}
