internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A port of 127.0.0.1 on which a boot loader is found.
final class BootloaderSocket: BootloaderSeat {
  let port: UInt16
  private let isStream: Bool
  /// -1 while it is away.
  private let socket: Mutex<Int32>

  /// - Parameter port: 0: a free one.
  init(port: UInt16, isStream: Bool) throws(PlainFailure) {
    self.isStream = isStream
    let (descriptor, port) = try BootloaderSocket.open(port, isStream)
    socket = Mutex(descriptor)
    self.port = port
  }

  deinit { close() }

  func end() { close() }

  func plug() throws(PlainFailure) {
    let (descriptor, _) = try BootloaderSocket.open(port, isStream)
    socket.withLock { $0 = descriptor }
  }

  func close() {
    socket.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
  }

  private static func open(
    _ wanted: UInt16, _ isStream: Bool
  ) throws(PlainFailure) -> (Int32, UInt16) {
    let type = Int32((isStream ? SOCK_STREAM : SOCK_DGRAM).rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = Glibc.socket(AF_INET, type, 0)
    var one: Int32 = 1
    if isStream { setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = wanted.bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
        guard bind(descriptor, address, size) == 0, !isStream || listen(descriptor, 8) == 0 else {
          return -1
        }
        return getsockname(descriptor, address, &size)
      }
    }
    guard status == 0 else {
      let error = Errno.current
      Glibc.close(descriptor)
      throw PlainFailure(.infrastructure, "127.0.0.1:\(wanted): \(error)")
    }
    return (descriptor, UInt16(bigEndian: address.sin_port))
  }

  func serve(
    _ bootloader: SimulatedBootloader, _ faults: BootloaderFaults, _ until: Deadline
  ) throws(WireEnd) {
    let descriptor = socket.withLock { $0 }
    let datagrams = BootloaderUDP(descriptor, faults: faults, until: until)
    while true {
      do throws(WireEnd) {
        guard isStream else { return try bootloader.serve(datagrams) }
        guard until.wait(for: descriptor) == .ready else { throw .stopped }
        let client = kelvin_accept(descriptor)
        guard client >= 0 else { continue }
        return try bootloader.serve(BootloaderTCP(client, until: until))
      } catch {
        if case .stopped = error { throw error }
      }
    }
  }
}
