package import KelvinModel

/// Commands that are ended, and the agent's own end.
extension ConsoleChannel {
  /// Ends the running command, and gives what it printed, as far as it can be had in a few seconds;
  /// nil when the board has not begun it.
  func end(grace: Double) throws(ConnectionFailure) -> ConsoleReply? {
    let steps: [(script: String, seconds: Double)] = [
      (ConsoleAgent.kill(15), max(0, grace)), (ConsoleAgent.kill(9) + ";" + ConsoleAgent.note, 5)
    ]
    for step in steps {
      do throws(ConnectionFailure) {
        let line = request.evaluate(id, step.script)
        let latest = Deadline.after(seconds: step.seconds + answerTime(2 * line.count))
        try send([10] + line, until: latest)
        let wait = Waiting(answerTime(line.count))
        guard let ended = try ending(of: [line], wait, isOwn: false, until: latest) else {
          return nil
        }
        do throws(ConnectionFailure) {
          let size = ConsoleChannel.partialLimit
          return try whole(
            ended, limit: size, until: .after(seconds: answerTime(2 * size)))
        } catch {
          if error.code == .connectionLost { throw error }
          return nil
        }
      } catch {
        guard error.code == .timedOut else {
          isOpen = false
          throw error
        }
      }
    }
    isOpen = false
    throw lost("a command could not be ended")
  }

  /// Ends the agent, so that the shell that was there before is back; idempotent.
  package func close(until deadline: Deadline) {
    guard isOpen else { return }
    isOpen = false
    for _ in 0..<4 {
      guard (try? send([10] + request.quit(), until: deadline)) != nil else { return }
      let patience = deadline.limited(toSeconds: answerTime(0))
      while let event = try? next(until: patience) {
        if case .frame(let frame) = event, frame.message == .bye { return }
      }
      if deadline.hasPassed || deadline.isInterrupted { return }
    }
  }
}
