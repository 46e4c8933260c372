import Glibc
import KelvinModel
import KelvinSystem
import Synchronization

@testable import KelvinConnections

/// A port of this machine that leads to another one, counts what passes to it and from it, and is cut
/// when so much has passed.
final class CountingRelay: Sendable {
  struct Counts {
    var sent: Int64 = 0
    var received: Int64 = 0
  }

  let port: UInt16
  private let target: UInt16
  private let listener: Int32
  private let state = Mutex(State())
  private let stop = Interrupt()

  private struct State {
    var counts = Counts()
    /// The counts at which everything is cut, once.
    var limit: Counts?
    var threads: [NamedThread] = []
  }

  init(to target: Int) throws {
    self.target = UInt16(target)
    let (descriptor, port) = try CountingRelay.listen()
    (listener, self.port) = (descriptor, port)
    let thread = try NamedThread("relay") { [self] in serve() }
    state.withLock { $0.threads.append(thread) }
  }

  /// What has passed since the last call.
  func take() -> Counts {
    state.withLock { state in
      defer { state.counts = Counts() }
      return state.counts
    }
  }

  /// Cuts all links when so many bytes more have passed.
  func cut(afterSending sent: Int64 = .max, receiving received: Int64 = .max) {
    state.withLock { state in
      state.counts = Counts()
      state.limit = Counts(sent: sent, received: received)
    }
  }

  func close() {
    stop.raise()
    let threads = state.withLock { state in
      defer { state.threads = [] }
      return state.threads
    }
    for thread in threads { thread.join() }
    Glibc.close(listener)
  }

  private static func listen() throws -> (Int32, UInt16) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 8) == 0
          && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard isBound else { throw Errno.current }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  private func serve() {
    let deadline = Deadline(time: nil, interrupt: stop)
    while deadline.wait(for: listener) == .ready {
      let client = accept(listener, nil, nil)
      guard client >= 0 else { continue }
      guard
        let server = try? TCPSocket.connect(
          host: "127.0.0.1", port: target, until: .after(seconds: 5))
      else {
        Glibc.close(client)
        continue
      }
      let thread = try? NamedThread("relayed") { [self] in pass(client, server) }
      state.withLock { state in if let thread { state.threads.append(thread) } }
    }
  }

  private func pass(_ client: Int32, _ server: Int32) {
    defer {
      Glibc.close(client)
      Glibc.close(server)
    }
    _ = fcntl(server, F_SETFL, 0)
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var waiting = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0),
        pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0)
      ]
      guard poll(&waiting, 3, -1) > 0, waiting[2].revents == 0 else { return }
      for (index, other) in [(0, server), (1, client)] where waiting[index].revents != 0 {
        let count = read(waiting[index].fd, &buffer, buffer.count)
        guard count > 0 else { return }
        let isCut = state.withLock { state in
          if index == 0 { state.counts.sent += Int64(count) }
          if index == 1 { state.counts.received += Int64(count) }
          guard let limit = state.limit,
            state.counts.sent > limit.sent || state.counts.received > limit.received
          else { return false }
          state.limit = nil
          return true
        }
        guard !isCut else { return }
        var offset = 0
        while offset < count {
          let written = buffer.withUnsafeBytes {
            send(
              other, $0.baseAddress?.advanced(by: offset), count - offset, Int32(MSG_NOSIGNAL))
          }
          guard written > 0 else { return }
          offset += written
        }
      }
    }
  }
}
