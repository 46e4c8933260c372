/// A transition that the state machine does not allow: a defect, caught in one place.
public struct IllegalTransition: Failure, Hashable {
  public let machine: String
  public let state: String
  public let event: String

  public var kind: FailureKind { .internal }
  public var message: String {
    "\(machine) in state '\(state)' got '\(event)', which it cannot take"
  }
}

/// A state machine: states, the events it takes, and one transition function.
///
/// docs/architecture.md shows each machine as a table, which a test compares with
/// ``StateMachine/transitionTable()``.
public protocol StateMachine: Sendable, Hashable, CaseIterable, RawRepresentable
where RawValue == String {
  associatedtype Event: Sendable, CaseIterable, RawRepresentable where Event.RawValue == String
  /// What the machine is called in messages and in the documentation.
  static var machineName: String { get }
  /// The state after `event`; nil when the event is not allowed in this state.
  func next(_ event: Event) -> Self?
}

extension StateMachine {
  /// Moves to the state after `event`.
  ///
  /// - Throws: ``IllegalTransition`` when the event is not allowed in this state.
  public mutating func take(_ event: Event) throws(IllegalTransition) {
    guard let next = next(event) else {
      throw IllegalTransition(
        machine: Self.machineName, state: rawValue, event: event.rawValue)
    }
    self = next
  }

  /// All legal transitions as a Markdown table: one row a state, `event → state` pairs.
  public static func transitionTable() -> String {
    var lines = ["| \(machineName) | on | goes to |", "| --- | --- | --- |"]
    for state in allCases {
      for event in Event.allCases {
        if let next = state.next(event) {
          lines.append("| \(state.rawValue) | \(event.rawValue) | \(next.rawValue) |")
        }
      }
    }
    return lines.joined(separator: "\n")
  }
}

/// The states of a run.
public enum RunState: String, StateMachine {
  case new, running, stopping, ended

  public enum Event: String, Sendable, CaseIterable {
    /// Initialization succeeded, or a resume took the run over.
    case begin
    /// A signal, or a failure after which no further job may begin.
    case stop
    /// Finalization is over.
    case end
    /// `kelvin resume` continues a run that a dead process left, or that was stopped.
    case resume
  }

  public static let machineName = "run"

  public func next(_ event: Event) -> RunState? {
    switch (self, event) {
    case (.new, .begin): .running
    case (.new, .end): .ended
    case (.new, .stop), (.running, .stop): .stopping
    case (.running, .end), (.stopping, .end): .ended
    case (.new, .resume), (.running, .resume), (.stopping, .resume), (.ended, .resume): .running
    default: nil
    }
  }
}

/// The states of a unit, which is a job on its way from description to verdict.
public enum UnitState: String, StateMachine {
  case described, planned, translated, blocked, queued, bound, dispatched, ended

  public enum Event: String, Sendable, CaseIterable {
    case plan, translate, block, queue, bind, dispatch
    /// Back to the queue: for a retry, or because the process that ran it died.
    case requeue
    case end
  }

  public static let machineName = "unit"

  public func next(_ event: Event) -> UnitState? {
    switch (self, event) {
    case (.described, .plan): .planned
    case (.planned, .translate): .translated
    case (.translated, .block), (.queued, .block): .blocked
    case (.translated, .queue), (.blocked, .queue): .queued
    case (.queued, .bind): .bound
    case (.bound, .dispatch): .dispatched
    case (.bound, .requeue), (.dispatched, .requeue): .queued
    case (.ended, _): nil
    case (_, .end): .ended
    default: nil
    }
  }
}

/// The states of one attempt at a job: the four stages of its life cycle between start and end.
public enum AttemptState: String, StateMachine {
  case starting, setup, running, extracting, teardown, ended

  public enum Event: String, Sendable, CaseIterable {
    case beginSetup = "begin setup"
    case beginRun = "begin run"
    case beginExtraction = "begin extraction"
    case beginTeardown = "begin teardown"
    case end
    /// The process that ran the attempt died; found by a resume.
    case cut
  }

  public static let machineName = "attempt"

  public func next(_ event: Event) -> AttemptState? {
    switch (self, event) {
    case (.starting, .beginSetup): .setup
    case (.starting, .end): .ended  // failed before setup began: there is nothing to tear down
    case (.setup, .beginRun): .running
    case (.running, .beginExtraction): .extracting
    // Teardown always runs once setup began, whichever stage failed.
    case (.setup, .beginTeardown), (.running, .beginTeardown), (.extracting, .beginTeardown):
      .teardown
    case (.teardown, .end): .ended
    case (.ended, _): nil
    case (_, .cut): .ended
    default: nil
    }
  }
}
