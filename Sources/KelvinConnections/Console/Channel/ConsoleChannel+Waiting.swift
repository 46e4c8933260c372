internal import KelvinModel

extension ConsoleChannel {
  /// Listens until something that a script left running calls, as ``ConsoleLibrary`` has it do.
  ///
  /// - Parameter heard: the calls that the caller knows of: there may be others who listen.
  /// - Returns: false when the deadline passed or was interrupted before that.
  /// - Throws: `connectionLost` when the line is gone, or the board has started anew.
  func listen(since heard: inout Int, until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    do throws(ConnectionFailure) {
      // A call that came damaged is one.
      while calls == heard, let event = try next(until: deadline) {
        if event == .damaged { calls += 1 }
        if case .frame(let frame) = event, frame.message == .bye {
          throw lost("its agent has ended")
        }
        if boot.hasBegun { break }
      }
      if boot.hasBegun { throw lost("it has restarted") }
      defer { heard = calls }
      return calls != heard
    } catch {
      isOpen = false
      throw error
    }
  }

  /// When a board is asked next, while an answer is waited for.
  struct Waiting {
    /// Queries in a row without an answer after which a line is dead.
    private static let patience = 10

    /// Queries since the last answer.
    private(set) var unanswered = 0
    private(set) var damages = 0
    private(set) var isRunning = false
    var losses = 0
    private(set) var refusals = 0
    private var due: MonotonicTime
    private var pause = 0.25

    init(_ seconds: Double) { due = Waiting.time(seconds) }

    /// The deadline of a wait: the next query, or the whole deadline when that is earlier.
    func deadline(within deadline: Deadline) -> Deadline {
      Deadline(time: deadline.time.map { min($0, due) } ?? due, interrupt: deadline.interrupt)
    }

    /// Asks soon: something went wrong, but more of it may still be coming.
    mutating func hasten(_ seconds: Double, isDamage: Bool = false) {
      // A damaged answer is one: the board is there.
      if isDamage { (damages, unanswered) = (damages + 1, 0) }
      due = min(due, Waiting.time(seconds))
    }

    mutating func answered() { unanswered = 0 }

    /// The board has read a line that it did not understand: it is there, too.
    mutating func refused() { (refusals, unanswered) = (refusals + 1, 0) }

    /// Whether the board is to be taken for gone, or the line for one that carries nothing.
    ///
    /// A board that is known to work may be too busy to answer.
    var isHopeless: Bool {
      unanswered >= Waiting.patience * (isRunning ? 2 : 1) || damages >= 200 || refusals >= 200
    }

    /// The board has said that the command runs: its end is told without being asked for, so asking
    /// only guards against loss, and more and more rarely.
    mutating func runs() {
      isRunning = true
      due = Waiting.time(pause)
      pause = min(2 * pause, 5)
    }

    /// Waits longer after each query that gets no answer.
    mutating func asked(_ seconds: Double) {
      unanswered += 1
      due = Waiting.time(seconds * (1 + 0.3 * Double(unanswered)))
    }

    mutating func sent(_ seconds: Double) { due = Waiting.time(seconds) }

    private static func time(_ seconds: Double) -> MonotonicTime {
      MonotonicTime(nanoseconds: MonotonicTime.now.nanoseconds + Int64(seconds * 1e9))
    }
  }
}
