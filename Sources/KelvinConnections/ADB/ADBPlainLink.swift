package import KelvinModel

/// A program on an old device, without shell,v2: standard output and error come as one stream, and the
/// exit status as a last line with a nonce, which no output can forge.
package final class ADBPlainLink {
  private let stream: ADBStream
  private let nonce: [UInt8]
  /// What might still turn out to be the last line.
  private var held: [UInt8] = []
  private var status: Int32?

  init(_ stream: ADBStream, nonce: String) {
    self.stream = stream
    self.nonce = Array(nonce.utf8)
  }

  /// Wraps a script so that its end is told. `echo` is all that old shells have in common.
  static func wrap(_ script: String, nonce: String) -> String {
    "( \(script)\n); s=$?; echo; echo \(nonce) $s"
  }

  package var descriptor: Int32 { stream.descriptor }

  package func send(
    _ bytes: ArraySlice<UInt8>, until deadline: Deadline
  ) throws(ConnectionFailure) {
    try stream.send(bytes, until: deadline)
  }

  /// Not possible: a stream of adb is closed in both directions or in none.
  package func closeInput(until deadline: Deadline) throws(ConnectionFailure) {
    throw ConnectionFailure(
      .unsupported, "\(stream.name): this old adbd cannot tell a program that its input has ended",
      hint: "push the input as a file, and let the command read that")
  }

  package func receive(
    into output: inout [UInt8], error: inout [UInt8], until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBShellLink.Event {
    let before = output.count
    while output.count == before {
      if let status { return .ended(status) }
      guard try stream.receive(into: &held, until: deadline) > 0 else {
        guard let end = ADBPlainLink.end(of: held, nonce: nonce) else {
          throw stream.lost("it ended without an exit status")
        }
        output.append(contentsOf: held[..<end.start])
        held = []
        status = end.status
        continue
      }
      // The last line has at most a newline, the nonce, a blank, three digits and a newline.
      let keep = nonce.count + 7
      if held.count > keep {
        output.append(contentsOf: held.dropLast(keep))
        held.removeFirst(held.count - keep)
      }
    }
    return .bytes
  }

  /// Where the program's output ends in `bytes`, and its status; nil when the last line is missing.
  static func end(of bytes: [UInt8], nonce: [UInt8]) -> (start: Int, status: Int32)? {
    guard bytes.last == 10 else { return nil }
    let digits = bytes.dropLast().reversed().prefix { (48...57).contains($0) }.count
    guard digits > 0, digits <= 3 else { return nil }
    let start = bytes.count - 1 - digits - 1 - nonce.count - 1
    guard start >= 0, bytes[start] == 10, bytes[start + 1 + nonce.count] == 32,
      bytes[(start + 1)..<(start + 1 + nonce.count)].elementsEqual(nonce),
      let status = Int32(
        String(decoding: bytes[(bytes.count - 1 - digits)...].dropLast(), as: UTF8.self))
    else { return nil }
    return (start, status)
  }

  package func abandon() { stream.close() }
}
