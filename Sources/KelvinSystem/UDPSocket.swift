internal import Glibc
package import KelvinModel

/// UDP sockets that talk to one host and port only.
package enum UDPSocket {
  /// Makes a socket whose peer is the first address of the host; nothing is sent. Non-blocking
  /// afterwards, and what others send is not received.
  ///
  /// - Returns: the descriptor, which is the caller's to close.
  package static func connect(
    host: String, port: UInt16, until deadline: Deadline
  ) throws(SocketFailure) -> Int32 {
    guard let address = try HostLookup.addresses(of: host, port: port, until: deadline).first else {
      throw .unknownHost("has no address")
    }
    let kind =
      Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(address.family, kind, 0)
    guard descriptor >= 0 else { throw .system(.current) }
    guard address.connect(descriptor) == 0 else {
      let error = KelvinModel.Errno.current
      close(descriptor)
      throw .system(error)
    }
    return descriptor
  }
}
