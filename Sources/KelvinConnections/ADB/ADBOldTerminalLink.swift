internal import Glibc
internal import KelvinModel

/// A terminal of a device from before 2016: bytes alone, and at their end what the shell was told to say of
/// its exit status.
final class ADBOldTerminalLink: ADBTerminalLink {
  private let stream: ADBStream
  private var filter: TrailerFilter

  init(_ stream: ADBStream, nonce: String) {
    self.stream = stream
    filter = TrailerFilter(nonce: nonce)
  }

  var awaited: (descriptor: Int32, events: Int16) { (stream.descriptor, Int16(POLLIN)) }
  var hasReceived: Bool { stream.hasBuffered }
  /// Its size is the one that it began with.
  func resize(_ size: TerminalSize) {}

  func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    try stream.sendNow(bytes)
  }
  /// A terminal has no end; what was typed may end a program.
  func closeInput() {}
  func abandon() { stream.close() }

  func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent {
    let count = stream.stash()
    var bytes: [UInt8] = []
    stream.takeBuffered(into: &bytes)
    output += released(&bytes)
    if let trailer = filter.trailer { return .ended(status: trailer.status) }
    guard count == 0, bytes.isEmpty else { return .open }
    output += filter.flush()
    throw stream.lost("it ended without an exit status")
  }

  private func released(_ bytes: inout [UInt8]) -> [UInt8] {
    switch bytes.withUnsafeBytes({ filter.take($0) }) {
    case .prefix(let count): Array(bytes[..<count])
    case .bytes(let released): released
    }
  }
}
