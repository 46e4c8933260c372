internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A command that runs on a board beside its console's agent, its streams in files there.
///
/// Its end calls on the line; asking, more and more rarely, guards against a call that was lost.
final class ConsoleProcess: RemoteProcess {
  /// What names it on the board.
  struct Place: Sendable {
    let session: String
    let job: String
    let nonce: String
    let processID: Int32
    let entry: ProcessEntry?
  }

  let startTime: MonotonicTime
  private let command: Command
  private let connection: ConsoleConnection
  private let place: Place
  private let isCollected = Mutex(false)

  /// Seconds between questions, the first and the longest.
  private static let pauses = (first: 0.25, longest: 15.0)
  /// Seconds for which the line is listened to at a time: others may want it.
  private static let slice = 0.2

  init(
    _ command: Command, connection: ConsoleConnection, _ place: Place, startTime: MonotonicTime
  ) {
    self.command = command
    self.connection = connection
    self.place = place
    self.startTime = startTime
  }

  /// A process that nobody waited for is ended: nothing is left running unseen.
  deinit { abandon() }

  var processID: Int32 { place.processID }
  var startTicks: UInt64? { place.entry?.startTicks }

  private var tree: ConsoleTree {
    ConsoleTree(
      marker: ConsoleLibrary.marker(session: place.session, nonce: place.nonce), root: processID,
      startTicks: startTicks)
  }

  private func run(
    _ script: String, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellReply {
    try connection.use(session: place.session) { channel throws(ConnectionFailure) in
      try ConsoleConnection.run(script, on: channel, until: deadline)
    }
  }

  private func collect() -> Bool {
    isCollected.withLock { isCollected in
      defer { isCollected = true }
      return !isCollected
    }
  }

  /// Ends the whole tree at once; idempotent, and nothing after ``wait(until:)``.
  func abandon() {
    guard collect() else { return }
    // A lost line leaves it: then there is no way to it.
    _ = try? tree.end(grace: 0, by: run)
    _ = try? run("rm -f ${0%/*}/\(place.job).*", until: .after(seconds: 10))
  }

  func signal(_ number: Int32) async throws(ConnectionFailure) {
    guard !isCollected.withLock({ $0 }) else { return }
    let whom = place.entry?.group == processID ? "-\(processID)" : "\(processID)"
    _ = try run("kill -\(number) \(whom) 2>/dev/null; :", until: .after(seconds: 15))
  }

  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult {
    guard collect() else {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): was waited for or ended already")
    }
    let program = command.argv[0]
    do throws(ConnectionFailure) {
      var (reply, endTime) = try end(until: deadline)
      var ending = ProcessTree.Ending(count: 0, survivors: [])
      let isOver = reply == nil
      if reply?.status != 0 {
        ending = try tree.end(grace: command.grace, by: run)
        reply = try run("k_w \(place.job) \(place.nonce)", until: .after(seconds: fetchSeconds))
        if isOver { endTime = .now }
      }
      let result = try result(
        of: reply, endTime: endTime, ended: max(0, ending.count - (isOver ? 1 : 0)))
      if isOver {
        throw deadline.isInterrupted
          ? ConnectionFailure(.interrupted, "\(program): stopped", partial: result)
          : ConnectionFailure(
            .timedOut, "\(program): timed out, and was ended", partial: result)
      }
      if let survivor = ending.survivors.min(by: { $0.processID < $1.processID }) {
        throw ConnectionFailure(
          .permissionDenied,
          "\(program): left process \(survivor.processID) running, and it could not be ended "
            + "(\(connection.name))",
          hint: "end it by hand, or log in as its user", partial: result)
      }
      return result
    } catch {
      guard error.code == .connectionLost, error.partial == nil else { throw error }
      throw ConnectionFailure(
        .connectionLost,
        "\(program): the connection was lost while it ran; whether it ended is not known "
          + "(\(error.message))", hint: error.hint)
    }
  }

  /// Waits for the command's own end.
  ///
  /// - Returns: the streams with status 0, or status 101 when it left something running; nil when the
  ///   deadline came first.
  private func end(
    until deadline: Deadline
  ) throws(ConnectionFailure) -> (reply: ShellReply?, time: MonotonicTime) {
    var pause = ConsoleProcess.pauses.first
    var next = Deadline.after(seconds: pause)
    while true {
      let isCalled = try connection.use(session: place.session) {
        channel throws(ConnectionFailure) in
        try channel.listen(until: self.slice(of: deadline, next))
      }
      let time = MonotonicTime.now
      if isCalled || next.hasPassed {
        let reply = try run(
          command.endsDescendants
            ? "k_x \(place.job) \(place.nonce) \(processID) \(startTicks ?? .max >> 1)"
            : "[ -s ${0%/*}/\(place.job).s ]||exit 100;k_w \(place.job) \(place.nonce)",
          until: .after(seconds: fetchSeconds))
        if reply.status == 0 || reply.status == 101 { return (reply, time) }
        pause = min(ConsoleProcess.pauses.longest, pause * 2)
        next = .after(seconds: pause)
      }
      if deadline.hasPassed || deadline.isInterrupted { return (nil, time) }
    }
  }

  private func slice(of deadline: Deadline, _ next: Deadline) -> Deadline {
    let slice = deadline.limited(toSeconds: ConsoleProcess.slice)
    guard let time = slice.time, let nextTime = next.time, nextTime < time else { return slice }
    return Deadline(time: nextTime, interrupt: deadline.interrupt)
  }

  /// Enough for two streams as long as the board keeps them.
  private var fetchSeconds: Double {
    60 + 3 * Double(ConsoleConnection.boardLimit)
      / (connection.capabilities.bytesPerSecond ?? 11_520)
  }

  private func result(
    of reply: ShellReply?, endTime: MonotonicTime, ended: Int
  ) throws(ConnectionFailure) -> CommandResult {
    guard let reply else { throw ConnectionFailure(.connectionLost, connection.name) }
    let (error, text) = ConsoleConnection.split(reply.error, at: place.nonce)
    // The end, then bytes of each stream that the board did not keep.
    let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
    let words = lines.first ?? []
    func excess(_ letter: String) -> Int64 {
      let line = lines.dropFirst().first { $0.count == 2 && $0[0] == letter }
      return line.flatMap { Int64($0[1]) } ?? 0
    }
    var output = OutputSink(command.standardOutput)
    var errorOutput = OutputSink(command.standardError)
    reply.output.withUnsafeBytes { output.take($0) }
    error.withUnsafeBytes { errorOutput.take($0) }
    output.skip(excess("m"))
    errorOutput.skip(excess("n"))
    output.finish()
    errorOutput.finish()
    if let failure = output.failure ?? errorOutput.failure { throw failure }
    let termination =
      words.first.flatMap { Int32($0) }.map {
        ConsoleConnection.termination($0, words.count > 1 ? String(words[1]) : "")
      } ?? .signaled(SIGKILL)
    return CommandResult(
      termination: termination, standardOutput: output.output,
      standardError: errorOutput.output, startTime: startTime, endTime: endTime,
      endedDescendants: ended)
  }
}
