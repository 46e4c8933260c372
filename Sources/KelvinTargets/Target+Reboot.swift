internal import Glibc
public import KelvinConnections
public import KelvinModel
internal import KelvinSystem

extension Target {
  /// Has the board reboot itself.
  ///
  /// - Returns: the boot id that it goes down with, for ``waitForBoot(after:until:)``.
  /// - Throws: when the board refuses, or the link was lost before the command was given.
  public func reboot(until deadline: Deadline) async throws(ConnectionFailure) -> String {
    let old = try await bootID(until: deadline)
    // After the answer, so that the answer is sure to come.
    let script = "(sleep 0.2; reboot || reboot -f) </dev/null >/dev/null 2>&1 &"
    do throws(ConnectionFailure) {
      let result = try await connection.execute(
        Command(["sh", "-c", script], endsDescendants: false),
        until: deadline.limited(toSeconds: 20))
      guard result.isSuccess else {
        throw ConnectionFailure(
          .unsupported, "\(name): cannot reboot: \(result.standardError.text)",
          hint: "is 'reboot' there, and may this user?")
      }
    } catch {
      // It may have gone down at once; whether it did shows by its boot id.
      guard error.code == .connectionLost else { throw error }
    }
    forgetFacts()
    return old
  }

  /// Waits until the board answers with another boot id.
  ///
  /// - Throws: `timedOut`, with how far it came; `interrupted`; what cannot get better by waiting.
  public func waitForBoot(
    after old: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    var last = "it never went down"
    while true {
      do throws(ConnectionFailure) {
        let id = try await bootID(until: deadline.limited(toSeconds: 5))
        if id != old {
          forgetFacts()
          return
        }
      } catch {
        if error.code == .interrupted { throw error }
        last = error.message
      }
      // No event tells that a board is back: it is asked again.
      switch deadline.limited(toSeconds: 0.25).wait() {
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      default: break
      }
      if deadline.hasPassed {
        throw ConnectionFailure(
          .timedOut, "\(name): not back in time: \(last)",
          hint: "look at its console: 'kelvin bench console \(name)'")
      }
    }
  }
}
