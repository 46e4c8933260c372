internal import Foundation
internal import Glibc
internal import KelvinConnections
internal import KelvinModel

/// How a command on a board ended, for the exit code and for `--status-file`.
struct CommandEnding: Sendable, Hashable {
  enum Outcome: String, Sendable {
    case exited, signaled
    case notFound = "not-found"
    case timedOut = "timed-out"
    case connectionLost = "connection-lost"
    case interrupted, failed
    /// Nobody reads what it prints any more.
    case brokenPipe = "broken-pipe"
  }

  let outcome: Outcome
  /// The exit status or the signal's number; nil otherwise.
  let number: Int32?
  /// Empty when the command ended by itself.
  let message: String
  let exitCode: Int32

  /// How a command ended by itself.
  init(_ result: CommandResult) {
    message = ""
    switch result.termination {
    case .exited(let status):
      (outcome, number, exitCode) = (.exited, status, status)
    case .signaled(let signal):
      (outcome, number, exitCode) = (.signaled, signal, 128 + signal)
    }
  }

  /// Why it did not.
  init(_ error: any Error) {
    number = nil
    message = "\(PlainFailure(error))"
    if let failure = error as? ConnectionFailure {
      switch failure.code {
      case .timedOut: (outcome, exitCode) = (.timedOut, 124)
      case .connectionLost, .unreachable: (outcome, exitCode) = (.connectionLost, 126)
      case .notFound: (outcome, exitCode) = (.notFound, 127)
      case .hostFile(KelvinModel.Errno(EPIPE)): (outcome, exitCode) = (.brokenPipe, 128 + SIGPIPE)
      case .interrupted: (outcome, exitCode) = (.interrupted, SignalInterrupt.exitCode ?? 130)
      default: (outcome, exitCode) = (.failed, 125)
      }
    } else if let code = SignalInterrupt.exitCode {
      (outcome, exitCode) = (.interrupted, code)
    } else {
      (outcome, exitCode) = (.failed, 125)
    }
  }

  /// Whether there is something to be said: what the user did needs no words.
  var isWorthAMessage: Bool {
    outcome != .interrupted && outcome != .brokenPipe && !message.isEmpty
  }

  /// For scripts: `{"outcome":"exited","status":3}`.
  var value: Value {
    var map: [String: Value] = ["outcome": .text(outcome.rawValue)]
    if let number { map[outcome == .signaled ? "signal" : "status"] = .integer(Int64(number)) }
    if !message.isEmpty { map["message"] = .text(message) }
    return .map(map)
  }

  /// Writes it to a temporary name beside the file, then renames.
  func write(to path: String) throws(PlainFailure) {
    do {
      try Data((value.json + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw PlainFailure(.infrastructure, "\(path): cannot be written", evidence: "\(error)")
    }
  }
}
