internal import CLinux
internal import Glibc
package import KelvinModel

/// A file that is to be fetched.
package struct ADBPullItem: Hashable, Sendable {
  package var path: TargetPath
  package var hostPath: String
  /// Permissions of the host's file.
  package var mode: UInt16
  /// Its size as a listing had it, for the progress alone: files of /proc say 0.
  package var size: UInt64

  /// Describes a file.
  package init(_ path: TargetPath, to hostPath: String, mode: UInt16 = 0o644, size: UInt64 = 0) {
    self.path = path
    self.hostPath = hostPath
    self.mode = mode
    self.size = size
  }
}

extension ADBSync {
  /// Fetches files in one go: many are asked for before the first has come. Each is written to a
  /// temporary name beside its own, and renamed when it is whole.
  ///
  /// - Parameter keepsParts: whether a later copy is to find what a broken link leaves of a large file.
  /// - Throws: the first file's failure; the files before it are in place.
  package func pull(
    _ items: [ADBPullItem], keepsParts: Bool = false, until deadline: Deadline,
    progress: Progress? = nil
  ) throws(ConnectionFailure) {
    let isSecond = try has("sendrecv_v2", until: deadline)
    try dialog(until: deadline) { stream throws(ConnectionFailure) in
      var asked = 0
      var done: UInt64 = 0
      let total = items.reduce(0) { $0 + $1.size }
      for index in items.indices {
        // Topped up in large steps: requests are cheaper together.
        if asked <= index + ADBSync.window / 2 {
          var request: [UInt8] = []
          while asked < items.count, asked < index + ADBSync.window {
            let path = try path(items[asked].path)
            request.appendADB(isSecond ? ADBSyncID.receive2 : ADBSyncID.receive, path: path)
            if isSecond {
              request.appendADB(ADBSyncID.receive2)
              request.appendADB(0)
            }
            asked += 1
          }
          try stream.send(request, until: deadline)
        }
        try receive(items[index], keepsParts, stream, until: deadline) { count in
          done += count
          progress?(done, total)
        }
      }
    }
  }

  /// How many files are asked for at a time. The device answers one after the other, and must be able
  /// to take all requests while nobody reads its answers.
  private static let window = 32

  private func receive(
    _ item: ADBPullItem, _ keepsPart: Bool, _ stream: ADBStream, until deadline: Deadline,
    took: (UInt64) -> Void
  ) throws(ConnectionFailure) {
    let temporary = item.hostPath + ".kelvin-\(getpid())"
    var file: Int32 = -1
    var isComplete = false
    var received: Int64 = 0
    var isCut = false
    defer {
      if file >= 0 {
        Glibc.close(file)
        let isKept =
          keepsPart && isCut && received > PartialCopy.threshold
          && rename(temporary, item.hostPath + PartialCopy.suffix) == 0
        if !isComplete, !isKept { unlink(temporary) }
      }
    }
    var chunk = [UInt8](repeating: 0, count: ADBSyncID.dataLimit)
    while true {
      isCut = true
      let head = try stream.read(8, until: deadline)
      isCut = false
      let id = head.adb32(at: 0)
      let count = Int(head.adb32(at: 4))
      if id == ADBSyncID.done { break }
      guard id == ADBSyncID.data else {
        guard id == ADBSyncID.fail else { throw unexpected(id, stream) }
        guard count <= ADBSyncID.dataLimit else {
          throw damaged(stream, "a reason of \(count) bytes")
        }
        let text = String(decoding: try stream.read(count, until: deadline), as: UTF8.self)
        throw refusal(text, about: item.path)
      }
      guard count <= ADBSyncID.dataLimit else {
        throw damaged(stream, "\(count) bytes in a packet")
      }
      if file < 0 { file = try ADBSync.create(temporary) }
      isCut = true
      try read(count, into: &chunk, stream, until: deadline)
      isCut = false
      received += Int64(count)
      try ADBSync.write(chunk, count, to: file, temporary)
      took(UInt64(count))
    }
    // An empty file has no packet.
    if file < 0 { file = try ADBSync.create(temporary) }
    fchmod(file, mode_t(item.mode))
    guard rename(temporary, item.hostPath) == 0 else { throw ADBSync.hostFailure(item.hostPath) }
    isComplete = true
  }

  private func read(
    _ count: Int, into chunk: inout [UInt8], _ stream: ADBStream, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var failure: ConnectionFailure?
    chunk.withUnsafeMutableBytes { bytes in
      do throws(ConnectionFailure) {
        try stream.read(
          into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]), until: deadline)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  private static func create(_ path: String) throws(ConnectionFailure) -> Int32 {
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
    var file = kelvin_open(path, flags, 0o600)
    if file < 0, errno == ENOENT, let slash = path.lastIndex(of: "/") {
      HostDirectories.make(String(path[..<slash]))
      file = kelvin_open(path, flags, 0o600)
    }
    guard file >= 0 else { throw hostFailure(path) }
    return file
  }

  private static func write(
    _ bytes: [UInt8], _ count: Int, to file: Int32, _ path: String
  ) throws(ConnectionFailure) {
    var offset = 0
    while offset < count {
      let written = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress?.advanced(by: offset), count - offset)
      }
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { throw hostFailure(path) }
      offset += written
    }
  }
}
