public import KelvinModel

/// A way of its own to ask a target whether it lives, while others use the connection.
///
/// The smallest question that a program of the target answers: a kernel that still answers its network
/// while nothing runs any more is found out, too. Used by one thread, which need not be the board's.
public protocol Pulse: AnyObject, Sendable {
  /// What messages call it: `an echo through ssh root@10.0.0.7`.
  var name: String { get }

  /// Asks, and waits for the answer.
  ///
  /// - Throws: `timedOut` when none came; `connectionLost` when the way is gone; `interrupted`.
  func beat(until deadline: Deadline) throws(ConnectionFailure)

  /// Waits until the deadline without asking, and notices when the way goes.
  ///
  /// - Throws: `connectionLost`, `interrupted`.
  func rest(until deadline: Deadline) throws(ConnectionFailure)

  /// Lets go of the way; what it had on the target ends. Idempotent.
  func close()
}
