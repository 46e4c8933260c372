internal import Glibc
package import KelvinModel

/// Files of a device by adb's sync service: status, listings, sending, receiving; many requests over
/// one stream, several of them on their way at a time.
///
/// Used by one thread. A stream that a failure left behind is opened anew by the next call.
package final class ADBSync {
  /// Bytes done and bytes in all, where that is known.
  package typealias Progress = @Sendable (_ done: UInt64, _ total: UInt64) -> Void

  let device: any ADBDevice
  private var current: ADBStream?
  private var features: Set<String>?

  /// Creates the service's user; nothing is opened yet.
  package init(_ device: any ADBDevice) { self.device = device }

  deinit { close() }

  /// Ends the stream. Idempotent.
  package func close() {
    current?.close()
    current = nil
    features = nil
  }

  var name: String { device.name }

  func has(_ feature: String, until deadline: Deadline) throws(ConnectionFailure) -> Bool {
    if let features { return features.contains(feature) }
    let features = try device.features(until: deadline)
    self.features = features
    return features.contains(feature)
  }

  func stream(until deadline: Deadline) throws(ConnectionFailure) -> ADBStream {
    if let current {
      // A device that went away meanwhile has hung up.
      if current.stash() == nil, !current.hasBuffered { return current }
      close()
    }
    let stream = try device.open("sync:", until: deadline)
    current = stream
    return stream
  }

  /// Runs a dialog; any failure but that of one file leaves the stream in the middle of something.
  func dialog<Result>(
    until deadline: Deadline,
    _ body: (ADBStream) throws(ConnectionFailure) -> Result
  ) throws(ConnectionFailure) -> Result {
    let stream = try stream(until: deadline)
    do {
      return try body(stream)
    } catch {
      close()
      throw error
    }
  }

  func path(_ path: TargetPath) throws(ConnectionFailure) -> [UInt8] {
    let bytes = Array(path.string.utf8)
    guard !bytes.isEmpty, bytes.count <= ADBSyncID.pathLimit, !bytes.contains(0) else {
      throw ConnectionFailure(
        .unsupported, "\(path): adb takes paths of 1 to \(ADBSyncID.pathLimit) bytes (\(name))")
    }
    return bytes
  }

  // MARK: Status

  /// The status of files, in one round trip; links are not followed.
  ///
  /// - Returns: for each path its status, or why there is none; adbd of version 1 does not say why,
  ///   and then it is ENOENT.
  package func status(
    _ paths: [TargetPath], until deadline: Deadline
  ) throws(ConnectionFailure) -> [Result<ADBFileStatus, Errno>] {
    let isLong = try has("stat_v2", until: deadline)
    var request: [UInt8] = []
    for path in paths {
      request.appendADB(isLong ? ADBSyncID.linkStat2 : ADBSyncID.stat, path: try self.path(path))
    }
    return try dialog(until: deadline) { stream throws(ConnectionFailure) in
      try stream.send(request, until: deadline)
      var results: [Result<ADBFileStatus, Errno>] = []
      for _ in paths { results.append(try readStatus(stream, isLong: isLong, until: deadline)) }
      return results
    }
  }

  /// The status of what a path leads to, links followed; nil where the device cannot tell.
  package func target(
    of path: TargetPath, until deadline: Deadline
  ) throws(ConnectionFailure) -> ADBFileStatus? {
    guard try has("stat_v2", until: deadline) else { return nil }
    var request: [UInt8] = []
    request.appendADB(ADBSyncID.stat2, path: try self.path(path))
    return try dialog(until: deadline) { stream throws(ConnectionFailure) in
      try stream.send(request, until: deadline)
      try expect(ADBSyncID.stat2, stream, until: deadline)
      let bytes = try stream.read(ADBFileStatus.longSize, until: deadline)
      return try? ADBFileStatus(long: bytes)
    }
  }

  private func readStatus(
    _ stream: ADBStream, isLong: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) -> Result<ADBFileStatus, Errno> {
    guard isLong else {
      try expect(ADBSyncID.stat, stream, until: deadline)
      let status = ADBFileStatus(short: try stream.read(12, until: deadline))
      return status.map { .success($0) } ?? .failure(.notFound)
    }
    try expect(ADBSyncID.linkStat2, stream, until: deadline)
    let bytes = try stream.read(ADBFileStatus.longSize, until: deadline)
    do {
      return .success(try ADBFileStatus(long: bytes))
    } catch {
      return .failure(error)
    }
  }

  // MARK: Listings

  /// Lists directories, several at a time; what is no directory or cannot be read is empty, as adbd
  /// has it.
  package func list(
    _ directories: [TargetPath], until deadline: Deadline
  ) throws(ConnectionFailure) -> [[ADBFileEntry]] {
    let isLong = try has("ls_v2", until: deadline)
    var request: [UInt8] = []
    for directory in directories {
      request.appendADB(isLong ? ADBSyncID.list2 : ADBSyncID.list, path: try path(directory))
    }
    return try dialog(until: deadline) { stream throws(ConnectionFailure) in
      try stream.send(request, until: deadline)
      var lists: [[ADBFileEntry]] = []
      for directory in directories {
        lists.append(try readList(stream, of: directory, isLong: isLong, until: deadline))
      }
      return lists
    }
  }

  private func readList(
    _ stream: ADBStream, of directory: TargetPath, isLong: Bool, until deadline: Deadline
  ) throws(ConnectionFailure) -> [ADBFileEntry] {
    var entries: [ADBFileEntry] = []
    let size = isLong ? ADBFileStatus.longSize : 12
    while true {
      let head = try stream.read(8 + size, until: deadline)
      let id = head.adb32(at: 0)
      let count = Int(head.adb32(at: 4 + size))
      if id == ADBSyncID.done { return entries }
      guard id == (isLong ? ADBSyncID.entry2 : ADBSyncID.entry) else {
        throw unexpected(id, stream)
      }
      guard count <= ADBSyncID.pathLimit else {
        throw damaged(stream, "a name of \(count) bytes in \(directory)")
      }
      let bytes = try stream.read(count, until: deadline)
      let status = Array(head[4..<(4 + size)])
      // What is gone again, or may not be looked at, is listed with an error, or with zeros.
      let entry = isLong ? try? ADBFileStatus(long: status) : ADBFileStatus(short: status)
      if bytes == [0x2E] || bytes == [0x2E, 0x2E] { continue }
      guard ADBFileEntry.isName(bytes) else {
        throw damaged(stream, "'\(ADBText.shown(bytes))' as a name in \(directory)")
      }
      guard let entry else { continue }
      // A name that is no UTF-8 could not be asked for again.
      if let name = String(validating: bytes, as: UTF8.self) {
        entries.append(ADBFileEntry(name: name, status: entry))
      }
    }
  }

  // MARK: Answers

  /// Reads an id that must be `id`; FAIL throws the device's reason.
  func expect(
    _ id: UInt32, _ stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) {
    let got = try stream.read(4, until: deadline).adb32(at: 0)
    if got == id { return }
    guard got == ADBSyncID.fail else { throw unexpected(got, stream) }
    throw try readFailure(stream, about: nil, until: deadline)
  }

  /// Reads the rest of a FAIL.
  func readFailure(
    _ stream: ADBStream, about path: TargetPath?, until deadline: Deadline
  ) throws(ConnectionFailure) -> ConnectionFailure {
    let count = Int(try stream.read(4, until: deadline).adb32(at: 0))
    guard count <= ADBSyncID.dataLimit else { throw damaged(stream, "a reason of \(count) bytes") }
    let text = String(decoding: try stream.read(count, until: deadline), as: UTF8.self)
    return refusal(text, about: path)
  }

  /// What a FAIL means: adbd ends its words with those of strerror(3).
  func refusal(_ text: String, about path: TargetPath?) -> ConnectionFailure {
    let message = "\(path.map { "\($0): " } ?? "")\(text) (\(name))"
    if text.hasSuffix("No such file or directory") { return ConnectionFailure(.notFound, message) }
    for (words, error) in ADBSync.errors where text.hasSuffix(words) {
      let code: ConnectionFailure.Code =
        error == EACCES || error == EPERM ? .permissionDenied : .system(Errno(error))
      let hint =
        switch error {
        case ENOSPC: "free some space on the device"
        case EACCES, EPERM, EROFS: "adbd's user may not: push to /data/local/tmp, or use root"
        default: ""
        }
      return ConnectionFailure(code, message, hint: hint)
    }
    return ConnectionFailure(.unsupported, message)
  }

  private static let errors: [(String, Int32)] = [
    ("Permission denied", EACCES), ("Operation not permitted", EPERM),
    ("No space left on device", ENOSPC), ("Read-only file system", EROFS),
    ("Is a directory", EISDIR), ("Not a directory", ENOTDIR), ("File name too long", ENAMETOOLONG),
    ("Text file busy", ETXTBSY), ("File too large", EFBIG), ("Input/output error", EIO),
    ("I/O error", EIO)
  ]

  func unexpected(_ id: UInt32, _ stream: ADBStream) -> ConnectionFailure {
    damaged(stream, "'\(ADBSyncID.text(id))'")
  }

  /// The failure of a peer that does not keep to the protocol.
  func damaged(_ stream: ADBStream, _ what: String) -> ConnectionFailure {
    ConnectionFailure(
      .connectionLost, "\(stream.name): sent \(what), which adb's sync never does",
      hint: "the link is damaged, or no adbd is at its end")
  }
}
