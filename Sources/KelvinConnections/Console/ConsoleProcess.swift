internal import Glibc
internal import KelvinModel
internal import KelvinSystem

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
    /// Those that the channel had heard before it.
    let calls: Int
    /// Seconds since the board's boot when it began.
    let uptime: Double?
    /// When it was known to have begun.
    let readyTime: MonotonicTime
    /// Bytes of each stream that are wanted at most; the board may have more, where it has no pipes.
    let limit: Int?
    /// Nil: whoever logged in started it.
    let ascent: ConsoleAscent?
  }

  let startTime: MonotonicTime
  private let command: Command
  private let connection: ConsoleConnection
  private let place: Place
  private let collection = Once()

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
      try ConsoleConnection.run(script, on: channel, as: place.ascent, until: deadline)
    }
  }

  /// Ends the whole tree at once; idempotent, and nothing after ``wait(until:)``.
  func abandon() {
    guard collection.begin() else { return }
    // A lost line leaves it: then there is no way to it.
    _ = try? tree.end(grace: 0, by: run)
    _ = try? run("rm -f ${0%/*}/\(place.job).*", until: .after(seconds: 10))
  }

  func signal(_ number: Int32) async throws(ConnectionFailure) {
    guard !collection.hasBegun else { return }
    guard SignalGuard().allows(processID, startTicks: startTicks) else { return }
    let whom = place.entry?.group == processID ? "-\(processID)" : "\(processID)"
    // Once it has ended, its number may be another's.
    _ = try run(
      "[ -s ${0%/*}/\(place.job).s ]||kill -\(number) \(whom) 2>/dev/null; :",
      until: .after(seconds: 15))
  }

  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult {
    guard collection.begin() else {
      throw ConnectionFailure(
        .unsupported, "\(command.argv[0]): was waited for or ended already")
    }
    let program = command.argv[0]
    do throws(ConnectionFailure) {
      var (reply, endTime) = try end(until: deadline)
      var ending = ProcessTree.Ending(count: 0, survivors: [])
      let isOver = reply == nil
      if isOver, deadline.isLost { throw .boardIsLost }
      if reply?.status != 0 {
        ending = try tree.end(grace: command.grace, by: run)
        let limit = isOver ? min(ConsoleChannel.partialLimit, place.limit ?? .max) : place.limit
        reply = try fetch(
          "k_w \(place.job) \(place.nonce)\(limit.map { " \($0)" } ?? "")",
          until: isOver ? .after(seconds: fetchSeconds) : deadline, endTime)
        if isOver { endTime = .now }
      }
      let (result, isWhole) = try result(
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
      guard isWhole else {
        throw ConnectionFailure(
          .system(.noSpace),
          "\(program): the board had no room for what it printed "
            + "(\(connection.name))",
          hint: "free some of the board's memory and memory file systems", partial: result)
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
    let limit = place.limit.map { " \($0)" } ?? ""
    var heard = place.calls
    var isGone = false
    var pause = ConsoleProcess.pauses.first
    var next = Deadline.after(seconds: pause)
    while true {
      let isCalled = try connection.use(session: place.session) {
        channel throws(ConnectionFailure) in
        try channel.listen(since: &heard, until: self.slice(of: deadline, next))
      }
      let time = MonotonicTime.now
      if isCalled || next.hasPassed {
        let reply = try fetch(
          command.endsDescendants
            ? "k_x \(place.job) \(place.nonce) \(processID) \(startTicks.map { "\($0)" } ?? "-")\(limit)"
            : "k_z \(place.job) \(processID);k_w \(place.job) \(place.nonce)\(limit)",
          until: deadline, time)
        // It may have ended while the question was on its way.
        if reply.status == 0 || reply.status == 101 { return (reply, isCalled ? time : .now) }
        // Its end is noted right behind it.
        if reply.status == 102, isGone {
          _ = try tree.end(grace: 0, by: run)
          _ = try run("rm -f ${0%/*}/\(place.job).*", until: .after(seconds: 10))
          throw ConsoleConnection.unknownEnd(of: command, connection: connection.name)
        }
        isGone = reply.status == 102
        pause = min(ConsoleProcess.pauses.longest, pause * 2)
        next = .after(seconds: pause)
      }
      if deadline.hasPassed || deadline.isInterrupted { return (nil, time) }
    }
  }

  /// Runs a script that hands over what was printed, which may take long.
  private func fetch(
    _ script: String, until deadline: Deadline, _ endTime: MonotonicTime
  ) throws(ConnectionFailure) -> ShellReply {
    // What ended in time has a few seconds more.
    let least = Deadline.after(seconds: 5, interrupt: deadline.interrupt)
    var limit = deadline.limited(toSeconds: fetchSeconds)
    if let time = limit.time, let leastTime = least.time, time < leastTime { limit = least }
    do throws(ConnectionFailure) { return try run(script, until: limit) } catch {
      guard let partial = error.partial else { throw error }
      _ = try? run("rm -f ${0%/*}/\(place.job).*", until: .after(seconds: 10))
      let reply = ShellReply(
        output: partial.standardOutput.bytes, error: partial.standardError.bytes, status: 0)
      var (result, _) = try result(of: reply, endTime: endTime, ended: 0)
      result.standardOutput.totalBytes +=
        partial.standardOutput.totalBytes - partial.standardOutput.keptBytes
      throw ConnectionFailure(
        error.code,
        "\(command.argv[0]): \(error.code == .interrupted ? "stopped" : "timed out") while what "
          + "it printed was fetched (\(connection.name))",
        hint: "have it print less, or into a file of the board", partial: result)
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
  ) throws(ConnectionFailure) -> (result: CommandResult, isWhole: Bool) {
    guard let reply else { throw ConnectionFailure(.connectionLost, connection.name) }
    let (error, text) = ConsoleConnection.split(reply.error, at: place.nonce)
    // The end, then bytes of each stream that the board did not keep.
    let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
    let words = lines.first ?? []
    func sum(_ letter: String) -> Int64 {
      lines.dropFirst().filter { $0.count == 2 && $0[0] == letter }
        .reduce(0) { $0 + max(0, Int64($1[1]) ?? 0) }
    }
    // Subtracted here: numbers of some shells have 32 bits.
    func excess(_ stream: String, _ file: String, handedOver count: Int) -> Int64 {
      sum(stream) + max(0, sum(file) - Int64(count))
    }
    // A count without a number: there was no room for it, or for what it counts.
    let isWhole =
      lines.last == ["."] && words.count > 1 && words[1] != "f"
      && lines.dropFirst().dropLast().allSatisfy { $0.count == 2 }
    var output = OutputSink(command.standardOutput)
    var errorOutput = OutputSink(command.standardError)
    reply.output.withUnsafeBytes { output.take($0) }
    error.withUnsafeBytes { errorOutput.take($0) }
    output.skip(excess("m", "o", handedOver: reply.output.count))
    errorOutput.skip(excess("n", "e", handedOver: error.count))
    output.finish()
    errorOutput.finish()
    if let failure = output.failure ?? errorOutput.failure { throw failure }
    let termination =
      words.first.flatMap { Int32($0) }.map {
        CommandResult.Termination(status: $0, word: words.count > 1 ? words[1] : "")
      } ?? .signaled(SIGKILL)
    let result = CommandResult(
      termination: termination, standardOutput: output.output,
      standardError: errorOutput.output, startTime: startTime,
      endTime: trueEnd(words.count > 2 ? Double(words[2]) : nil, seen: endTime),
      endedDescendants: ended)
    return (result, isWhole)
  }

  /// When it ended: as the board has it where that was seen late, because a call was lost.
  ///
  /// - Parameter uptime: the board's, of the end.
  private func trueEnd(_ uptime: Double?, seen: MonotonicTime) -> MonotonicTime {
    guard let uptime, let begin = place.uptime, uptime >= begin else { return seen }
    // The board's clock counts hundredths of a second, and goes a little wrong.
    let seconds = uptime - begin
    let latest = place.readyTime.nanoseconds + Int64((seconds + 0.02) * 1e9)
    let error = Int64((0.1 + seconds / 1000) * 1e9)
    return seen.nanoseconds - latest > error ? MonotonicTime(nanoseconds: latest) : seen
  }
}
