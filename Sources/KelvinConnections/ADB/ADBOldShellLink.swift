internal import Glibc
package import KelvinModel
package import KelvinSystem
internal import Synchronization

/// A shell on a device whose adbd has no shell,v2 (before Android 7): three plain services, joined by
/// named pipes on the device, so that its streams arrive apart and its input can be ended.
///
/// Such a service has no exit status: what runs in the shell says its own.
package final class ADBOldShellLink: ShellLink {
  private let name: String
  private let state: Mutex<State>

  private struct State {
    /// Carries standard output; its input goes nowhere.
    let output: ADBStream
    let error: ADBStream
    let input: ADBStream
    var isInputOpen = true
    var isOutputOpen = true
    var isErrorOpen = true
    var isAbandoned = false
  }

  /// Starts the shell.
  ///
  /// - Throws: `unsupported` when the device has no mkfifo or no directory for it.
  init(_ device: any ADBDevice, until deadline: Deadline) throws(ConnectionFailure) {
    name = device.name
    let pipes = ShellChannel.nonce()
    let script = """
      for d in /data/local/tmp /tmp; do p=$d/.\(pipes)
      mkfifo "$p-i" "$p-e" 2>/dev/null && break; p=; done
      [ "$p" ] || { echo none; exit; }
      trap 'rm -f "$p-i" "$p-e"; exit' HUP TERM; echo "$p"
      exec 0<"$p-i" 2>"$p-e"; rm -f "$p-i" "$p-e"; exec sh
      """
    let output = try device.open("exec:" + script, until: deadline)
    let line = try ADBOldShellLink.readLine(output, until: deadline)
    guard line.hasSuffix(pipes) else {
      output.close()
      throw ConnectionFailure(
        .unsupported,
        "\(device.name): its old adbd keeps streams together, and its shell has no "
          + "'mkfifo' to tell them apart", evidence: line,
        hint: "install busybox on the board, or a newer Android")
    }
    let file = ShellWords.quote(line)
    let input: ADBStream
    let error: ADBStream
    do throws(ConnectionFailure) {
      input = try device.open("exec:exec cat >\(file)-i", until: deadline)
      error = try device.open("exec:exec cat <\(file)-e", until: deadline)
    } catch {
      output.close()
      // A link that is lost leaves them; the shell's own trap removes them where it is told.
      try? device.open("exec:rm -f \(file)-i \(file)-e", until: .after(seconds: 2)).close()
      throw error
    }
    state = Mutex(State(output: output, error: error, input: input))
  }

  private static func readLine(
    _ stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) -> String {
    var line: [UInt8] = []
    while line.last != 10, line.count < 4096 {
      guard try stream.receive(into: &line, limit: 1, until: deadline) > 0 else {
        throw stream.lost("its shell ended at once")
      }
    }
    return String(String(decoding: line, as: UTF8.self).trimmingASCIIWhitespace)
  }

  package func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    try state.withLock { state throws(ConnectionFailure) in
      guard !state.isAbandoned, state.isInputOpen else {
        throw ConnectionFailure(.connectionLost, "\(name): the shell is gone")
      }
      return try state.input.sendNow(bytes.prefix(1 << 18))
    }
  }

  package func closeInput() {
    state.withLock { state in
      guard state.isInputOpen else { return }
      state.isInputOpen = false
      state.input.close()
    }
  }

  package func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent {
    try state.withLock { state throws(ConnectionFailure) in
      guard !state.isAbandoned else { return .ended(status: nil) }
      if state.isOutputOpen {
        state.isOutputOpen = try ADBOldShellLink.take(state.output, into: &output)
      }
      if state.isErrorOpen {
        state.isErrorOpen = try ADBOldShellLink.take(state.error, into: &error)
      }
      return state.isOutputOpen || state.isErrorOpen ? .open : .ended(status: nil)
    }
  }

  /// - Returns: false at the end of the stream.
  private static func take(
    _ stream: ADBStream, into bytes: inout [UInt8]
  ) throws(ConnectionFailure) -> Bool {
    let count = stream.stash()
    stream.takeBuffered(into: &bytes)
    return count != 0
  }

  package func wait(toSend: Bool, orFor other: Int32, until deadline: Deadline) -> WaitResult {
    let (isDone, awaited) = state.withLock { state in
      let isDone =
        state.isAbandoned || state.output.hasBuffered || state.error.hasBuffered
        || !(state.isOutputOpen || state.isErrorOpen)
      return (
        isDone,
        [
          (state.isOutputOpen ? state.output.descriptor : -1, Int16(POLLIN)),
          (state.isErrorOpen ? state.error.descriptor : -1, Int16(POLLIN)),
          (toSend && state.isInputOpen ? state.input.descriptor : -1, Int16(POLLOUT))
        ]
      )
    }
    if isDone { return .ready }
    return deadline.wait(forEither: awaited + [(other, Int16(POLLIN))])
  }

  package func abandon() {
    state.withLock { state in
      state.isAbandoned = true
      state.isInputOpen = false
      for stream in [state.input, state.output, state.error] { stream.close() }
    }
  }
}
