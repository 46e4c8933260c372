internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A VirtualHub with a Yocto-Watt behind it, on a TCP port of 127.0.0.1: a thread for each connection.
///
/// Ends with ``stop()`` or its last reference.
package final class SimulatedYoctoHub: Sendable {
  package let port: UInt16
  package let module: YoctoModule
  private let shared = Shared()
  private let stopping = Interrupt()
  private let thread: NamedThread

  /// What the threads share.
  private final class Shared: Sendable {
    struct State {
      var fault = DeviceFault.none
      var isPlugged = true
      var requests: [String] = []
    }
    let state = Mutex(State())
  }

  /// Listens.
  ///
  /// - Parameter port: 0: one that is free.
  package init(
    _ module: YoctoModule = YoctoModule(), port: UInt16 = 0
  ) throws(PlainFailure) {
    self.module = module
    let (listener, port) = try LoopbackPort.open(port)
    self.port = port
    let (stopping, shared) = (stopping, shared)
    thread = try NamedThread("yocto-simulator") {
      SimulatedYoctoHub.accept(listener, stopping) { client in
        SimulatedYoctoHub.serve(client, module, shared, stopping)
      }
    }
  }

  deinit { stop() }

  /// Ends all connections. Idempotent.
  package func stop() {
    stopping.raise()
    thread.join()
  }

  /// What is wrong with it, or with the wire to it.
  package var fault: DeviceFault {
    get { shared.state.withLock { $0.fault } }
    set { shared.state.withLock { $0.fault = newValue } }
  }
  /// Whether the module is plugged into the hub.
  package var isPlugged: Bool {
    get { shared.state.withLock { $0.isPlugged } }
    set { shared.state.withLock { $0.isPlugged = newValue } }
  }
  /// The paths of all requests so far.
  package var requests: [String] { shared.state.withLock { $0.requests } }

  private static func accept(
    _ listener: Int32, _ stopping: Interrupt, _ serve: @escaping @Sendable (Int32) -> Void
  ) {
    let forever = Deadline(time: nil, interrupt: stopping)
    var threads: [NamedThread] = []
    while forever.wait(for: listener) == .ready {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { continue }
      _ = kelvin_set_nonblocking(client)
      let thread = try? NamedThread("yocto-client") {
        serve(client)
        close(client)
      }
      if let thread { threads.append(thread) } else { close(client) }
    }
    close(listener)
    for thread in threads { thread.join() }
  }

  private static func serve(
    _ client: Int32, _ module: YoctoModule, _ shared: Shared, _ stopping: Interrupt
  ) {
    let forever = Deadline(time: nil, interrupt: stopping)
    var received: [UInt8] = []
    var request: PlugRequest?
    while request == nil {
      guard forever.wait(for: client) == .ready else { return }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(client, &buffer, buffer.count, 0)
      guard count > 0, received.count < 65_536 else { return }
      received += buffer[..<count]
      request = PlugRequest(&received)
    }
    let path = request?.path ?? "/"
    let (fault, isPlugged) = shared.state.withLock { state in
      state.requests.append(path)
      return (state.fault, state.isPlugged)
    }
    if path == "/not.byn" {
      // Notifications, of which there are none: a line each second tells that it is there.
      guard send(client, Array("HTTP/1.1 200 OK\r\n\r\n".utf8)) else { return }
      while Deadline.after(seconds: 1, interrupt: stopping).wait() != .interrupted {
        guard send(client, [10]) else { return }
      }
      return
    }
    let body: String?
    switch path {
    case "/api.json": body = fault == .otherDevice ? "{\"printer\":1}" : YoctoModule.hubAnswer
    case "/bySerial/\(YoctoModule.serial)/api.json" where isPlugged:
      body = module.answer(as: fault == .otherDevice ? "YWATTMK1-99999" : YoctoModule.serial)
    default: body = nil
    }
    tell(client, body, fault, stopping)
  }

  private static func tell(
    _ client: Int32, _ body: String?, _ fault: DeviceFault, _ stopping: Interrupt
  ) {
    let status = body == nil ? "404 Not Found" : "200 OK"
    var bytes = Array(
      ("HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
        + (body ?? "")).utf8)
    switch fault {
    case .none, .acknowledgesOnly, .otherDevice: break
    case .late(let seconds): _ = Deadline.after(seconds: seconds, interrupt: stopping).wait()
    case .cut: return
    case .garbage: bytes = bytes.map { $0 ^ 0x55 }
    case .half, .silent:
      _ = fault == .half && send(client, Array(bytes.prefix(bytes.count / 2)))
      // Until the other side has had enough.
      _ = Deadline.after(seconds: 10, interrupt: stopping).wait()
      return
    }
    _ = send(client, bytes)
  }

  private static func send(_ client: Int32, _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count == 0 || errno != EAGAIN && errno != EINTR {
        return false
      } else {
        _ = Deadline.after(seconds: 1).wait(for: client, events: Int16(POLLOUT))
      }
    }
    return true
  }
}
