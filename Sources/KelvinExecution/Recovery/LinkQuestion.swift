internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// Asks a board's network, apart from its connection: an attempt at a TCP connection, which its kernel
/// answers alone. Asked only when the board is suspected, so that it costs a measurement nothing.
package struct LinkQuestion: Sendable, Hashable {
  package let host: String
  package let port: UInt16
  /// Whether the server speaks first, as ssh's does: then a program answers, not only the kernel.
  package let speaksFirst: Bool

  /// What came of it.
  package enum Answer: Sendable, Hashable {
    /// A program of the board answered.
    case served
    /// The connection came about, and nothing was said on it.
    case accepted
    /// Nothing listens there, says whoever has the address, or closes it at once.
    case refused
    /// Nobody answered, or no way leads there.
    case silent(String)
    /// The question could not be asked, such as for a name that only ssh knows.
    case unknown(String)
  }

  package init(host: String, port: UInt16, speaksFirst: Bool) {
    self.host = host
    self.port = port
    self.speaksFirst = speaksFirst
  }

  /// What a bench file's connection says; nil where it leads through no network.
  package init?(_ choice: DriverChoice) {
    let options = choice.options
    switch choice.driver {
    case "ssh":
      guard let host = options["host"]?.text else { return nil }
      let port = options["port"]?.integer ?? 22
      self.init(host: host, port: UInt16(clamping: port), speaksFirst: true)
    case "adb":
      guard let text = options["tcp"]?.text, let colon = text.lastIndex(of: ":"),
        let port = UInt16(text[text.index(after: colon)...])
      else { return nil }
      self.init(host: String(text[..<colon]), port: port, speaksFirst: false)
    default: return nil
    }
  }

  /// Whether what answers is this machine, which only passes it on.
  package var isForwarded: Bool {
    host == "localhost" || host.hasPrefix("127.") || host == "::1" || host == "[::1]"
  }

  package func ask(until deadline: Deadline) -> Answer {
    let descriptor: Int32
    do throws(SocketFailure) {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      switch error {
      case .unknownHost, .noLookup: return .unknown("\(error)")
      case .noAnswer: return .silent("no answer in time")
      case .system(let code):
        return code.rawValue == ECONNREFUSED || code.rawValue == ECONNRESET
          ? .refused : .silent("\(code)")
      }
    }
    defer { close(descriptor) }
    guard speaksFirst else { return .accepted }
    guard deadline.wait(for: descriptor) == .ready else { return .accepted }
    var byte: UInt8 = 0
    // Who closes at once passes on to somebody that is not there.
    return read(descriptor, &byte, 1) == 1 ? .served : .refused
  }
}
