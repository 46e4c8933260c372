import Glibc
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinExecution

/// A board that boots, as its network shows it.
@Suite(.timeLimit(.minutes(1))) struct LinkKnockTests {
  /// A server on the loopback interface that answers connections as it is told.
  private final class Server: Sendable {
    let port: UInt16
    private let listener: Int32

    init() throws {
      listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      try #require(listener >= 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let listener = listener
      let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
          bind(listener, generic, length) == 0 && listen(listener, 8) == 0
            && getsockname(listener, generic, &length) == 0
        }
      }
      try #require(status)
      port = UInt16(bigEndian: address.sin_port)
    }

    deinit { close(listener) }

    var question: LinkQuestion { LinkQuestion(host: "127.0.0.1", port: port, speaksFirst: true) }

    /// Takes the next connection; -1 at the deadline.
    func take() -> Int32 {
      var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
      return poll(&waiting, 1, 20_000) == 1 ? accept(listener, nil, nil) : -1
    }
  }

  /// The first connection came too early, and nothing is ever said on it; a later one is answered.
  @Test func aConnectionThatBeganTooEarlyIsNotWaitedFor() throws {
    let server = try Server()
    let knock = try #require(LinkKnock(server.question))
    let board = try NamedThread("board") {
      let early = server.take()
      let late = server.take()
      let words = "SSH-2.0-board\r\n"
      if late >= 0 { _ = write(late, words, words.utf8.count) }
      // Both stay open until the knock has ended.
      _ = server.take()
      close(early)
      close(late)
    }
    #expect(knock.wait(until: .after(seconds: 30)))
    let end = try #require(LinkKnock(server.question))
    _ = end.wait(until: .after(seconds: 0.2))
    board.join()
  }

  @Test func aBoardThatSaysNothingIsAskedAllTheSame() throws {
    let server = try Server()
    let knock = try #require(LinkKnock(server.question))
    #expect(!knock.wait(until: .after(seconds: 0.5)))
  }

  @Test func anInterruptEndsIt() throws {
    let server = try Server()
    let interrupt = Interrupt()
    interrupt.raise()
    let knock = try #require(LinkKnock(server.question))
    #expect(!knock.wait(until: .after(seconds: 3600, interrupt: interrupt)))
  }

  @Test func whatSpeaksSecondIsNotListenedFor() {
    #expect(LinkKnock(nil) == nil)
    #expect(LinkKnock(LinkQuestion(host: "h", port: 5555, speaksFirst: false)) == nil)
  }
}
