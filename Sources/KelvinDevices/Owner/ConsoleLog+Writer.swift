internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

extension ConsoleLog {
  /// The files behind a log; belongs to one thread at a time.
  struct Writer: ~Copyable {
    struct Segment {
      /// The position of its first byte, which is its name.
      let start: UInt64
      var size: UInt64
    }

    let directory: String
    private(set) var segments: [Segment] = []
    private(set) var end: UInt64 = 0
    private(set) var lostInAll: UInt64 = 0
    /// Why the last write failed.
    private(set) var problem = ""

    private let lock: Int32
    private var bytes: Int32 = -1
    private var index: Int32 = -1
    /// Bytes lost that no note tells of yet, and since when.
    private var unnoted: (bytes: UInt64, since: Int64) = (0, 0)
    /// Whether the index ends in the middle of a line.
    private var isTorn = false

    init(directory: String, socket: String) throws(OwnerFailure) {
      self.directory = directory
      try OwnerPlaces.makeDirectories(directory)
      let lock = kelvin_open(directory + "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard lock >= 0 else { throw Writer.failure(directory + "/lock", .current) }
      guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
        close(lock)
        let other = OtherOwner(lockFile: directory + "/lock")
        throw OwnerFailure(
          .conflict,
          "\(directory): \(other?.description ?? "another process") writes this log",
          hint: other?.hint ?? "end it by 'kelvin bench down' with its XDG_RUNTIME_DIR")
      }
      self.lock = lock
      OtherOwner.write(socket: socket, to: lock)
    }

    deinit {
      for descriptor in [bytes, index, lock] where descriptor >= 0 { close(descriptor) }
    }

    private static func failure(_ path: String, _ error: KelvinModel.Errno) -> OwnerFailure {
      OwnerFailure(.system, "\(path): \(error)")
    }

    // MARK: Opening

    /// Finds what is there and continues it; notes the gap.
    ///
    /// - Returns: the end.
    mutating func recover() throws(OwnerFailure) -> UInt64 {
      segments = ConsoleLogReader.starts(in: directory).map { start in
        Segment(start: start, size: Writer.size(of: self.directory, start))
      }
      let last = segments.last
      try open(segment: last?.start ?? 0)
      guard let last else { return 0 }
      end = last.start + Writer.fileSize(bytes)
      let tail = ConsoleLogReader.lastEntry(in: directory, segment: last.start)
      isTorn = tail.isTorn
      var gap: [String: Value] = [
        "event": "gap", "orderly": .boolean(tail.entry?.isClosing ?? false)
      ]
      if let wall = tail.entry?.wall { gap["since"] = .integer(wall) }
      _ = note(gap)
      return end
    }

    private mutating func open(segment start: UInt64) throws(OwnerFailure) {
      let name = ConsoleLogReader.path(directory, start)
      let flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
      let bytes = kelvin_open(name + ".bytes", flags, 0o600)
      guard bytes >= 0 else { throw Writer.failure(name + ".bytes", .current) }
      let index = kelvin_open(name + ".index", flags, 0o600)
      guard index >= 0 else {
        let error = Errno.current
        close(bytes)
        throw Writer.failure(name + ".index", error)
      }
      for descriptor in [self.bytes, self.index] where descriptor >= 0 { close(descriptor) }
      self.bytes = bytes
      self.index = index
      isTorn = false
      if segments.last?.start != start { segments.append(Segment(start: start, size: 0)) }
    }

    private static func fileSize(_ descriptor: Int32) -> UInt64 {
      var status = stat()
      return fstat(descriptor, &status) == 0 ? UInt64(max(0, status.st_size)) : 0
    }

    private static func size(of directory: String, _ start: UInt64) -> UInt64 {
      var size: UInt64 = 0
      for suffix in [".bytes", ".index"] {
        var status = stat()
        if stat(ConsoleLogReader.path(directory, start) + suffix, &status) == 0 {
          size += UInt64(max(0, status.st_size))
        }
      }
      return size
    }

    // MARK: Appending

    mutating func append(_ data: UnsafeRawBufferPointer, _ limits: Limits) {
      rotate(limits)
      guard noteLoss() else { return lose(data.count) }
      var rest = data
      while !rest.isEmpty {
        let count = Glibc.write(bytes, rest.baseAddress, rest.count)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          problem = "\(directory): \(count < 0 ? Errno.current : .noSpace)"
          break
        }
        rest = UnsafeRawBufferPointer(rebasing: rest[count...])
      }
      let written = data.count - rest.count
      if written > 0 {
        let begin = end
        end += UInt64(written)
        segments[segments.count - 1].size += UInt64(written)
        // Without its line a chunk is there all the same, only nobody knows when it came.
        _ = line(
          "d \(begin) \(written) \(MonotonicTime.now.nanoseconds) \(MonotonicTime.wallNanoseconds)")
      }
      if !rest.isEmpty { lose(rest.count) }
    }

    private mutating func lose(_ count: Int) {
      if unnoted.bytes == 0 { unnoted.since = MonotonicTime.wallNanoseconds }
      unnoted.bytes += UInt64(count)
      lostInAll += UInt64(count)
    }

    /// Tells of earlier losses before anything follows them; false: that is not possible yet.
    private mutating func noteLoss() -> Bool {
      guard unnoted.bytes > 0 else { return true }
      let values: [String: Value] = [
        "event": "bytes-lost", "bytes": .integer(Int64(clamping: unnoted.bytes)),
        "since": .integer(unnoted.since), "reason": .text(problem)
      ]
      guard note(values) else { return false }
      unnoted.bytes = 0
      return true
    }

    mutating func note(_ values: [String: Value]) -> Bool {
      line(
        "n \(end) \(MonotonicTime.now.nanoseconds) \(MonotonicTime.wallNanoseconds) "
          + Value.map(values).json)
    }

    /// Writes a line of the index; false when not all of it could be.
    private mutating func line(_ text: String) -> Bool {
      // After half a line a new one begins, so that only the torn one is unreadable.
      var text = (isTorn ? "\n" : "") + text + "\n"
      let written = text.withUTF8 { buffer in
        var count: Int
        repeat {
          count = Glibc.write(index, buffer.baseAddress, buffer.count)
        } while count < 0
          && errno == EINTR
        return (count: count, error: count < 0 ? Errno.current : .noSpace, all: buffer.count)
      }
      if written.count > 0 {
        segments[segments.count - 1].size += UInt64(written.count)
        isTorn = written.count < written.all
      }
      guard written.count == written.all else {
        problem = "\(directory): \(written.error)"
        return false
      }
      return true
    }

    // MARK: Rotation

    private mutating func rotate(_ limits: Limits) {
      guard segments[segments.count - 1].size >= limits.segmentBytes,
        end > segments[segments.count - 1].start
      else { return }
      // Without room for a new segment the old one grows on.
      do { try open(segment: end) } catch { return }
      var total = segments.reduce(0) { $0 + $1.size }
      var dropped: UInt64 = 0
      while segments.count > 1, total > limits.totalBytes {
        let oldest = segments.removeFirst()
        let name = ConsoleLogReader.path(directory, oldest.start)
        unlink(name + ".bytes")
        unlink(name + ".index")
        total -= oldest.size
        dropped += segments[0].start - oldest.start
      }
      if dropped > 0 {
        _ = note([
          "event": "rotated", "bytes": .integer(Int64(clamping: dropped)),
          "first": .integer(Int64(clamping: segments[0].start))
        ])
      }
    }
  }
}
