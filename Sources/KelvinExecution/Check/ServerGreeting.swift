internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The first line that a TCP server sends by itself, as SSH servers do (RFC 4253, 4.2).
enum ServerGreeting {
  /// Connects, reads and closes.
  ///
  /// - Returns: the first line, without its end; at most 255 bytes.
  static func read(
    host: String, port: UInt16, until deadline: Deadline
  ) throws(PlainFailure) -> String {
    let name = "\(host):\(port)"
    let descriptor: Int32
    do {
      descriptor = try TCPSocket.connect(host: host, port: port, until: deadline)
    } catch {
      throw PlainFailure(.infrastructure, "\(name): \(error)", hint: error.hint)
    }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count < 255, !bytes.contains(10) {
      guard deadline.wait(for: descriptor) == .ready else {
        throw PlainFailure(.timeout, "\(name): connects, but says nothing")
      }
      var buffer = [UInt8](repeating: 0, count: 256)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count < 0, errno == EAGAIN || errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    let line = bytes.prefix { $0 != 10 && $0 != 13 }.prefix(255)
    guard !line.isEmpty else {
      throw PlainFailure(
        .infrastructure, "\(name): closes the connection at once",
        hint: "a port that is forwarded to a machine which is down does so")
    }
    return String(decoding: line, as: UTF8.self)
  }
}
