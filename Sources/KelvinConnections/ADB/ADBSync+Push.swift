internal import CLinux
internal import Glibc
package import KelvinModel

/// A file that is to be sent.
package struct ADBPushItem: Hashable, Sendable {
  package enum Source: Hashable, Sendable {
    case file(String)
    case bytes([UInt8])
    /// A symbolic link with this target.
    case link(String)
  }
  package var source: Source
  package var path: TargetPath
  /// Permissions; the type comes from ``source``.
  package var mode: UInt16
  /// Seconds since 1970; nil takes a file's own, else now.
  package var modified: Int64?

  /// Describes a file.
  package init(_ source: Source, to path: TargetPath, mode: UInt16, modified: Int64? = nil) {
    self.source = source
    self.path = path
    self.mode = mode
    self.modified = modified
  }
}

extension ADBSync {
  /// Sends files in one go, and asks for the size of each when it is there. Directories above them are
  /// made by adbd.
  ///
  /// Nothing waits for a file's answer before the next is sent. A refusal ends it at once, in the
  /// middle of the file too.
  ///
  /// - Parameter aside: asked to take a single file to another name while it is sent, and, with false,
  ///   back before its end, so that adbd does not find it when it removes what a broken link has cut
  ///   short; says whether it could.
  /// - Throws: the first file's failure. Files are in place one by one: callers send to temporary
  ///   names where others look.
  package func push(
    _ items: [ADBPushItem], until deadline: Deadline, progress: Progress? = nil,
    aside: ((Bool) throws(ConnectionFailure) -> Bool)? = nil
  ) throws(ConnectionFailure) {
    let isLong = try has("stat_v2", until: deadline)
    let isSecond = try has("sendrecv_v2", until: deadline)
    try dialog(until: deadline) { stream throws(ConnectionFailure) in
      var push = ADBPush(
        self, stream, isLong: isLong, isSecond: isSecond, deadline: deadline, progress: progress,
        aside: aside)
      for item in items { try push.add(item) }
      try push.finish()
    }
  }
}

/// One push: what is to be sent, and what answers are due.
private struct ADBPush {
  let sync: ADBSync
  let stream: ADBStream
  let isLong: Bool
  let isSecond: Bool
  let deadline: Deadline
  let progress: ADBSync.Progress?
  let aside: ((Bool) throws(ConnectionFailure) -> Bool)?
  private var isAside = false
  /// Sent in large pieces: a system call for each packet would cost more than the packet. Its room is
  /// kept: fresh memory for each piece costs the kernel more than the copy.
  private var buffer = [UInt8](repeating: 0, count: ADBPush.pieces + 2 * (ADBSyncID.dataLimit + 8))
  private var used = 0
  private var answers: [UInt8] = []
  /// Files whose answers are due, in order, and how many bytes they had.
  private var due: [(path: TargetPath, size: UInt64)] = []
  private var firstDue = 0
  /// The file that is being sent, of which no answer is due yet.
  private var sending: TargetPath?
  /// Whether the OKAY of the first is in, and its status is due.
  private var isAcknowledged = false
  private var done: UInt64 = 0
  private var total: UInt64 = 0

  private static let pieces = 1 << 19
  /// Bytes after which the device has surely begun the file.
  private static let asideFrom: UInt64 = 4 << 20

  init(
    _ sync: ADBSync, _ stream: ADBStream, isLong: Bool, isSecond: Bool, deadline: Deadline,
    progress: ADBSync.Progress?, aside: ((Bool) throws(ConnectionFailure) -> Bool)?
  ) {
    self.aside = aside
    self.sync = sync
    self.stream = stream
    self.isLong = isLong
    self.isSecond = isSecond
    self.deadline = deadline
    self.progress = progress
  }

  mutating func add(_ item: ADBPushItem) throws(ConnectionFailure) {
    let path = try sync.path(item.path)
    sending = item.path
    switch item.source {
    case .file(let host): try add(host, item, path)
    case .bytes(let bytes):
      begin(path, 0o100000 | UInt32(item.mode))
      for start in stride(from: 0, to: bytes.count, by: ADBSyncID.dataLimit) {
        let part = bytes[start..<min(start + ADBSyncID.dataLimit, bytes.count)]
        put { bytes in
          bytes.appendADB(ADBSyncID.data)
          bytes.appendADB(UInt32(part.count))
          bytes.append(contentsOf: part)
        }
        try flushIfFull()
      }
      try end(item, path, size: UInt64(bytes.count), modified: nil)
    case .link(let target):
      let bytes = Array(target.utf8)
      begin(path, 0o120777)
      // adbd takes what it gets for a C string.
      put { $0.appendADB(ADBSyncID.data, path: bytes + [0]) }
      try end(item, path, size: UInt64(bytes.count), modified: nil)
    }
  }

  private mutating func add(
    _ host: String, _ item: ADBPushItem, _ path: [UInt8]
  ) throws(ConnectionFailure) {
    let file = kelvin_open(host, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { throw ADBSync.hostFailure(host) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw ADBSync.hostFailure(host) }
    total += UInt64(max(0, status.st_size))
    begin(path, 0o100000 | UInt32(item.mode))
    var size: UInt64 = 0
    while true {
      var count = -1
      repeat {
        // To its place behind the packet's head.
        count = buffer.withUnsafeMutableBytes {
          read(file, $0.baseAddress?.advanced(by: used + 8), ADBSyncID.dataLimit)
        }
      } while count < 0 && errno == EINTR
      guard count >= 0 else { throw ADBSync.hostFailure(host) }
      if count == 0 { break }
      let end = used + 8 + count
      put { bytes in
        bytes.appendADB(ADBSyncID.data)
        bytes.appendADB(UInt32(count))
      }
      used = end
      size += UInt64(count)
      done += UInt64(count)
      try flushIfFull()
      if !isAside, let aside, done > ADBPush.asideFrom { isAside = (try? aside(true)) ?? false }
    }
    if isAside, let aside, try !aside(false) {
      throw ConnectionFailure(
        .system(.io), "\(item.path): was taken away while it was sent (\(sync.name))",
        hint: "does another program copy there? Try again")
    }
    try end(item, path, size: size, modified: Int64(status.st_mtim.tv_sec))
  }

  private mutating func begin(_ path: [UInt8], _ mode: UInt32) {
    let isSecond = isSecond
    put { bytes in
      if isSecond {
        bytes.appendADB(ADBSyncID.send2, path: path)
        bytes.appendADB(ADBSyncID.send2)
        bytes.appendADB(mode)
        bytes.appendADB(0)
      } else {
        bytes.appendADB(ADBSyncID.send, path: path + Array(",\(mode)".utf8))
      }
    }
  }

  /// Puts a few bytes behind what is to be sent; all that is put between two looks at whether the buffer
  /// is full is less than two packets.
  private mutating func put(_ body: (inout [UInt8]) -> Void) {
    var bytes: [UInt8] = []
    body(&bytes)
    buffer.replaceSubrange(used..<(used + bytes.count), with: bytes)
    used += bytes.count
  }

  private mutating func end(
    _ item: ADBPushItem, _ path: [UInt8], size: UInt64, modified: Int64?
  ) throws(ConnectionFailure) {
    let time = item.modified ?? modified ?? MonotonicTime.wallNanoseconds / 1_000_000_000
    let isLong = isLong
    put { bytes in
      bytes.appendADB(ADBSyncID.done)
      bytes.appendADB(UInt32(clamping: time))
      bytes.appendADB(isLong ? ADBSyncID.linkStat2 : ADBSyncID.stat, path: path)
    }
    due.append((item.path, size))
    sending = nil
    try flushIfFull()
  }

  private mutating func flushIfFull() throws(ConnectionFailure) {
    if used >= ADBPush.pieces { try flush() }
  }

  /// Sends the buffer, and takes answers as they come: a refusal must not wait for the end, and a
  /// device that waits for its answers to be taken takes nothing more itself.
  private mutating func flush() throws(ConnectionFailure) {
    var sent = 0
    while sent < used {
      sent += try sendOrRefusal(buffer[sent..<used])
      if sent == used { break }
      try stream.wait(for: Int16(POLLIN | POLLOUT), until: deadline)
      try takeAnswers()
    }
    used = 0
    try takeAnswers()
    if deadline.isInterrupted || deadline.hasPassed {
      throw ConnectionFailure(
        deadline.isInterrupted ? .interrupted : .timedOut,
        "\(stream.name): \(deadline.isInterrupted ? "stopped" : "the push took too long")")
    }
    progress?(done, total)
  }

  /// A device that refused a file hangs up soon after; its reason is still in the socket.
  private mutating func sendOrRefusal(
    _ bytes: ArraySlice<UInt8>
  ) throws(ConnectionFailure) -> Int {
    do {
      return try stream.sendNow(bytes)
    } catch {
      try takeAnswers()
      throw error
    }
  }

  /// Sends what is left and waits for all answers.
  mutating func finish() throws(ConnectionFailure) {
    try flush()
    while firstDue < due.count {
      try stream.wait(for: Int16(POLLIN), until: deadline)
      guard try takeAnswers() else { throw lost() }
    }
  }

  private func lost() -> ConnectionFailure {
    let failure = stream.lost()
    return ConnectionFailure(
      failure.code, "\(due[firstDue].path): \(failure.message)", hint: failure.hint)
  }

  /// Takes what has arrived.
  ///
  /// - Returns: false at the end of the stream.
  @discardableResult
  private mutating func takeAnswers() throws(ConnectionFailure) -> Bool {
    let count = stream.stash()
    guard stream.hasBuffered else { return count != 0 }
    try stream.receive(into: &answers, until: deadline)
    var offset = 0
    while let length = try takeAnswer(at: offset) { offset += length }
    answers.removeFirst(offset)
    return true
  }

  /// Takes one whole answer; nil when there is none yet.
  private mutating func takeAnswer(at offset: Int) throws(ConnectionFailure) -> Int? {
    guard answers.count >= offset + 8 else { return nil }
    let id = answers.adb32(at: offset)
    let current = firstDue < due.count ? due[firstDue] : nil
    if id == ADBSyncID.fail {
      let count = Int(answers.adb32(at: offset + 4))
      guard count <= ADBSyncID.dataLimit else {
        throw sync.damaged(stream, "a reason of \(count) bytes")
      }
      guard answers.count >= offset + 8 + count else { return nil }
      let text = String(decoding: answers[(offset + 8)..<(offset + 8 + count)], as: UTF8.self)
      throw sync.refusal(text, about: current?.path ?? sending)
    }
    if id == ADBSyncID.okay, !isAcknowledged, current != nil {
      isAcknowledged = true
      return 8
    }
    guard id == (isLong ? ADBSyncID.linkStat2 : ADBSyncID.stat), isAcknowledged, let current
    else { throw sync.unexpected(id, stream) }
    let size = isLong ? ADBFileStatus.longSize : 12
    guard answers.count >= offset + 4 + size else { return nil }
    let bytes = Array(answers[(offset + 4)..<(offset + 4 + size)])
    let status = isLong ? try? ADBFileStatus(long: bytes) : ADBFileStatus(short: bytes)
    guard let status, status.hasSize(current.size) else {
      throw ConnectionFailure(
        .system(.io),
        "\(current.path): \(current.size) bytes were sent, and "
          + "\(status.map { "\($0.size)" } ?? "no file") arrived (\(sync.name))",
        hint: "is the device's disk full?")
    }
    isAcknowledged = false
    firstDue += 1
    return 4 + size
  }
}

extension ADBSync {
  /// The failure of a host's file, by errno.
  static func hostFailure(_ path: String) -> ConnectionFailure {
    let error = Errno.current
    return ConnectionFailure(.hostFile(error), "\(path): \(error)")
  }
}
