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
    let (descriptor, port) = try LoopbackPort.open(port, isStream: isStream)
    socket = Mutex(descriptor)
    self.port = port
  }

  deinit { close() }

  func end() { close() }

  func plug() throws(PlainFailure) {
    let (descriptor, _) = try LoopbackPort.open(port, isStream: isStream)
    socket.withLock { $0 = descriptor }
  }

  func close() {
    socket.withLock { descriptor in
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
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
