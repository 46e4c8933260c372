/// Why a conversation with a host ended.
enum WireEnd: Error, Sendable {
  /// The host has gone, or has said what no host says.
  case gone
  /// The host begins anew.
  case restarted
  /// The simulator is to end.
  case stopped
}

/// One host, as a boot loader sees it. All calls block until there is something, the host goes, or the
/// simulator is stopped. Used by one thread.
protocol BootloaderWire: AnyObject {
  /// The next command.
  func readCommand() throws(WireEnd) -> [UInt8]
  /// Some of the data that the host sends; `limit` at most.
  func readData(limit: Int) throws(WireEnd) -> [UInt8]
  /// A reply, or a piece of the data that the host is to get.
  func write(_ bytes: [UInt8]) throws(WireEnd)
  /// Takes in whatever comes and answers nothing, until the host goes.
  func ignore() throws(WireEnd)
}
