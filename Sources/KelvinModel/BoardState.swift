/// The states of a board of a bench, as its leases and its health say (bench.db).
public enum BoardState: String, StateMachine {
  /// Nobody has it, and anybody may take it; a reservation may still keep it for somebody.
  case free
  /// A run or a command has it.
  case leased
  /// Whoever has it brings it back to a known state first.
  case recovering
  /// It was found sick; nobody gets it before it is found well, or somebody says that it is.
  case quarantined
  /// Somebody took it out; nobody gets it before somebody puts it back.
  case disabled

  public enum Event: String, Sendable, CaseIterable {
    case acquire
    /// Somebody takes a board that was taken out, to look after it; it stays out.
    case attend
    /// A lease whose owner is gone goes to another one, who must restore the board's settings.
    case takeOver = "take over"
    /// The board stopped answering, or answers wrongly.
    case recover
    /// It is as it should be again.
    case recovered
    case release
    case quarantine
    case disable
    /// Somebody, or a passed health check, says that the board is well.
    case enable
    /// The same, while the lease under which it was taken out still goes on.
    case enableLeased = "enable while leased"
  }

  public static let machineName = "board"

  public func next(_ event: Event) -> BoardState? {
    switch (self, event) {
    case (.free, .acquire): .leased
    case (.quarantined, .attend): .quarantined
    case (.disabled, .attend): .disabled
    case (.leased, .takeOver), (.recovering, .takeOver), (.leased, .recover): .recovering
    case (.recovering, .recovered): .leased
    case (.leased, .release): .free
    // Given back in the middle of a recovery: nobody knows that it is well.
    case (.recovering, .release): .quarantined
    // Taken out while a run had it: the run goes on to its end, the board stays out.
    case (.quarantined, .release): .quarantined
    case (.disabled, .release): .disabled
    case (.disabled, .quarantine): nil
    case (_, .quarantine): .quarantined
    case (.disabled, .disable): nil
    case (_, .disable): .disabled
    case (.quarantined, .enable), (.disabled, .enable): .free
    case (.quarantined, .enableLeased), (.disabled, .enableLeased): .leased
    default: nil
    }
  }
}
