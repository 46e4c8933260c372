internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// A command that runs behind a further shell of a connection. Waited for once, by one thread.
///
/// The shell waits for the command, and then says its exit status on both streams: a link that ends
/// without that is a lost connection. Signals, and the end of the tree, go through the connection's
/// persistent shell.
final class ShellProcess: RemoteProcess {
  let processID: Int32
  let startTicks: UInt64?
  let startTime: MonotonicTime
  private let command: Command
  private let connection: ShellConnection
  private let link: any ShellLink
  private let nonce: String
  private let tree: ShellTree
  private let hasOwnGroup: Bool
  /// What came with the answer to the start.
  private let received: (output: [UInt8], error: [UInt8])
  private let collection = Once()
  /// Nothing is left to send a signal to.
  private let ending = Once()

  init(
    _ command: Command, connection: ShellConnection, link: any ShellLink, nonce: String,
    marker: String, ready: ShellGreeting.Ready, startTime: MonotonicTime
  ) {
    self.command = command
    self.connection = connection
    self.link = link
    self.nonce = nonce
    self.startTime = startTime
    processID = ready.processID
    startTicks = ready.entry?.startTicks
    hasOwnGroup = ready.entry?.group == ready.processID
    received = (ready.output, ready.error)
    tree = ShellTree(
      root: processID, startTicks: startTicks, marker: marker, bootID: ready.bootID)
  }

  /// A process that nobody waited for is ended: nothing is left running unseen.
  deinit { abandon() }

  /// Ends the whole tree at once; idempotent, and nothing after ``wait(until:)``.
  func abandon() {
    guard collection.begin() else { return }
    _ = ending.begin()
    // A lost link leaves it: then there is no way to it.
    _ = try? tree.end(grace: 0, by: connection.run)
    link.abandon()
  }

  func signal(_ number: Int32) async throws(ConnectionFailure) {
    guard !ending.hasBegun else { return }
    guard SignalGuard().allows(processID, startTicks: startTicks) else { return }
    let whom = hasOwnGroup ? "-\(processID)" : "\(processID)"
    _ = try connection.run(
      ShellScript.inBoot(tree.bootID, "kill -\(number) \(whom) 2>/dev/null; :"),
      until: .after(seconds: 10))
  }

  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult {
    try wait(until: deadline, checksum: nil, progress: nil).result
  }

  /// Waits for the end as above.
  ///
  /// - Parameters:
  ///   - checksum: over what was sent before, where one is taken over an input that is a descriptor's.
  ///   - progress: told how many bytes of such an input were sent, and how many of output received.
  /// - Returns: the result, and what became of the input.
  func wait(
    until deadline: Deadline, checksum: PosixChecksum?,
    progress: ((_ input: Int64, _ output: Int64) -> Void)?
  ) throws(ConnectionFailure) -> (result: CommandResult, input: InputSource) {
    guard collection.begin() else {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): was waited for or ended already")
    }
    var pump = ShellPump(
      link, output: command.standardOutput, error: command.standardError,
      input: command.standardInput, closesInput: command.standardInput != .null,
      checksum: checksum, nonce: nonce)
    pump.begin(output: received.output, error: received.error)
    defer { link.abandon() }
    let stopped = pump.run(until: deadline, progress: progress)
    _ = self.ending.begin()
    let endTime = MonotonicTime.now
    var ending = ProcessTree.Ending(count: 0, survivors: [])
    var lost: ConnectionFailure?
    let hasToBeEnded =
      switch stopped {
      case .timedOut, .interrupted, .fileFailed: true
      case .lost: false
      case nil: command.endsDescendants
      }
    if hasToBeEnded {
      do {
        let age = stopped == nil ? Double(endTime - startTime) / 1e9 : nil
        ending = try tree.end(grace: command.grace, age: age, by: connection.run) {
          pump.wait(milliseconds: $0)
        }
      } catch {
        lost = error
      }
      // Orphans of a shell of this machine are adopted by this process, where it is a subreaper.
      if ending.count > 0, connection.capabilities.isThisMachine { ProcessLauncher.reapOrphans() }
    }
    if stopped != nil, lost == nil, hasToBeEnded { _ = pump.run(until: .after(seconds: 2)) }
    pump.finish()
    let trailer = pump.error.trailer ?? pump.output.trailer
    var result = CommandResult(
      termination: .signaled(SIGKILL), standardOutput: pump.output.output,
      standardError: pump.error.output, startTime: startTime, endTime: endTime,
      endedDescendants: max(0, ending.count - (stopped == nil ? 0 : 1)))
    if let trailer {
      if stopped == nil {
        result.termination = try connection.termination(trailer, until: .after(seconds: 10))
      } else if trailer.status > 128 {
        result.termination = .signaled(trailer.status - 128)
      } else {
        result.termination = .exited(trailer.status)
      }
    }
    try judge(result, pump, stopped: stopped, lost: lost, survivors: ending.survivors)
    return (result, pump.input)
  }

  /// Throws what went wrong, with the result as far as it is known.
  private func judge(
    _ result: CommandResult, _ pump: ShellPump, stopped: ShellPump.Stop?,
    lost: ConnectionFailure?, survivors: Set<ProcessIdentity>
  ) throws(ConnectionFailure) {
    let program = command.argv[0]
    let left = lost.map { "; what it left on the target could not be ended: \($0.message)" } ?? ""
    switch stopped {
    case .interrupted:
      throw ConnectionFailure(.interrupted, "\(program): stopped\(left)", partial: result)
    case .timedOut:
      throw ConnectionFailure(
        .timedOut, "\(program): timed out, and was ended\(left)", partial: result)
    case .lost(let failure):
      throw ConnectionFailure(
        .connectionLost,
        "\(program): the connection was lost while it ran; whether it ended is not known "
          + "(\(connection.name): \(failure.message))", hint: failure.hint, partial: result)
    case .fileFailed, nil: break
    }
    if let failure = pump.output.failure ?? pump.error.failure {
      throw ConnectionFailure(failure.code, failure.message, hint: failure.hint, partial: result)
    }
    if let lost {
      throw ConnectionFailure(lost.code, lost.message, hint: lost.hint, partial: result)
    }
    if let survivor = survivors.min(by: { $0.processID < $1.processID }) {
      throw ConnectionFailure(
        .permissionDenied,
        "\(program): left process \(survivor.processID) running, and it could not be ended "
          + "(\(connection.name))",
        hint: "end it by hand, or connect as its user", partial: result)
    }
  }
}
