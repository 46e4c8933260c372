import Glibc
import KelvinModel
import KelvinSystem
import Testing

/// The machine protocol of a guest's QEMU: what plugs QEMU's own USB devices in and pulls them.
final class GuestMonitor {
  private let descriptor: Int32
  private var received: [UInt8] = []
  /// Devices that are gone, by id, until somebody asks.
  private var deleted: Set<String> = []

  /// Connects; QEMU takes one client at a time.
  init(_ guest: VirtualGuest) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    try #require(descriptor >= 0)
    // Through the folder's descriptor: the whole path may be too long for a socket's address.
    let folder = open(guest.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(folder) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = "/proc/self/fd/\(folder)/control.sock"
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let descriptor = descriptor
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(status == 0, "\(guest.folder)/control.sock: \(Errno.current)")
    _ = try message()
    try execute("qmp_capabilities")
  }

  deinit { close(descriptor) }

  /// Runs a command; events are passed over.
  @discardableResult
  func execute(_ command: String, _ arguments: [String: Value] = [:]) throws -> Value {
    let request: Value = ["execute": .text(command), "arguments": .map(arguments)]
    let bytes = Array((request.json + "\n").utf8)
    try #require(write(descriptor, bytes, bytes.count) == bytes.count)
    while true {
      let message = try message()
      if let answer = message["return"] { return answer }
      try #require(message["error"] == nil, "\(request.json): \(Value.map(message).json)")
    }
  }

  /// Plugs a device into a port of the xHCI controller: `1`, or `2.1` behind a hub.
  func plug(_ driver: String, _ id: String, port: String, _ options: [String: Value] = [:]) throws {
    let place: [String: Value] = [
      "driver": .text(driver), "id": .text(id), "bus": "xhci.0", "port": .text(port)
    ]
    try execute("device_add", place.merging(options) { $1 })
  }

  /// Plugs an FTDI adapter in, whose bytes go nowhere.
  func plugAdapter(_ id: String, port: String, serial: String) throws {
    try execute(
      "chardev-add", ["id": .text("wire-\(id)"), "backend": ["type": "null", "data": [:]]])
    try plugAdapter(id, port: port, serial: serial, wire: "wire-\(id)")
  }

  /// Plugs an FTDI adapter in, with one of QEMU's character devices as its wire. QEMU would plug it
  /// in and out by itself whenever somebody opens the far end.
  func plugAdapter(_ id: String, port: String, serial: String, wire: String) throws {
    try plug(
      "usb-serial", id, port: port,
      ["chardev": .text(wire), "serial": .text(serial), "always-plugged": true])
  }

  /// Pulls a device, and waits until QEMU has let go of what it used: the event comes before the answer,
  /// or some time behind it.
  func pull(_ id: String) throws {
    deleted.remove(id)
    try execute("device_del", ["id": .text(id)])
    while deleted.remove(id) == nil { _ = try message() }
  }

  private func message() throws -> [String: Value] {
    let deadline = Deadline.after(seconds: 20)
    while true {
      if let end = received.firstIndex(of: 10) {
        let line = String(decoding: received[..<end], as: UTF8.self)
        received.removeSubrange(...end)
        let message = try #require(Value(json: line)?.map, "\(line)")
        if message["event"]?.text == "DEVICE_DELETED",
          let id = message["data"]?.map?["device"]?.text
        {
          deleted.insert(id)
        }
        return message
      }
      try #require(deadline.wait(for: descriptor) == .ready, "QEMU does not answer")
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      try #require(count > 0, "QEMU has hung up")
      received += buffer[..<count]
    }
  }
}
