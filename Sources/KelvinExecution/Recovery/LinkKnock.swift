internal import KelvinModel
internal import KelvinSystem

/// Waits until a program of a board that boots speaks on its network.
///
/// What is sent to a board that is not there yet is lost, and repeated after seconds that double each time (RFC
/// 6298, section 2.1 and 5): a connection that begins too early may come about long after the board could have
/// answered. So new ones are begun all the time, each from another port, until one of them is spoken to.
struct LinkKnock {
  let question: LinkQuestion

  /// Seconds for each connection. At most so many are open: servers shut out who has many without a login
  /// (dropbear five). The last one is for servers whose first word takes its time.
  private static let patience = [1.5, 1.5, 5]
  /// Seconds between attempts that are refused at once.
  private static let pause = 0.1

  /// Nil where nothing speaks first.
  init?(_ question: LinkQuestion?) {
    guard let question, question.speaksFirst else { return nil }
    self.question = question
  }

  /// Returns when the board has spoken, or at the deadline.
  ///
  /// - Returns: whether it has, or nothing can be told of it that way.
  @discardableResult
  func wait(until deadline: Deadline) -> Bool {
    let answered = Interrupt()
    let either = deadline.ended(by: [answered])
    let threads = LinkKnock.patience.enumerated().compactMap { hand, patience in
      // Without a thread there is one hand less.
      try? NamedThread("kelvin-knock") { [question] in
        _ = either.limited(toSeconds: Double(hand) * 0.5).wait()
        while !either.hasPassed, !either.isInterrupted {
          switch question.ask(until: either.limited(toSeconds: patience)) {
          case .served, .unknown: answered.raise()
          case .accepted, .silent: break
          case .refused: _ = either.limited(toSeconds: LinkKnock.pause).wait()
          }
        }
      }
    }
    _ = either.wait()
    for thread in threads { thread.join() }
    return answered.isRaised
  }
}
