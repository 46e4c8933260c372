internal import KelvinModel

/// Why a command cannot begin on a target.
struct CommandRefusal {
  private let command: Command
  private let name: String
  private var program: String { command.argv.first ?? "" }

  /// - Parameter name: the connection's.
  init(_ command: Command, connection name: String) {
    self.command = command
    self.name = name
  }

  var missing: ConnectionFailure {
    ConnectionFailure(.notFound, "\(program): not found (\(name))")
  }

  var forbidden: ConnectionFailure {
    ConnectionFailure(
      .permissionDenied, "\(program): found, but not executable (\(name))",
      hint: "set its x permission")
  }

  var directoryMissing: ConnectionFailure {
    let directory = command.workingDirectory?.string ?? ""
    return ConnectionFailure(
      .notFound, "\(program): its working directory \(directory) cannot be entered (\(name))")
  }

  var notNice: ConnectionFailure {
    ConnectionFailure(
      .permissionDenied,
      "\(program): niceness \(command.niceness ?? 0) was not granted (\(name))",
      hint: "connect as root, or allow it by 'nice' in the target's limits.conf")
  }

  func toolMissing(_ tool: some StringProtocol) -> ConnectionFailure {
    ConnectionFailure(
      .unsupported, "\(program): the target has no '\(tool)' (\(name))",
      hint: "install util-linux on the target, or leave affinity and priority as they are")
  }

  /// taskset, chrt or the shell itself ended before the command began.
  ///
  /// - Parameter said: on standard error.
  func ended(said: [UInt8]) -> ConnectionFailure {
    let text = String(decoding: said.suffix(300), as: UTF8.self).trimmingASCIIWhitespace
    let isForbidden = [.notPermitted, .permissionDenied].contains(
      ShellReply.errno(inMessage: said))
    let hasScheduling = command.affinity != nil || command.realtimePriority != nil
    return ConnectionFailure(
      isForbidden ? .permissionDenied : .unsupported,
      "\(program): "
        + (hasScheduling ? "affinity or priority could not be set" : "cannot be started")
        + "\(text.isEmpty ? "" : ": " + text) (\(name))",
      hint: isForbidden ? "connect as root" : "")
  }

  /// What a started shell said instead of `ready`, see ``ShellScript/started(_:environment:marker:nonce:)``.
  func failure(_ line: String, said: [UInt8]) -> ConnectionFailure {
    let words = line.split(separator: " ")
    return switch words.first {
    case "missing": missing
    case "forbidden": forbidden
    case "directory": directoryMissing
    case "nice": notNice
    case "tool": toolMissing(words.dropFirst().first ?? "")
    default: ended(said: said)
    }
  }
}

extension Command {
  /// Says what no shell can do for it, and whether there is time left to start it.
  func check(until deadline: Deadline) throws(ConnectionFailure) {
    guard let program = argv.first, !program.isEmpty else {
      throw ConnectionFailure(.unsupported, "a command without a program")
    }
    try ProcessLauncher.checkWords(of: self)
    for variable in environment.keys where !ShellWords.isName(variable) {
      throw ConnectionFailure(
        .unsupported, "\(program): no shell can set the environment variable '\(variable)'")
    }
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(program): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(program): no time was left to start it")
    }
  }
}
