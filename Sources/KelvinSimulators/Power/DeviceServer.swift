internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// Puts a simulated device at the end of a real wire, on a thread of its own: a pseudo terminal, a TCP
/// port of the loopback interface, or a unix socket.
///
/// Ends with ``stop()`` or its last reference.
package final class DeviceServer: Sendable {
  /// Where drivers find it: the terminal's path, the socket's path, or the port.
  package let address: String
  private let stopping = Interrupt()
  private let thread: NamedThread

  /// Serves on a new pseudo terminal.
  package convenience init(terminal device: any SimulatedDevice) throws(PlainFailure) {
    var name = [CChar](repeating: 0, count: 128)
    let master = kelvin_pty(&name, name.count)
    guard master >= 0 else {
      throw PlainFailure(.infrastructure, "no pseudo terminal: \(Errno.current)")
    }
    let path = String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    // Held open, so that the master never hangs up between two users of the slave.
    let slave = kelvin_open(path, O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
    guard slave >= 0, kelvin_tty_raw(slave, 9600) == 0 else {
      let error = Errno.current
      close(master)
      throw PlainFailure(.infrastructure, "\(path): \(error)")
    }
    try self.init(path) { stopping in
      var wire = Wire(device: device, descriptor: master, stopping: stopping)
      wire.serve()
      close(slave)
      close(master)
    }
  }

  /// Serves one client after the other on a TCP port of 127.0.0.1.
  ///
  /// - Parameter port: 0: one that is free.
  package convenience init(
    tcp device: any SimulatedDevice, port: UInt16 = 0
  ) throws(PlainFailure) {
    let (listener, port) = try LoopbackPort.open(port)
    try self.init("\(port)") { DeviceServer.accept(listener, device, $0) }
  }

  /// Serves one client after the other on a unix socket.
  package convenience init(unix path: String, _ device: any SimulatedDevice) throws(PlainFailure) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let text = Array(path.utf8)
    guard text.count < MemoryLayout.size(ofValue: address.sun_path) else {
      throw PlainFailure(.configuration, "\(path): too long for a socket")
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: text) }
    let listener = try DeviceServer.listen(AF_UNIX, &address)
    try self.init(path) { DeviceServer.accept(listener, device, $0) }
  }

  private init(
    _ address: String, _ serve: @escaping @Sendable (Interrupt) -> Void
  ) throws(PlainFailure) {
    self.address = address
    let stopping = stopping
    thread = try NamedThread("simulator") { serve(stopping) }
  }

  deinit { stop() }

  /// Ends the thread and closes the wire. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
  }

  private static func listen<Address>(
    _ family: Int32, _ address: inout Address
  ) throws(PlainFailure) -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let listener = socket(family, kind, 0)
    let status = withUnsafeBytes(of: &address) { buffer -> Int32 in
      guard let base = buffer.baseAddress else { return -1 }
      return bind(
        listener, base.assumingMemoryBound(to: sockaddr.self), socklen_t(buffer.count))
    }
    guard listener >= 0, status == 0, Glibc.listen(listener, 8) == 0 else {
      let error = Errno.current
      if listener >= 0 { close(listener) }
      throw PlainFailure(.infrastructure, "no socket to listen on: \(error)")
    }
    return listener
  }

  private static func accept(
    _ listener: Int32, _ device: any SimulatedDevice, _ stopping: Interrupt
  ) {
    let forever = Deadline(time: nil, interrupt: stopping)
    while forever.wait(for: listener) == .ready {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      var wire = Wire(device: device, descriptor: client, stopping: stopping)
      wire.serve()
      close(client)
    }
    close(listener)
  }
}

/// One conversation.
private struct Wire {
  let device: any SimulatedDevice
  let descriptor: Int32
  let stopping: Interrupt
  var received: [UInt8] = []

  /// Until the other side or the device hangs up, or the server stops.
  mutating func serve() {
    let forever = Deadline(time: nil, interrupt: stopping)
    guard send(device.greeting()) else { return }
    while forever.wait(for: descriptor) == .ready {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count > 0 else { return }
      received += buffer[..<count]
      while let answer = device.answer(&received) {
        guard send(answer) else { return }
        if device.closesAfterAnswer, device.fault != .silent, device.fault != .half { return }
      }
    }
  }

  /// Sends an answer as the device's fault has it; false when the wire is to be cut.
  private func send(_ answer: [UInt8]) -> Bool {
    guard !answer.isEmpty else { return device.fault != .cut }
    switch device.fault {
    case .none, .acknowledgesOnly, .otherDevice: return write(answer)
    case .late(let seconds):
      _ = Deadline.after(seconds: seconds, interrupt: stopping).wait()
      return !stopping.isRaised && write(answer)
    case .cut: return false
    case .garbage:
      return write((0..<answer.count).map { UInt8(truncatingIfNeeded: 0xF3 &+ $0 &* 29) })
    case .half: return write(Array(answer[..<(answer.count / 2)]))
    case .silent: return true
    }
  }

  private func write(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}
