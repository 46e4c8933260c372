package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// When a board was heard last in a checked frame; read by any thread.
final class LastHeard: Sendable {
  private let nanoseconds = Atomic<Int64>(0)

  var time: MonotonicTime { MonotonicTime(nanoseconds: nanoseconds.load(ordering: .relaxed)) }

  func note() { nanoseconds.store(MonotonicTime.now.nanoseconds, ordering: .relaxed) }
}

/// Asks the agent on a board's console what became of the last command, when it has not been heard
/// since the last beat anyway.
///
/// The line is shared with the board's thread, which lets go of it several times a second. While that
/// waits for an answer of its own, nothing is asked: then its answer counts.
final class ConsolePulse: Pulse {
  let name: String
  private let connection: ConsoleConnection
  private let session: String
  private let heard: LastHeard
  /// When the last beat was over.
  private let last = Atomic<Int64>(MonotonicTime.now.nanoseconds)

  init(_ connection: ConsoleConnection, session: String, heard: LastHeard) {
    name = "a question to the agent on \(connection.name)"
    self.connection = connection
    self.session = session
    self.heard = heard
  }

  func beat(until deadline: Deadline) throws(ConnectionFailure) {
    defer { last.store(MonotonicTime.now.nanoseconds, ordering: .relaxed) }
    while heard.time.nanoseconds <= last.load(ordering: .relaxed) {
      let answer = try connection.useIfFree(session: session) {
        channel throws(ConnectionFailure) in
        try channel.isAnswering(until: deadline)
      }
      if answer == true { return }
      // Nothing tells that the line is free.
      let pause = answer == nil ? deadline.limited(toSeconds: 0.02).wait() : .passed
      if deadline.isInterrupted || pause == .interrupted {
        throw ConnectionFailure(.interrupted, "\(name): stopped")
      }
      if deadline.hasPassed { throw ConnectionFailure(.timedOut, "\(name): no answer in time") }
    }
  }

  /// That a line goes shows when it is asked: the board's thread reads it.
  func rest(until deadline: Deadline) throws(ConnectionFailure) {
    if deadline.wait() == .interrupted {
      throw ConnectionFailure(.interrupted, "\(name): stopped")
    }
  }

  func close() {}
}

extension ConsoleConnection {
  package func pulse(
    until deadline: Deadline
  ) async throws(ConnectionFailure) -> (any Pulse)? {
    try use(until: deadline) { channel throws(ConnectionFailure) in
      ConsolePulse(self, session: channel.session, heard: channel.heard)
    }
  }
}

extension ConsoleChannel {
  /// Whether the agent answers; nothing is run, and nothing ends by the lack of an answer.
  ///
  /// - Throws: `connectionLost` when the line is gone, the agent has ended, or the board has started
  ///   anew.
  func isAnswering(until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    let begin = heard.time
    do throws(ConnectionFailure) {
      while !deadline.hasPassed, !deadline.isInterrupted {
        try send([10] + request.query(id, inPieces: true), until: deadline)
        let pause = deadline.limited(toSeconds: answerTime(ConsoleChannel.short))
        while let event = try next(until: pause) {
          if case .frame(let frame) = event, frame.message == .bye {
            throw lost("its agent has ended")
          }
          if heard.time > begin { return true }
        }
        if boot.hasBegun { throw lost("it has restarted") }
      }
      return false
    } catch {
      guard error.code == .connectionLost else { return false }
      isOpen = false
      throw error
    }
  }
}
