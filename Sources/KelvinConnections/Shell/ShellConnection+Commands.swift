package import KelvinModel
internal import KelvinSystem

extension ShellConnection {
  package func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try (command.asRoot ? rootConnection(until: deadline) : self).begin(command, until: deadline)
  }

  /// Starts a command in a shell of its own.
  func begin(
    _ command: Command, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellProcess {
    try command.check(until: deadline)
    let shell: Greeted
    do {
      shell = try greet(command, until: deadline)
    } catch  where error.code == .connectionLost {
      // Nothing was run by then, and a link that is just breaking cannot be told from a good one.
      shell = try greet(command, until: deadline)
    }
    let startTime = MonotonicTime.now
    do {
      try shell.link.send(all: Array("go\n".utf8), until: deadline)
    } catch {
      shell.link.abandon()
      throw ConnectionFailure(
        error.code, "\(command.argv[0]): \(error.message) (\(name))", hint: error.hint)
    }
    let process = ShellProcess(
      command, connection: self, link: shell.link, nonce: shell.nonce, marker: shell.marker,
      ready: shell.ready, startTime: startTime)
    remember(process)
    return process
  }

  /// A further shell that waits for the word to begin.
  private struct Greeted {
    let link: any ShellLink
    let nonce: String
    let marker: String
    let ready: ShellGreeting.Ready
  }

  private func greet(
    _ command: Command, until deadline: Deadline
  ) throws(ConnectionFailure) -> Greeted {
    let nonce = ShellChannel.nonce()
    let marker = ShellChannel.marker()
    let link = try transport.open(until: deadline)
    let script = ShellScript.started(
      command, environment: environment, marker: marker, nonce: nonce)
    var greeting = ShellGreeting(nonce: nonce, connection: name)
    do {
      try greeting.exchange(Array(script.utf8), over: link, until: deadline)
    } catch {
      link.abandon()
      throw error
    }
    guard let ready = greeting.ready else {
      link.abandon()
      throw refusal(of: command).failure(greeting.refusal, said: greeting.said)
    }
    return Greeted(link: link, nonce: nonce, marker: marker, ready: ready)
  }

  private func refusal(of command: Command) -> CommandRefusal {
    CommandRefusal(command, connection: name)
  }

  // MARK: Short commands

  package func execute(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> CommandResult {
    if command.asRoot {
      let roots = try rootConnection(until: deadline)
      var command = command
      command.asRoot = false
      return try await roots.execute(command, until: deadline)
    }
    guard ShellConnection.isShort(command) else {
      return try await start(command, until: deadline).wait(until: deadline)
    }
    try command.check(until: deadline)
    let nonce = ShellChannel.nonce()
    let begin = MonotonicTime.now
    let pump = try exchange(
      ShellScript.short(command, nonce: nonce), nonce: nonce, output: command.standardOutput,
      error: command.standardError, grace: command.grace, what: command.argv[0],
      until: deadline)
    let end = MonotonicTime.now
    guard let trailer = pump.output.trailer else {
      throw ConnectionFailure(.connectionLost, "\(command.argv[0]): no status (\(name))")
    }
    switch trailer.word {
    case "m": throw refusal(of: command).missing
    case "f": throw refusal(of: command).forbidden
    case "d": throw refusal(of: command).directoryMissing
    default: break
    }
    return CommandResult(
      termination: try termination(trailer, until: deadline),
      standardOutput: pump.output.output, standardError: pump.error.output, startTime: begin,
      endTime: end)
  }

  /// What the persistent shell can run: no input, no files, no descendants to be ended.
  private static func isShort(_ command: Command) -> Bool {
    for output in [command.standardOutput, command.standardError] {
      if case .file = output { return false }
    }
    return command.standardInput == .null && !command.endsDescendants && command.affinity == nil
      && command.niceness == nil && command.realtimePriority == nil
  }
}
