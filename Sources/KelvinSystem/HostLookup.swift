internal import Glibc
internal import KelvinModel
internal import Synchronization

/// An address of a host and port, as the kernel takes it.
struct HostAddress: Sendable, Hashable {
  let family: Int32
  private let bytes: [UInt8]

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
    of host: String, port: UInt16, until deadline: Deadline
  ) throws(SocketFailure) -> [HostAddress] {
    if let numeric = try? lookUp(host, port, flags: AI_NUMERICHOST).get() { return numeric }
    let answer = Answer()
    do {
      _ = try NamedThread("resolver") { answer.give(lookUp(host, port, flags: 0)) }
    } catch {
      throw .unknownHost("cannot be looked up: \(error.message)")
    }
    guard deadline.wait(for: answer.done.descriptor) == .ready, let result = answer.result else {
      throw .noLookup
    }
    return try result.get()
  }

  private final class Answer: Sendable {
    let done = Interrupt()
    private let stored = Mutex<Result<[HostAddress], SocketFailure>?>(nil)
    var result: Result<[HostAddress], SocketFailure>? { stored.withLock { $0 } }
    func give(_ result: Result<[HostAddress], SocketFailure>) {
      stored.withLock { $0 = result }
      done.raise()
    }
  }

  private static func lookUp(
    _ host: String, _ port: UInt16, flags: Int32
  ) -> Result<[HostAddress], SocketFailure> {
    var hints = addrinfo()
    hints.ai_flags = flags | AI_NUMERICSERV
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, "\(port)", &hints, &list)
    guard status == 0 else { return .failure(.unknownHost(String(cString: gai_strerror(status)))) }
    defer { freeaddrinfo(list) }
    var addresses: [HostAddress] = []
    var entry = list
    while let current = entry?.pointee {
      if let address = current.ai_addr {
        addresses.append(
          HostAddress(
            family: current.ai_family,
            UnsafeRawBufferPointer(start: address, count: Int(current.ai_addrlen))))
      }
      entry = current.ai_next
    }
    return .success(addresses)
  }
}
