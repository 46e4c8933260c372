package import KelvinModel

/// A socket that leads from this host to a device, or back.
package struct ADBForward: Hashable, Sendable {
  /// Empty in lists of reverse forwards that the device gives.
  package var serial: String
  /// Where it listens: `tcp:38979`.
  package var local: String
  /// Where it leads: `tcp:8765`, `localabstract:NAME`.
  package var remote: String

  /// Reads lines of `SERIAL LOCAL REMOTE`; what is none is left out.
  static func list(_ text: String) -> [ADBForward] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard words.count >= 3 else { return nil }
      return ADBForward(
        serial: words.dropLast(2).joined(separator: " "), local: String(words[words.count - 2]),
        remote: String(words[words.count - 1]))
    }
  }
}

extension ADBServer {
  /// Makes the server listen and lead what connects to the device.
  ///
  /// - Parameter local: `tcp:0` takes a free port.
  /// - Returns: where it listens.
  package func forward(
    _ local: String, to remote: String, of selector: ADBSelector, rebinds: Bool = true,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> String {
    let service = selector.prefix + "forward:" + (rebinds ? "" : "norebind:") + local + ";" + remote
    let stream = try open(service, until: deadline)
    defer { stream.close() }
    return try chosen(local, service, stream, until: deadline)
  }

  /// Ends one forward.
  package func removeForward(
    _ local: String, of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let service = selector.prefix + "killforward:" + local
    let stream = try open(service, until: deadline)
    defer { stream.close() }
    try acknowledge(service, on: stream, until: deadline)
  }

  /// All forwards of all devices.
  package func forwards(until deadline: Deadline) throws(ConnectionFailure) -> [ADBForward] {
    ADBForward.list(try ask("host:list-forward", until: deadline))
  }

  /// Makes the device listen and lead what connects there to this host.
  ///
  /// - Returns: where the device listens.
  package func reverse(
    _ remote: String, to local: String, of selector: ADBSelector, rebinds: Bool = true,
    until deadline: Deadline
  ) throws(ConnectionFailure) -> String {
    let service = "reverse:forward:" + (rebinds ? "" : "norebind:") + remote + ";" + local
    let stream = try open(service, on: selector, until: deadline)
    defer { stream.close() }
    return try chosen(remote, service, stream, until: deadline)
  }

  /// Ends one reverse forward.
  package func removeReverse(
    _ remote: String, of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let service = "reverse:killforward:" + remote
    let stream = try open(service, on: selector, until: deadline)
    defer { stream.close() }
    try acknowledge(service, on: stream, until: deadline)
  }

  /// The reverse forwards of a device; `local` is where the device listens.
  package func reverses(
    of selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) -> [ADBForward] {
    let stream = try open("reverse:list-forward", on: selector, until: deadline)
    defer { stream.close() }
    return ADBForward.list(try text(stream, until: deadline))
  }

  /// Opens a service of a device.
  func open(
    _ service: String, on selector: ADBSelector, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBStream {
    let stream = try open(selector.transport, until: deadline)
    do {
      stream.rename("adb \(selector): \(service.prefix { $0 != ":" })")
      try request(service, on: stream, until: deadline)
    } catch {
      stream.close()
      throw error
    }
    return stream
  }

  /// The second OKAY, and the port that was taken for `tcp:0`; servers from before 2015 end there.
  private func chosen(
    _ asked: String, _ service: String, _ stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) -> String {
    try acknowledge(service, on: stream, until: deadline)
    guard asked == "tcp:0" else { return asked }
    let port = try text(stream, until: deadline)
    guard UInt16(port) != nil else {
      throw ConnectionFailure(.unsupported, "\(self): '\(port)' where a port should be")
    }
    return "tcp:\(port)"
  }
}
