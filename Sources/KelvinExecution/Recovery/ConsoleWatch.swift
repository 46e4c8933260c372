internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// Follows a console's log, on a thread of its own.
struct ConsoleWatch {
  private let reader: ConsoleLogReader
  private var position: UInt64
  private let state: WatchState

  /// Seconds after which a line that has no end is looked at as it is.
  private static let lineTime = 0.02
  /// Seconds between two looks where the system has no watch for files left.
  private static let pause = 0.025

  init(directory: String, from position: UInt64, state: WatchState) {
    reader = ConsoleLogReader(directory: directory)
    self.position = position
    self.state = state
  }

  consuming func run() {
    // Before the first look: what comes in between is told, too.
    let watch = try? DirectoryWatch(reader.directory)
    // What came is looked at line by line, and a line that does not end when nothing more comes; being told
    // of bytes that are read already is no reason to forget that.
    var isUnseen = false
    while true {
      watch?.silence()
      if read() { isUnseen = true }
      let time = isUnseen ? ConsoleWatch.lineTime : watch == nil ? ConsoleWatch.pause : nil
      let deadline = Deadline(
        time: time.flatMap { Deadline.after(seconds: $0).time }, interrupt: state.end)
      switch deadline.wait(for: watch?.descriptor ?? -1) {
      case .ready: continue
      case .passed:
        state.scan { $0.glance() }
        isUnseen = false
      case .interrupted:
        _ = read()
        state.scan { $0.finish() }
        return
      }
    }
  }

  /// Takes what there is.
  private mutating func read() -> Bool {
    var hasRead = false
    while true {
      let piece = reader.read(at: position, limit: 1 << 16)
      position = piece.end
      guard !piece.bytes.isEmpty else { return hasRead }
      hasRead = true
      let now = MonotonicTime.now
      state.consoleSpoke(at: now)
      state.scan { $0.take(piece.bytes, at: now) }
      state.countBoots(piece.bytes)
    }
  }
}
