internal import Glibc
package import KelvinModel

/// A program on a device by shell,v2: three streams and an exit status in one.
package final class ADBShellLink {
  /// How a wait for bytes ended.
  package enum Event: Hashable, Sendable { case bytes, ended(Int32?) }

  private let stream: ADBStream
  private var decoder = ADBShellDecoder()
  private var buffer: [UInt8] = []

  init(_ stream: ADBStream) { self.stream = stream }

  package var descriptor: Int32 { stream.descriptor }

  /// Sends bytes to the program's standard input.
  package func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let part = rest.prefix(ADBShellLink.chunk)
      try stream.send(ADBShellPacket.header(0, length: part.count) + part, until: deadline)
      rest = rest.dropFirst(part.count)
    }
  }

  private static let chunk = 1 << 16

  /// Ends the program's standard input.
  package func closeInput(until deadline: Deadline) throws(ConnectionFailure) {
    try stream.send(ADBShellPacket.closeInput.encoded, until: deadline)
  }

  /// Waits for bytes; appends what came.
  ///
  /// - Throws: `connectionLost` when the stream ends and no exit packet came: whatever was printed,
  ///   how the program ended is not known.
  package func receive(
    into output: inout [UInt8], error: inout [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> Event {
    let before = output.count + error.count
    while true {
      if let status = decoder.status { return .ended(Int32(status)) }
      buffer.removeAll(keepingCapacity: true)
      guard try stream.receive(into: &buffer, until: deadline) > 0 else {
        throw stream.lost("it ended without an exit status")
      }
      do {
        try decoder.take(buffer[...], output: &output, error: &error)
      } catch {
        abandon()
        throw ConnectionFailure(
          .connectionLost, "\(stream.name): sent what no shell sends: \(error.text)")
      }
      if output.count + error.count > before { return .bytes }
    }
  }

  /// Hangs up: adbd ends the shell. Idempotent.
  package func abandon() { stream.close() }
}
