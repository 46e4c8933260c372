internal import KelvinModel

/// What carries lines to an instrument, and its answers back. Used by one thread at a time; closes with its last
/// reference.
protocol SCPILink: Sendable {
  /// Sends lines, each with a newline at its end.
  func send(_ lines: [String], until deadline: Deadline) throws(MeterFailure)
  /// Up to a newline, or the end of a message, which is taken, too; nil when a line is longer than `limit`.
  func line(limit: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8]?
  /// So many bytes.
  func take(_ count: Int, until deadline: Deadline) throws(MeterFailure) -> [UInt8]
  /// What has come that nobody waits for; empty when nothing has.
  func leftOver() throws(MeterFailure) -> [UInt8]
}

extension MeterSocket: SCPILink {
  func send(_ lines: [String], until deadline: Deadline) throws(MeterFailure) {
    try send(Array(lines.map { $0 + "\n" }.joined().utf8), until: deadline)
  }
}
