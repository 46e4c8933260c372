import Glibc
import KelvinModel
import KelvinSystem
import Testing

/// Connections to hosts by name.
@Suite(.timeLimit(.minutes(1)))
struct TCPSocketTests {
  private let soon = Deadline.after(seconds: 20)

  /// A port of 127.0.0.1 that listens, and its descriptor.
  private func listener() throws -> (descriptor: Int32, port: UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) + listen(descriptor, 1) + getsockname(descriptor, $0, &size)
      }
    }
    try #require(status == 0)
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  /// The second name may have an address of IPv6 first, at which nobody listens.
  @Test(arguments: ["127.0.0.1", "localhost"])
  func takesTheFirstAddressThatAnswers(host: String) throws {
    let server = try listener()
    let client = try TCPSocket.connect(host: host, port: server.port, until: soon)
    #expect(fcntl(client, F_GETFL) & O_NONBLOCK != 0)
    #expect(fcntl(client, F_GETFD) & FD_CLOEXEC != 0)
    close(client)
    close(server.descriptor)
  }

  @Test func saysThatNothingListens() throws {
    let server = try listener()
    close(server.descriptor)
    let failure = #expect(throws: SocketFailure.self) {
      _ = try TCPSocket.connect(host: "127.0.0.1", port: server.port, until: soon)
    }
    #expect(failure == .system(Errno(ECONNREFUSED)))
    #expect(failure?.hint.hasPrefix("nothing listens there") == true)
  }

  @Test func saysThatNobodyKnowsTheHost() {
    let failure = #expect(throws: SocketFailure.self) {
      _ = try TCPSocket.connect(host: "-", port: 1, until: soon)
    }
    guard case .unknownHost(let text)? = failure else {
      Issue.record("\(String(describing: failure))")
      return
    }
    #expect(!text.isEmpty)
  }

  @Test func waitsNoLongerThanItMay() throws {
    // A backlog of one that is full takes no connection and refuses none.
    let server = try listener()
    var clients: [Int32] = []
    var failure: SocketFailure?
    while failure == nil, clients.count < 8 {
      do throws(SocketFailure) {
        clients.append(
          try TCPSocket.connect(
            host: "127.0.0.1", port: server.port, until: .after(seconds: 0.3)))
      } catch { failure = error }
    }
    #expect(failure == .noAnswer)
    for descriptor in clients + [server.descriptor] { close(descriptor) }
  }

  @Test func anInterruptEndsTheWait() {
    let interrupt = Interrupt()
    interrupt.raise()
    let failure = #expect(throws: SocketFailure.self) {
      _ = try TCPSocket.connect(
        host: "kelvin.invalid", port: 1, until: .after(seconds: 60, interrupt: interrupt))
    }
    #expect(failure == .noLookup)
  }
}
