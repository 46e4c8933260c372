public import KelvinModel
internal import KelvinSystem

/// A further shell of a connection that has become `cat`: what it is sent comes back.
///
/// Each question is a few bytes each way: a wake-up of the target's ssh or adb server and one of `cat`.
final class ShellPulse: Pulse {
  let name: String
  // One thread at a time uses a pulse: its protocol says so.
  private nonisolated(unsafe) var count = 0
  private nonisolated(unsafe) var received: [UInt8] = []
  private let link: any ShellLink

  /// Makes a shell echo; waits for its first answer.
  init(
    _ link: any ShellLink, through name: String, until deadline: Deadline
  )
    throws(ConnectionFailure)
  {
    self.link = link
    self.name = "an echo through \(name)"
    do {
      // A shell reads ahead: what is asked before it has become another program is lost.
      try link.send(all: Array("echo k0.; exec cat\n".utf8), until: deadline)
      try wait(for: Array("k0.".utf8), until: deadline)
      try beat(until: deadline)
    } catch {
      link.abandon()
      throw error
    }
  }

  deinit { link.abandon() }

  func beat(until deadline: Deadline) throws(ConnectionFailure) {
    count += 1
    // Late answers to earlier questions are none to this one.
    let question = Array("k\(count).\n".utf8)
    try link.send(all: question, until: deadline)
    try wait(for: question.dropLast(), until: deadline)
  }

  private func wait(
    for answer: [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) {
    while true {
      try take()
      if received.indices.contains(where: { received[$0...].starts(with: answer) }) {
        received.removeAll(keepingCapacity: true)
        return
      }
      if received.count > 4096 { received.removeFirst(received.count - 64) }
      switch link.wait(toSend: false, until: deadline) {
      case .ready: continue
      case .passed: throw ConnectionFailure(.timedOut, "\(name): no answer in time")
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
    }
  }

  func rest(until deadline: Deadline) throws(ConnectionFailure) {
    while true {
      switch link.wait(toSend: false, until: deadline) {
      case .ready: try take()
      case .passed: return
      case .interrupted: throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
    }
  }

  func close() { link.abandon() }

  private func take() throws(ConnectionFailure) {
    var error: [UInt8] = []
    if case .ended = try link.receive(into: &received, error: &error) {
      let said = String(decoding: error.prefix(200), as: UTF8.self)
      throw ConnectionFailure(
        .connectionLost, "\(name): has ended", evidence: String(said.trimmingASCIIWhitespace))
    }
  }
}

extension ShellConnection {
  package func pulse(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> (any Pulse)? {
    capabilities.isThisMachine ? nil : try echo(until: deadline)
  }

  /// Opens a shell that echoes, wherever it runs.
  package func echo(until deadline: Deadline) throws(ConnectionFailure) -> any Pulse {
    try ShellPulse(transport.open(until: deadline), through: name, until: deadline)
  }
}

extension ADBConnection {
  public func pulse(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> (any Pulse)? {
    try await shell.pulse(until: deadline)
  }
}
