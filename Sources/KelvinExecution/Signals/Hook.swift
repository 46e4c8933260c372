/// A callback for one signal.
public struct Hook: Sendable {
  /// Runs on the board's thread and may block it until the context's deadline.
  public typealias Body = @Sendable (SignalContext) async throws -> Void

  public let signal: Signal
  public let priority: Priority
  /// Called also when the target no longer answers.
  public let isHostSide: Bool
  /// Seconds that it may wait; nil: as long as callbacks usually may.
  public let timeout: Double?
  public let body: Body

  /// Attaches code to a signal.
  public init(
    _ signal: Signal, priority: Priority = .normal, hostSide isHostSide: Bool = false,
    timeout: Double? = nil, _ body: @escaping Body
  ) {
    self.signal = signal
    self.priority = priority
    self.isHostSide = isHostSide
    self.timeout = timeout
    self.body = body
  }

  /// The same callback, called also when the target no longer answers.
  public var hostSide: Hook {
    Hook(signal, priority: priority, hostSide: true, timeout: timeout, body)
  }

  /// The same callback, with a time of its own: for what waits on purpose.
  public func within(seconds: Double) -> Hook {
    Hook(signal, priority: priority, hostSide: isHostSide, timeout: seconds, body)
  }
}
