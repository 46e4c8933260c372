internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A program whose controlling terminal is a board's console, and all that it starts.
package final class BoardProcess: Sendable {
  package let processID: Int32
  /// Readable once it has ended.
  package let ended: Int32
  private let mark: [UInt8]
  private let isOver = Mutex(false)

  /// Starts it as a session of its own.
  ///
  /// - Parameters:
  ///   - program: its path, by which it is called, too.
  ///   - terminal: the device file that becomes its terminal.
  ///   - environment: all of it; a mark is added by which descendants are found.
  package init(
    _ program: String, _ arguments: [String], terminal: String, environment: [String: String],
    directory: String? = nil
  ) throws(PlainFailure) {
    var generator = SystemRandomNumberGenerator()
    let name = "KELVIN_SIMULATED_BOARD=\(getpid())-\(generator.next())"
    mark = Array(name.utf8)
    // A session that opens a terminal gets it as its own.
    let opening = ["sh", "-c", "exec 0<>\"$0\" 1>&0 2>&0; exec \"$@\"", terminal, program]
    var child = pid_t()
    let status = BoardProcess.withStrings(opening + arguments) { argv in
      BoardProcess.withStrings(environment.map { "\($0)=\($1)" } + [name]) { environment in
        kelvin_spawn("/bin/sh", argv, environment, directory, -1, -1, -1, &child)
      }
    }
    guard status == 0 else {
      throw PlainFailure(.infrastructure, "\(program): cannot be started: \(Errno(status))")
    }
    processID = child
    ended = kelvin_pidfd_open(child, 0)
  }

  deinit {
    end()
    if ended >= 0 { close(ended) }
  }

  /// Ends the program alone, as if it had crashed, and returns when it is gone: what it had started may
  /// answer until then.
  package func crash() {
    guard isOver.withLock({ !$0 }) else { return }
    kill(processID, SIGKILL)
    var waiting = pollfd(fd: ended, events: Int16(POLLIN), revents: 0)
    poll(&waiting, 1, 5000)
  }

  /// Ends it and all that it started, also what has left its session. Idempotent.
  package func end() {
    let wasOver = isOver.withLock { isOver in
      defer { isOver = true }
      return isOver
    }
    guard !wasOver else { return }
    // Rounds, since those that are found may have started others meanwhile.
    for _ in 0..<20 {
      let spared = SignalGuard()
      let found = ProcessEntry.all().filter {
        !$0.isZombie && spared.allows($0.identity)
          && ($0.processID == processID || $0.session == processID || $0.hasEnvironment(mark))
      }
      if found.isEmpty { break }
      let ends = found.map { kelvin_pidfd_open($0.processID, 0) }
      let deadline = Deadline.after(seconds: 2)
      for (entry, end) in zip(found, ends) where end >= 0 {
        // The descriptor names this very process, but only if it was still there.
        if ProcessIdentity(processID: entry.processID) == entry.identity {
          kelvin_pidfd_send_signal(end, SIGKILL)
        }
      }
      for end in ends where end >= 0 {
        _ = deadline.wait(for: end)
        close(end)
      }
    }
    var status: Int32 = 0
    waitpid(processID, &status, 0)
  }

  private static func withStrings<R>(
    _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> R
  ) -> R {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }
}
