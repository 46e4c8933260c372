public import KelvinModel
internal import KelvinSystem

extension ShellConnection {
  public func start(
    _ command: Command, until deadline: Deadline
  ) async throws(ConnectionFailure) -> any RemoteProcess {
    try (command.asRoot ? rootConnection(until: deadline) : self).begin(command, until: deadline)
  }

  /// Starts a command in a shell of its own.
  func begin(
    _ command: Command, until deadline: Deadline
  ) throws(ConnectionFailure) -> ShellProcess {
    try check(command, until: deadline)
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
      throw refusal(of: command, greeting.refusal, said: greeting.said)
    }
    return Greeted(link: link, nonce: nonce, marker: marker, ready: ready)
  }

  private func check(_ command: Command, until deadline: Deadline) throws(ConnectionFailure) {
    guard let program = command.argv.first, !program.isEmpty else {
      throw ConnectionFailure(.unsupported, "a command without a program")
    }
    try ProcessLauncher.checkWords(of: command)
    for variable in command.environment.keys where !ShellWords.isName(variable) {
      throw ConnectionFailure(
        .unsupported, "\(program): no shell can set the environment variable '\(variable)'")
    }
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(program): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(program): no time was left to start it")
    }
  }

  /// What the target said instead of `ready`.
  private func refusal(
    of command: Command, _ line: String, said: [UInt8]
  ) -> ConnectionFailure {
    let program = command.argv[0]
    let words = line.split(separator: " ")
    switch words.first {
    case "missing": return missing(program)
    case "forbidden": return forbidden(program)
    case "directory": return directoryMissing(command)
    case "nice":
      return ConnectionFailure(
        .permissionDenied,
        "\(program): niceness \(command.niceness ?? 0) was not granted (\(name))",
        hint: "connect as root, or allow it by 'nice' in the target's limits.conf")
    case "tool":
      return ConnectionFailure(
        .unsupported,
        "\(program): the target has no '\(words.dropFirst().first ?? "")' (\(name))",
        hint: "install util-linux on the target, or leave affinity and priority as they are")
    default:
      // taskset, chrt or the shell itself ended before the command began.
      let text = String(decoding: said.suffix(300), as: UTF8.self).trimmingASCIIWhitespace
      let isForbidden = [.notPermitted, .permissionDenied].contains(
        ShellConnection.errno(inMessage: said))
      let hasScheduling = command.affinity != nil || command.realtimePriority != nil
      return ConnectionFailure(
        isForbidden ? .permissionDenied : .unsupported,
        "\(program): "
          + (hasScheduling ? "affinity or priority could not be set" : "cannot be started")
          + "\(text.isEmpty ? "" : ": " + text) (\(name))",
        hint: isForbidden ? "connect as root" : "")
    }
  }

  private func missing(_ program: String) -> ConnectionFailure {
    ConnectionFailure(.notFound, "\(program): not found (\(name))")
  }

  private func forbidden(_ program: String) -> ConnectionFailure {
    ConnectionFailure(
      .permissionDenied, "\(program): found, but not executable (\(name))",
      hint: "set its x permission")
  }

  private func directoryMissing(_ command: Command) -> ConnectionFailure {
    let directory = command.workingDirectory?.string ?? ""
    return ConnectionFailure(
      .notFound,
      "\(command.argv[0]): its working directory \(directory) cannot be entered (\(name))")
  }

  // MARK: Short commands

  public func execute(
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
    try check(command, until: deadline)
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
    case "m": throw missing(command.argv[0])
    case "f": throw forbidden(command.argv[0])
    case "d": throw directoryMissing(command)
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

  public func findExecutables(
    _ names: [String], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [TargetPath?] {
    let words = names.map(ShellWords.quote).joined(separator: " ")
    let reply = try run(
      "for n in \(words); do kelvin_find \"$n\"; printf '%s\\000' \"$kelvin_path\"; done",
      until: deadline)
    let paths = reply.output.split(separator: 0, omittingEmptySubsequences: false)
    return names.indices.map { index in
      guard index < paths.count, !paths[index].isEmpty else { return nil }
      return TargetPath(String(decoding: paths[index], as: UTF8.self))
    }
  }
}
