internal import CLinux
internal import Glibc
public import KelvinModel

extension FastbootDevice {
  /// Writes an image to a partition, in as many downloads as the boot loader needs: a raw image that is
  /// too large for one becomes sparse images, a sparse one is split.
  ///
  /// - Parameters:
  ///   - partition: the whole name, with its slot; see ``partition(_:slot:until:)``.
  ///   - limit: bytes of one download; nil: what the boot loader says. Never more than that.
  /// - Throws: `refused` with the boot loader's words: parts before have been written then.
  public func flash(
    _ image: FlashImage, to partition: String, limit: Int64? = nil, until deadline: Deadline,
    progress: (FastbootProgress) -> Void = { _ in }
  ) async throws(ConnectionFailure) -> FlashReport {
    let command = try FastbootCommand("flash:\(partition)")
    var own: Int64?
    do { own = try await downloadLimit(deadline) } catch {
      // Who says it instead need not be told that it is wrong.
      guard limit != nil, error.code == .badReply, !hasLostLink else { throw error }
    }
    let parts = try image.parts(limit: [own, limit].compactMap { $0 }.min(), until: deadline)
    let total = parts.reduce(0) { $0 + $1.byteCount }
    var before: Int64 = 0
    for (index, part) in parts.enumerated() {
      var state = FastbootProgress(
        stage: .sending, part: index + 1, parts: parts.count, sent: before, total: total)
      progress(state)
      try await download(part, of: image.file, until: deadline) { count in
        state.sent = before + count
        progress(state)
      }
      before += part.byteCount
      state.stage = .writing
      progress(state)
      try await run(command, until: deadline)
    }
    progress(
      FastbootProgress(
        stage: .done, part: parts.count, parts: parts.count, sent: total, total: total))
    return FlashReport(
      partition: partition, parts: parts.count, sent: total, size: image.expandedSize)
  }

  /// Starts an image without writing it.
  public func boot(
    _ image: FlashImage, until deadline: Deadline,
    progress: (FastbootProgress) -> Void = { _ in }
  ) async throws(ConnectionFailure) {
    let part = SparsePart([.file(offset: 0, count: image.size)])
    var state = FastbootProgress(
      stage: .sending, part: 1, parts: 1, sent: 0, total: image.size)
    try await download(part, of: image.file, until: deadline) { count in
      state.sent = count
      progress(state)
    }
    try await run(.boot, until: deadline)
    state.stage = .done
    progress(state)
  }

  /// Makes a partition empty; with its slot, see ``partition(_:slot:until:)``.
  public func erase(
    _ partition: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await run(FastbootCommand("erase:\(partition)"), until: deadline)
  }

  /// Chooses the slot that is started: `a`, `b`.
  public func setActive(
    _ slot: String, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await run(FastbootCommand("set_active:\(slot)"), until: deadline)
  }

  /// Goes on with starting the board.
  public func proceed(until deadline: Deadline) async throws(ConnectionFailure) {
    try await run(.proceed, until: deadline)
  }

  /// Restarts the board, or only its boot loader.
  public func reboot(
    toBootloader: Bool = false, until deadline: Deadline
  ) async throws(ConnectionFailure) {
    try await run(toBootloader ? .rebootBootloader : .reboot, until: deadline)
  }

  /// Runs a command of the board's maker; what it says is heard by ``hear``.
  @discardableResult
  public func oem(
    _ words: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    try await run(FastbootCommand("oem \(words)"), until: deadline)
  }

  /// Saves what the boot loader has put ready, as after an `oem` command: to a temporary name beside
  /// it, then renamed.
  ///
  /// - Returns: how many bytes.
  public func upload(
    to path: String, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Int64 {
    let temporary = "\(path).kelvin-\(getpid())"
    let failure = { (error: KelvinModel.Errno) in
      ConnectionFailure(.hostFile(error), "\(path): \(error)")
    }
    let descriptor = kelvin_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure(.current) }
    var isComplete = false
    defer {
      Glibc.close(descriptor)
      if !isComplete { unlink(temporary) }
    }
    let count = try await upload(until: deadline) { (bytes) throws(ConnectionFailure) in
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { throw failure(.current) }
        rest = rest.dropFirst(count)
      }
    }
    guard rename(temporary, path) == 0 else { throw failure(.current) }
    isComplete = true
    return count
  }
}
