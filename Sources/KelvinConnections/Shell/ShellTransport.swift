package import KelvinModel
package import KelvinSystem

/// Opens shells on a target: by a process of this machine, channels of ssh, streams of adb.
///
/// What differs between the ways to a target's shell is here and in ``ShellLink``; what is done with
/// a shell is in ``ShellConnection``.
package protocol ShellTransport: Sendable {
  /// What messages call it: `ssh root@10.0.0.7`.
  var name: String { get }
  var capabilities: Capabilities { get }

  /// Starts the target's `sh`, which reads its script from standard input; no pty.
  ///
  /// Any thread may call it. After the link to the target was lost, it makes a new one.
  /// - Throws: `unreachable` when there is no way to the target, with what to do; `connectionLost`,
  ///   `timedOut`, `interrupted`.
  func open(until deadline: Deadline) throws(ConnectionFailure) -> any ShellLink

  /// Runs a program whose input is a file of this machine, from where that stands, without a byte of it
  /// passing through this process.
  ///
  /// - Returns: nil where the link has no such way. What the link takes of the file shows in the
  ///   descriptor's offset; ``ShellLinkEvent/ended(status:)`` tells the program's own status.
  func open(
    _ words: [String], reading source: Int32, until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ShellLink)?

  /// A command of this machine that gives its terminal to the target's login shell, which runs
  /// `command`, or what is typed when that is empty.
  ///
  /// - Throws: `unsupported` where there is no such way; what ``open(until:)`` throws.
  func terminalWords(
    for command: [String], until deadline: Deadline
  ) throws(ConnectionFailure) -> [String]

  /// Ends the link to the target, and with it every shell. Idempotent; a later ``open(until:)``
  /// makes a new one.
  func close()
}

extension ShellTransport {
  package func open(
    _ words: [String], reading source: Int32, until deadline: Deadline
  ) throws(ConnectionFailure) -> (any ShellLink)? { nil }

  package func terminalWords(
    for command: [String], until deadline: Deadline
  ) throws(ConnectionFailure) -> [String] {
    throw ConnectionFailure(
      .unsupported, "\(name): gives no terminal",
      hint: "'kelvin target exec' runs commands, 'kelvin bench console' shows the console")
  }
}

/// The three streams of a shell on a target. Nothing here blocks but ``wait(toSend:until:)``; one
/// thread at a time uses it.
package protocol ShellLink: AnyObject, Sendable {
  /// Sends what can be sent without waiting.
  ///
  /// - Returns: how many of the bytes were taken; 0 when none can be now.
  /// - Throws: when nothing can be sent any more. What was received before may still be taken.
  func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int

  /// Says that no more input comes. Idempotent.
  func closeInput() throws(ConnectionFailure)

  /// Appends what has arrived, a bounded piece of it, without waiting.
  ///
  /// - Throws: `connectionLost` when the link was cut, after all that came before.
  func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent

  /// Waits until there may be something to receive, or, if asked, something can be sent.
  ///
  /// - Parameter other: a descriptor whose readability ends the wait, too; -1 for none.
  func wait(toSend: Bool, orFor other: Int32, until deadline: Deadline) -> WaitResult

  /// Lets go of the shell: it sees the end of its input, or is ended where the link can do that.
  /// Idempotent; the last reference that goes does it too.
  func abandon()
}

/// Where a link is after ``ShellLink/receive(into:error:)``.
package enum ShellLinkEvent: Sendable, Hashable {
  /// More may come.
  case open
  /// All has come, and the shell has ended; with its exit status where the link tells.
  case ended(status: Int32?)
}

extension ShellLink {
  /// Waits until there may be something to receive, or, if asked, something can be sent.
  package func wait(toSend: Bool, until deadline: Deadline) -> WaitResult {
    wait(toSend: toSend, orFor: -1, until: deadline)
  }

  /// Sends all of a few bytes; what arrives meanwhile waits in the link.
  func send(all bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = try send(rest)
      rest = rest.dropFirst(count)
      guard count == 0 else { continue }
      switch wait(toSend: true, until: deadline) {
      case .ready:
        // It may be ready for receiving alone, which is not done here.
        guard !deadline.hasPassed else {
          throw ConnectionFailure(.timedOut, "nothing could be sent in time")
        }
        _ = deadline.limited(toSeconds: 0.001).wait()
      case .passed: throw ConnectionFailure(.timedOut, "nothing could be sent in time")
      case .interrupted: throw ConnectionFailure(.interrupted, "stopped")
      }
    }
  }
}
