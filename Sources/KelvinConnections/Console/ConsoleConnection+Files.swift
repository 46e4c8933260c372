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
    let source = try ConsoleConnection.source(hostPath)
    let meter = TransferMeter(total: Int64(source.count), progress)
    try use(until: deadline) { channel throws(ConnectionFailure) in
      try channel.push(source, to: path, mode: mode, until: deadline) { meter.tell(Int64($0)) }
    }
    meter.finish(Int64(source.count))
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

  /// A host file, no larger than a console bears.
  private static func source(_ path: String) throws(ConnectionFailure) -> ConsoleSource {
    let source = try ConsoleSource(hostFile: path)
    guard source.count <= fileLimit else {
      throw ConnectionFailure(
        .unsupported, "\(path): files of over 1 GiB do not go over a console",
        hint: "let the board fetch the file itself, over its network")
    }
    return source
  }
}
