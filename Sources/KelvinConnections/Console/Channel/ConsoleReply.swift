internal import KelvinModel

/// What a script on a board did: all that it printed, checked, and how it ended.
package struct ConsoleReply: Sendable, Hashable {
  /// As the board's shell counts: 128 and the number for a signal.
  package var status: Int32
  package var output: [UInt8]
  package var error: [UInt8]
  /// Bytes that the streams held on the board; more than those kept when a limit cut them.
  package var outputCount: Int
  package var errorCount: Int

  /// Creates a reply.
  package init(
    status: Int32, output: [UInt8] = [], error: [UInt8] = [], outputCount: Int? = nil,
    errorCount: Int? = nil
  ) {
    self.status = status
    self.output = output
    self.error = error
    self.outputCount = outputCount ?? output.count
    self.errorCount = errorCount ?? error.count
  }
}

/// What it took to have true results over a line: for those who doubt it, and for tests.
package struct ConsoleCounts: Sendable, Hashable {
  package var commands = 0
  /// Times that a wait ended without an answer and the board was asked.
  package var queries = 0
  /// Lines of requests that were sent again.
  package var resentLines = 0
  /// Frames that did not pass their check at first sight.
  package var damagedFrames = 0
  package var bytesSent = 0
  package var bytesReceived = 0
}

extension ConsoleReply {
  /// As a connection reports it.
  func result(since start: MonotonicTime) -> CommandResult {
    func captured(_ bytes: [UInt8], _ count: Int) -> CapturedOutput {
      CapturedOutput(bytes: bytes, totalBytes: Int64(count), keptBytes: Int64(bytes.count))
    }
    return CommandResult(
      termination: status > 128 ? .signaled(status - 128) : .exited(status),
      standardOutput: captured(output, outputCount), standardError: captured(error, errorCount),
      startTime: start, endTime: .now)
  }
}
