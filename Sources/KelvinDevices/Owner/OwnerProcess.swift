internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// What `kelvin bench owner` does.
package enum OwnerProcess {
  /// Starts the owner proper and ends, so that it is nobody's child.
  ///
  /// - Parameter options: of `kelvin bench owner`, without those of the places.
  package static func detach(_ places: OwnerPlaces, options: [String]) throws(OwnerFailure) {
    do throws(OwnerFailure) {
      _ = try OwnerStarter.spawn(
        OwnerStarter.standard.program, ["bench", "owner"] + places.arguments + options, output: 1)
    } catch {
      say(error)
      throw error
    }
  }

  /// Is the owner until something ends it. Whoever started it reads one line from standard output:
  /// `ready` when an owner listens, this or another one, else a failure as JSON.
  ///
  /// - Returns: why it ended; nil: another owner runs.
  package static func run(
    _ places: OwnerPlaces, _ options: OwnerServer.Options, until interrupt: Interrupt
  ) throws(OwnerFailure) -> String? {
    do throws(OwnerFailure) {
      try OwnerPlaces.makeDirectories(places.stateDirectory)
      redirectErrors(to: places.logPath)
      let server = try OwnerServer(
        places: places, options: options,
        report: { line in
          let time = MonotonicTime.wallNanoseconds / 1_000_000_000
          write(2, "\(time) \(line)\n")
        })
      write(1, OwnerStarter.ready + "\n")
      silence(1)
      return server?.run(until: interrupt)
    } catch {
      say(error)
      throw error
    }
  }

  private static func say(_ failure: OwnerFailure) {
    let values: [String: Value] = [
      "code": .text(failure.code.rawValue), "message": .text(failure.message),
      "evidence": .text(failure.evidence), "hint": .text(failure.hint)
    ]
    write(1, Value.map(values).json + "\n")
    silence(1)
  }

  private static func write(_ descriptor: Int32, _ text: String) {
    var text = text
    text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
  }

  /// Lets go of the pipe to whoever started this.
  private static func silence(_ descriptor: Int32) {
    let null = kelvin_open("/dev/null", O_RDWR | O_CLOEXEC, 0)
    guard null >= 0 else { return }
    dup2(null, descriptor)
    close(null)
  }

  /// Standard error goes to the owner's log, which begins anew beyond a MiB. A terminal stays: then
  /// somebody is watching.
  private static func redirectErrors(to path: String) {
    guard isatty(2) == 0 else { return }
    var status = stat()
    if stat(path, &status) == 0, status.st_size > 1 << 20 { rename(path, path + ".1") }
    let log = kelvin_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard log >= 0 else { return }
    dup2(log, 2)
    close(log)
  }
}
