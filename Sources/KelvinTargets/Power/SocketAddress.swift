internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A socket address as the kernel takes it.
struct SocketAddress: Sendable, Hashable {
  let family: Int32
  private let bytes: [UInt8]

  /// Of a unix socket; nil when the path is longer than the kernel takes.
  init?(path: String) {
    var address = sockaddr_un()
    let text = Array(path.utf8)
    guard !text.isEmpty, text.count < MemoryLayout.size(ofValue: address.sun_path) else {
      return nil
    }
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: text) }
    family = AF_UNIX
    bytes = withUnsafeBytes(of: &address) { Array($0) }
  }

  /// A copy of one that getaddrinfo(3) found.
  init(family: Int32, _ address: UnsafeRawBufferPointer) {
    self.family = family
    bytes = Array(address)
  }

  /// connect(2).
  func connect(_ descriptor: Int32) -> Int32 {
    bytes.withUnsafeBytes { buffer in
      guard let base = buffer.baseAddress else { return -1 }
      return Glibc.connect(
        descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(buffer.count))
    }
  }
}

/// Finds the addresses of a host by name.
enum HostLookup {
  /// Numeric addresses at once; names on a thread of their own, because the resolver takes no
  /// deadline: when ours passes, the thread is left to end by itself.
  static func addresses(
    of host: String, port: UInt16, as name: String, until deadline: Deadline
  ) throws(PowerFailure) -> [SocketAddress] {
    if let numeric = try? lookUp(host, port, flags: AI_NUMERICHOST).get() { return numeric }
    let answer = Answer()
    do {
      _ = try NamedThread("resolver") { answer.give(lookUp(host, port, flags: 0)) }
    } catch {
      throw PowerFailure(error.kind, error.message)
    }
    guard deadline.wait(for: answer.done.descriptor) == .ready, let result = answer.result else {
      throw PowerFailure(waitingFor: "\(name): looking up '\(host)'", deadline)
    }
    switch result {
    case .success(let addresses): return addresses
    case .failure(let problem):
      throw PowerFailure(
        .configuration, "\(name): host '\(host)': \(problem.text)", hint: "check the name")
    }
  }

  private struct Problem: Error { let text: String }

  private final class Answer: Sendable {
    let done = Interrupt()
    private let stored = Mutex<Result<[SocketAddress], Problem>?>(nil)
    var result: Result<[SocketAddress], Problem>? { stored.withLock { $0 } }
    func give(_ result: Result<[SocketAddress], Problem>) {
      stored.withLock { $0 = result }
      done.raise()
    }
  }

  private static func lookUp(
    _ host: String, _ port: UInt16, flags: Int32
  ) -> Result<[SocketAddress], Problem> {
    var hints = addrinfo()
    hints.ai_flags = flags | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else { return .failure(Problem(text: String(cString: gai_strerror(status)))) }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var entry = list
    while let current = entry?.pointee {
      if let address = current.ai_addr {
        addresses.append(
          SocketAddress(
            family: current.ai_family,
            UnsafeRawBufferPointer(start: address, count: Int(current.ai_addrlen))))
      }
      entry = current.ai_next
    }
    return .success(addresses)
  }
}
