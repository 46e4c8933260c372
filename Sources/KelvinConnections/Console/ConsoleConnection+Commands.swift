internal import Glibc
package import KelvinModel
internal import KelvinSystem

extension ConsoleConnection {
  package func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try command.check(until: deadline)
    let input = try ConsoleConnection.input(of: command, until: deadline)
    let process = try use(until: deadline) { channel throws(ConnectionFailure) in
      let ascent = try ascent(for: command, on: channel, until: deadline)
      channel.jobs += 1
      let job = "j\(channel.jobs)"
      let nonce = ConsoleConnection.nonce()
      do throws(ConnectionFailure) {
        return try begin(command, input, job, nonce, on: channel, as: ascent, until: deadline)
      } catch {
        // It may have begun, and only its answer come too late.
        if error.partial != nil { end(nonce, on: channel, as: ascent) }
        _ = try? channel.run("rm -f ${0%/*}/\(job).*", until: .after(seconds: 10))
        throw error
      }
    }
    remember(process)
    return process
  }

  /// Ends what a script has started that did not come to its own end.
  private func end(
    _ nonce: String, on channel: ConsoleChannel, as ascent: ConsoleAscent? = nil
  ) {
    let tree = ConsoleTree(
      marker: ConsoleLibrary.marker(session: channel.session, nonce: nonce), root: nil,
      startTicks: nil)
    _ = try? tree.end(grace: 0) { (script, deadline) throws(ConnectionFailure) in
      try ConsoleConnection.run(script, on: channel, as: ascent, until: deadline)
    }
  }

  private func begin(
    _ command: Command, _ input: [UInt8], _ job: String, _ nonce: String,
    on channel: ConsoleChannel, as ascent: ConsoleAscent?, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConsoleProcess {
    let calls = channel.calls
    let file = "\(channel.directory)/\(job)"
    var inputFile = "/dev/null"
    if !input.isEmpty {
      inputFile = file + ".in"
      try channel.push(
        ConsoleSource(input), to: TargetPath(inputFile), mode: 0o600, until: deadline)
    }
    let limits = [command.standardOutput, command.standardError].compactMap {
      switch $0 {
      case .capture(let limit), .file(_, let limit): limit
      case .descriptor: Int.max
      case .discard: nil
      }
    }
    let limit = limits.max() ?? 0
    let tools = ShellScript.scheduling(of: command)
    let script =
      prologue(command, nonce)
      + tools.map { "k_find \($0[0]) || k_no \(nonce) t \($0[0])\n" }.joined()
      + "k_need \(nonce) \(ShellWords.quote(command.argv[0]))\n"
      + "k_b \(nonce) \(job) \(min(ConsoleConnection.boardLimit, limit)) \(inputFile) "
      + "\(way(command.standardOutput, command)) \(way(command.standardError, command)) "
      + "\(ShellWords.quote(command.argv[0])) \(tools.joined().joined(separator: " ")) sh -c \"$k_in\" $$ \(file) "
      + "\(command.niceness.map(String.init) ?? "-") \(ShellWords.join(command.argv))"
    let startTime = MonotonicTime.now
    let reply =
      if let ascent { try ascent.run(script, on: channel, until: deadline) } else {
        try channel.run(script, until: deadline)
      }
    let words = String(decoding: reply.output, as: UTF8.self).split(separator: " ", maxSplits: 3)
    // The script's shell was killed once the command could begin.
    guard reply.status == 128 + SIGKILL, words.count >= 3, let processID = Int32(words[0]),
      processID > 1
    else {
      throw refusal(of: command, reply, nonce: nonce)
    }
    let entry =
      words.count < 4
      ? nil : Array(words[3].utf8).withUnsafeBytes { ProcessEntry(processID: processID, stat: $0) }
    return ConsoleProcess(
      command, connection: self,
      ConsoleProcess.Place(
        session: channel.session, job: job, nonce: nonce, processID: processID, entry: entry,
        calls: calls, uptime: Double(words[2]), readyTime: .now,
        limit: limit <= ConsoleConnection.boardLimit ? limit : nil, ascent: ascent),
      startTime: startTime)
  }

  package func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    if ConsoleConnection.isShort(command) {
      try command.check(until: deadline)
      let result = try use(until: deadline) {
        channel throws(ConnectionFailure) -> CommandResult? in
        // What becomes root can be ended by root alone, as those are that were started.
        guard try ascent(for: command, on: channel, until: deadline) == nil else { return nil }
        return try short(command, on: channel, until: deadline)
      }
      if let result { return result }
    }
    return try await start(command, until: deadline).wait(until: deadline)
  }

  /// One request and one reply: for commands that nothing of may be left to end.
  private func short(
    _ command: Command, on channel: ConsoleChannel, until deadline: Deadline
  ) throws(ConnectionFailure) -> CommandResult {
    let nonce = ConsoleConnection.nonce()
    let discards = command.standardError == .discard ? "exec 6>/dev/null\n" : ""
    let script =
      prologue(command, nonce) + discards + "k_s \(nonce) \(ShellWords.join(command.argv))"
      + (command.standardOutput == .discard ? " >/dev/null" : "")
    var input: [UInt8]?
    if case .bytes(let bytes) = command.standardInput { input = bytes }
    let startTime = MonotonicTime.now
    let reply: ConsoleReply
    do throws(ConnectionFailure) {
      reply = try channel.run(
        Array(script.utf8), input: input, grace: command.grace, until: deadline)
    } catch {
      guard let partial = error.partial else { throw error }
      // What has left the command's process group.
      end(nonce, on: channel)
      var result = partial
      result.standardError = ConsoleConnection.split(partial.standardError, at: nonce).captured
      throw ConnectionFailure(
        error.code, "\(command.argv[0]): \(error.message)", hint: error.hint, partial: result)
    }
    var (error, words) = ConsoleConnection.split(reply.error, at: nonce)
    guard let word = words.first else {
      end(nonce, on: channel)
      throw ConsoleConnection.unknownEnd(of: command, said: reply.error, connection: name)
    }
    if ["m", "f", "d"].contains(word) {
      throw refusal(of: command, reply, nonce: nonce)
    }
    // Said behind the command's end, by what it left running.
    error += words.dropFirst().utf8
    var output = OutputSink(command.standardOutput)
    var errorOutput = OutputSink(command.standardError)
    reply.output.withUnsafeBytes { output.take($0) }
    error.withUnsafeBytes { errorOutput.take($0) }
    output.finish()
    errorOutput.finish()
    if let failure = output.failure ?? errorOutput.failure { throw failure }
    return CommandResult(
      termination: CommandResult.Termination(status: reply.status, word: String(word)),
      standardOutput: output.output, standardError: errorOutput.output, startTime: startTime,
      endTime: .now)
  }

  /// What needs no process of its own on the board beside the channel.
  private static func isShort(_ command: Command) -> Bool {
    switch command.standardInput {
    case .null: break
    case .bytes(let bytes): if bytes.count > ConsoleChannel.fileBlock { return false }
    case .descriptor: return false
    }
    return !command.endsDescendants && command.affinity == nil && command.niceness == nil
      && command.realtimePriority == nil
  }

  // MARK: Words

  /// Prepares the shell of a script: the command's environment and directory.
  private func prologue(_ command: Command, _ nonce: String) -> String {
    var text = ". \"$0\";k_sig\n"
    if !command.environment.isEmpty { text += ShellScript.exports(command.environment) + "\n" }
    if let directory = command.workingDirectory {
      text += "cd -- \(ShellWords.quote(directory.string)) 2>/dev/null||k_no \(nonce) d\n"
    }
    return text
  }

  private func way(_ output: Command.Output, _ command: Command) -> String {
    // What a command leaves running would keep a pipe open.
    output == .discard ? "n" : command.endsDescendants ? "p" : "f"
  }

  /// Six characters: they mark the end of a stream that is checked as a whole, and the processes of one
  /// command among those of one session, where what an earlier one left running must not be taken for
  /// a later one's.
  private static func nonce() -> String {
    let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789")
    var generator = SystemRandomNumberGenerator()
    return String((0..<6).map { _ in letters[Int.random(in: letters.indices, using: &generator)] })
  }

  /// A stream, and what was said behind it.
  static func split(_ bytes: [UInt8], at nonce: String) -> (bytes: [UInt8], words: String) {
    let mark = [UInt8(ascii: "~")] + nonce.utf8
    guard bytes.count >= mark.count else { return (bytes, "") }
    for start in stride(from: bytes.count - mark.count, through: 0, by: -1)
    where bytes[start] == mark[0] && bytes[start..<(start + mark.count)].elementsEqual(mark) {
      return (
        Array(bytes[..<start]),
        String(decoding: bytes[(start + mark.count)...], as: UTF8.self)
      )
    }
    return (bytes, "")
  }

  private static func split(
    _ output: CapturedOutput, at nonce: String
  ) -> (captured: CapturedOutput, words: String) {
    let (bytes, words) = split(output.bytes, at: nonce)
    var output = output
    let count = Int64(output.bytes.count - bytes.count)
    output.bytes = bytes
    output.totalBytes -= count
    output.keptBytes -= count
    return (output, words)
  }

  /// What a command did that took with it what would have told its end.
  static func unknownEnd(
    of command: Command, said: [UInt8] = [], connection: String
  ) -> ConnectionFailure {
    let text = String(decoding: said.suffix(300), as: UTF8.self).trimmingASCIIWhitespace
    return ConnectionFailure(
      .connectionLost,
      "\(command.argv[0]): the board's shell that ran it is gone; how it ended is not known"
        + "\(text.isEmpty ? "" : ": " + text) (\(connection))",
      hint: "does it end its parent, or has the board run out of memory?")
  }

  /// What a board said that could not begin a command.
  private func refusal(
    of command: Command, _ reply: ConsoleReply, nonce: String
  ) -> ConnectionFailure {
    let (said, text) = ConsoleConnection.split(reply.error, at: nonce)
    let refusal = CommandRefusal(command, connection: name)
    return switch text {
    case "m": refusal.missing
    case "f": refusal.forbidden
    case "d": refusal.directoryMissing
    case "r nice": refusal.notNice
    case _ where text.hasPrefix("t "): refusal.toolMissing(text.dropFirst(2))
    default: refusal.ended(said: said)
    }
  }

  // MARK: Input

  /// All that a command will read.
  private static func input(
    of command: Command, until deadline: Deadline
  ) throws(ConnectionFailure) -> [UInt8] {
    var source = InputSource(command.standardInput)
    var bytes: [UInt8] = []
    while !source.isAtEnd {
      bytes += source.bytes
      source.drop(source.bytes.count)
      guard source.descriptor >= 0 else { break }
      guard bytes.count <= ConsoleConnection.inputLimit else {
        throw ConnectionFailure(
          .unsupported, "\(command.argv[0]): more than 16 MiB of input do not go over a console",
          hint: "let the board fetch the file itself, over its network")
      }
      switch deadline.wait(for: source.descriptor) {
      case .ready: source.fill()
      case .passed:
        throw ConnectionFailure(
          .timedOut, "\(command.argv[0]): its input did not end; it was not started",
          hint: "a console takes all of a command's input before the command starts")
      case .interrupted: throw ConnectionFailure(.interrupted, "\(command.argv[0]): stopped")
      }
    }
    if let error = source.failure {
      throw ConnectionFailure(hostFile: "descriptor of the input", error)
    }
    return bytes
  }

  private static let inputLimit = 16 << 20
}
