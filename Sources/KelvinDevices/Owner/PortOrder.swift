internal import KelvinModel

/// What a client wants done with a port; the port's thread does one after the other.
struct PortOrder: Sendable {
  enum Action: Sendable {
    case write([UInt8])
    case set(ControlLines)
    /// Leaves the far end to somebody else, who gets a descriptor.
    case lend
    case takeBack
    /// Holds the line at break for so many milliseconds.
    case sendBreak(milliseconds: Int)
  }

  /// By which the outcome is known.
  let id: UInt64
  let action: Action
  let deadline: Deadline

  var byteCount: Int { if case .write(let bytes) = action { bytes.count } else { 0 } }
}

/// How an order ended.
struct PortOutcome: Sendable {
  let id: UInt64
  /// Bytes that the system took, also when the order failed.
  var written = 0
  /// What is lent; whoever takes the outcome closes it.
  var descriptor: Int32?
  /// Nil: it was done.
  var failure: OwnerFailure?
}
