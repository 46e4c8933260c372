/// The latest moment at which a wait may end, and what may end it sooner.
///
/// Deadlines are passed down, not durations: whoever waits asks for the remaining time, so nested
/// waits never add up to more than was granted.
public struct Deadline: Sendable {
  /// Nil means that time alone never ends the wait.
  public let time: MonotonicTime?
  /// Ends the wait at once when raised, e.g. by SIGINT; nil when nothing can.
  public let interrupt: Interrupt?

  /// Creates a deadline from its parts.
  public init(time: MonotonicTime?, interrupt: Interrupt? = nil) {
    self.time = time
    self.interrupt = interrupt
  }

  /// A deadline a duration from now; durations beyond 100 years mean never.
  public static func after(seconds: Double, interrupt: Interrupt? = nil) -> Deadline {
    guard seconds < 3e9 else { return Deadline(time: nil, interrupt: interrupt) }
    let nanoseconds = Int64(max(0, seconds) * 1e9)
    return Deadline(
      time: MonotonicTime(nanoseconds: MonotonicTime.now.nanoseconds + nanoseconds),
      interrupt: interrupt)
  }

  /// No limit of time and nothing that interrupts.
  public static let never = Deadline(time: nil)

  /// The earlier of this deadline and a duration from now; keeps the interrupt.
  public func limited(toSeconds seconds: Double) -> Deadline {
    let other = Deadline.after(seconds: seconds, interrupt: interrupt)
    guard let time else { return other }
    guard let otherTime = other.time else { return self }
    return Deadline(time: min(time, otherTime), interrupt: interrupt)
  }

  /// Nanoseconds left, never negative; nil when there is no limit of time.
  public var remainingNanoseconds: Int64? {
    guard let time else { return nil }
    return max(0, time - .now)
  }

  /// Milliseconds left for poll(2): rounded up, -1 without limit, at most one day.
  public var pollMilliseconds: Int32 {
    guard let nanoseconds = remainingNanoseconds else { return -1 }
    return Int32(min((nanoseconds + 999_999) / 1_000_000, 86_400_000))
  }

  /// Whether the time is over.
  public var hasPassed: Bool { remainingNanoseconds == 0 }

  /// Whether the interrupt was raised.
  public var isInterrupted: Bool { interrupt?.isRaised ?? false }

  /// Whether the interrupt was raised because the board is lost: what runs there cannot be ended.
  public var isLost: Bool { interrupt?.isLoss ?? false }
}
