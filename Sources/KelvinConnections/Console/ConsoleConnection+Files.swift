internal import Glibc
package import KelvinModel
internal import KelvinSystem

extension ConsoleConnection {
  /// Bytes of a file that is pushed: what takes days on any serial line.
  private static let fileLimit = 1 << 30

  package func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await push(hostPath, to: path, mode: mode, until: deadline, progress: { _, _ in })
  }

  package func push(
    _ hostPath: String, to path: TargetPath, mode: UInt16, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    let bytes = try ConsoleConnection.read(hostPath)
    let meter = TransferMeter(total: Int64(bytes.count), progress)
    try use(until: deadline) { channel throws(ConnectionFailure) in
      try channel.push(bytes, to: path, mode: mode, until: deadline) { meter.tell(Int64($0)) }
    }
    meter.finish(Int64(bytes.count))
  }

  package func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await pull(path, to: hostPath, until: deadline, progress: { _, _ in })
  }

  package func pull(
    _ path: TargetPath, to hostPath: String, until deadline: Deadline,
    progress: @escaping TransferProgress
  ) async throws(ConnectionFailure) {
    let meter = TransferMeter(total: nil, progress)
    let count = try use(until: deadline) { channel throws(ConnectionFailure) in
      try channel.pull(path, to: hostPath, until: deadline) { meter.tell(Int64($0)) }
    }
    meter.finish(Int64(count))
  }

  private static func read(_ path: String) throws(ConnectionFailure) -> [UInt8] {
    let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
    defer { Glibc.close(file) }
    var bytes: [UInt8] = []
    while bytes.count <= fileLimit {
      var piece = [UInt8](repeating: 0, count: 1 << 16)
      let count = Glibc.read(file, &piece, piece.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw ConnectionFailure(hostFile: path, .current) }
      if count == 0 { return bytes }
      bytes += piece[..<count]
    }
    throw ConnectionFailure(
      .unsupported, "\(path): files of over 1 GiB do not go over a console",
      hint: "let the board fetch the file itself, over its network")
  }
}
