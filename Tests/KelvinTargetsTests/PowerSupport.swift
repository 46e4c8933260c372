import Glibc
import KelvinModel
import KelvinSimulators
import KelvinSystem
import KelvinTargets

/// Where switches of these tests stand.
let benchLine = SourceLocation(file: "bench.yaml", line: 7)

/// A switch from options as a bench file gives them, checked against its declaration.
func makeSwitch(
  _ type: any PowerSwitch.Type, _ options: [String: Value], host: PowerHost = PowerHost()
) throws -> any PowerSwitch {
  try type.init(
    DriverChoice(
      type.declaration.name, options: type.declaration.options.withDefaults(options),
      location: benchLine), host: host)
}

/// A board with this power switch.
func board(_ driver: String, _ options: [String: Value]) -> BoardEntry {
  BoardEntry(
    name: "rock", profile: "generic-linux",
    power: DriverChoice(driver, options: options, location: benchLine), location: benchLine)
}

/// What a call threw; nil when it did not.
func failure(_ body: () async throws -> Void) async -> PowerFailure? {
  do {
    try await body()
    return nil
  } catch {
    return error as? PowerFailure
  }
}

/// The time that a call took, in seconds.
func seconds(_ body: () async throws -> Void) async rethrows -> Double {
  let start = MonotonicTime.now
  try await body()
  return Double(MonotonicTime.now - start) / 1e9
}

/// Somebody else's program on a unix socket.
final class DeviceClient: Sendable {
  private let descriptor: Int32

  init(unix path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) {
      $0.copyBytes(from: Array(path.utf8).prefix(107))
    }
    let status = withUnsafeBytes(of: &address) { buffer -> Int32 in
      guard let base = buffer.baseAddress else { return -1 }
      return connect(
        descriptor, base.assumingMemoryBound(to: sockaddr.self), socklen_t(buffer.count))
    }
    guard status == 0 else {
      let error = Errno.current
      Glibc.close(descriptor)
      throw PlainFailure(.infrastructure, "\(path): \(error)")
    }
  }

  /// Sends text, and reads until some other text has come.
  func send(_ text: String, until wanted: String) throws {
    let bytes = Array(text.utf8)
    guard write(descriptor, bytes, bytes.count) == bytes.count else { return }
    var seen: [UInt8] = []
    let deadline = soon
    while !String(decoding: seen, as: UTF8.self).contains(wanted) {
      var buffer = [UInt8](repeating: 0, count: 4096)
      guard deadline.wait(for: descriptor) == .ready,
        case let count = read(descriptor, &buffer, buffer.count), count > 0
      else { throw PlainFailure(.timeout, "no '\(wanted)' came") }
      seen += buffer[..<count]
    }
  }

  func close() { Glibc.close(descriptor) }
}
