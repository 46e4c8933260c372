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
  /// - Parameter ready: called before each question; returns when that is worth while.
  /// - Throws: `timedOut`, with how far it came; `unsupported` when it has rebooted and its boot id is the
  ///   same; `interrupted`; what cannot get better by waiting.
  public func waitForBoot(
    after old: String, until deadline: Deadline, ready: (Deadline) -> Void = { _ in }
  ) async throws(ConnectionFailure) {
    let begin = MonotonicTime.now
    var last = ""
    while true {
      ready(deadline)
      var isSame = false
      do throws(ConnectionFailure) {
        let id = try await bootID(until: deadline.limited(toSeconds: answerSeconds))
        if id != old {
          forgetFacts()
          return
        }
        last = "it answers, and its boot id is still \(old)"
        isSame = true
      } catch {
        if error.code == .interrupted { throw error }
        last = error.message
      }
      if isSame, let uptime = await uptime(until: deadline.limited(toSeconds: 5)),
        uptime + 1 < Double(MonotonicTime.now - begin) / 1e9
      {
        throw ConnectionFailure(
          .unsupported,
          "\(name): has rebooted under the boot id of before, \(old): it is up for \(uptime) s",
          hint: "its boot id must be the kernel's own; an image or a container may cover "
            + "/proc/sys/kernel/random/boot_id")
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

  /// Seconds within which a board that is there answers the first question: a console is listened to and
  /// logged in at before.
  public var answerSeconds: Double { connection is ConsoleConnection ? 60 : 5 }

  /// Seconds since its boot; nil where it does not tell. Source: fs/proc/uptime.c.
  private func uptime(until deadline: Deadline) async -> Double? {
    guard let bytes = try? await connection.read("/proc/uptime", until: deadline) else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: " ").first.flatMap { Double($0) }
  }
}
