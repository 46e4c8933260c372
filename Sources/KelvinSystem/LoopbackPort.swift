internal import Glibc
package import KelvinModel

/// Ports of 127.0.0.1, for what this machine serves to itself.
package enum LoopbackPort {
  /// Takes a port; of a stream, connections may come from now on.
  ///
  /// - Parameters:
  ///   - wanted: 0: one that is free.
  ///   - isStream: TCP, or else UDP.
  /// - Returns: the descriptor, blocking and closed on exec, which is the caller's to close, and the port.
  /// - Throws: of kind infrastructure when another program has the port.
  package static func open(
    _ wanted: UInt16 = 0, isStream: Bool = true
  ) throws(PlainFailure) -> (descriptor: Int32, port: UInt16) {
    let kind = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(AF_INET, kind, 0)
    var one: Int32 = 1
    if isStream { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = wanted.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard bind(descriptor, address, size) == 0, !isStream || listen(descriptor, 16) == 0 else {
          return -1
        }
        return getsockname(descriptor, address, &size)
      }
    }
    guard status == 0 else {
      let error = KelvinModel.Errno.current
      if descriptor >= 0 { close(descriptor) }
      throw PlainFailure(.infrastructure, "127.0.0.1:\(wanted): \(error)")
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }
}
