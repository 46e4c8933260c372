internal import KelvinModel

/// Carries the packets of fastboot. Used by one thread at a time, which it may block until a deadline.
///
/// After a failure the two sides may disagree about what comes next, so a transport that has failed
/// is of no more use but to be closed.
protocol FastbootTransport: AnyObject {
  /// `tcp 10.0.0.7:5554`
  var name: String { get }
  /// How many bytes of a data phase are best given at once.
  var chunk: Int { get }

  /// Sends one message: a command, or a piece of a data phase.
  func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) async throws(ConnectionFailure)
  /// Receives one reply, of at most ``FastbootReply/limit`` bytes.
  func receiveReply(until deadline: Deadline) async throws(ConnectionFailure) -> [UInt8]
  /// Receives what has come of a data phase: one byte at least, `limit` at most.
  func receiveData(
    limit: Int, until deadline: Deadline
  ) async throws(ConnectionFailure) -> [UInt8]
  /// Idempotent.
  func close()
}

extension ConnectionFailure {
  /// A wait that ended before anything came.
  static func noAnswer(
    _ name: String, _ what: String, _ deadline: Deadline
  ) -> ConnectionFailure {
    deadline.isInterrupted
      ? ConnectionFailure(.interrupted, "fastboot \(name): interrupted while \(what)")
      : ConnectionFailure(
        .timedOut, "fastboot \(name): no answer in time while \(what)",
        hint:
          "is the board in its boot loader? writing large partitions may need a longer --timeout")
  }
}
