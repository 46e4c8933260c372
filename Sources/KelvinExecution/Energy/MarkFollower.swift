internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Looks for marks of phases in what a workload prints, as it comes.
///
/// The kernel tells when the file grows (inotify), and a thread of its own reads what is new: nobody polls.
/// A mark's time is when its line was seen, which is later than when it was written by what the link and this
/// machine took.
final class MarkFollower: Sendable {
  private struct State {
    var offset: Int64 = 0
    var line: [UInt8] = []
    /// Whether the line is too long to be a mark, and its rest is passed over.
    var isOverlong = false
    var marks: [PhaseMark] = []
    var leftOut = 0
  }
  private let path: String
  private let limit: Int64
  private let finish = Interrupt()
  private let state = Mutex(State())
  private let thread = Mutex<NamedThread?>(nil)

  private static let longestLine = 1024

  /// Follows a file that may not be there yet, in a directory that is.
  ///
  /// - Parameter limit: by how much a mark may be off, in nanoseconds.
  /// - Throws: when no thread can be had.
  init(_ name: String, in directory: String, limit: Int64) throws(PlainFailure) {
    path = directory + "/" + name
    self.limit = limit
    let started = try NamedThread("kelvin-marks") { [self] in follow(directory) }
    thread.withLock { $0 = started }
  }

  private func follow(_ directory: String) {
    // Without a watch it looks often instead.
    let watch = try? DirectoryWatch(directory)
    var isLast = false
    while !isLast {
      look()
      var waiting = [
        pollfd(fd: watch?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: finish.descriptor, events: Int16(POLLIN), revents: 0)
      ]
      _ = poll(&waiting, 2, watch == nil ? 5 : -1)
      isLast = finish.isRaised
      watch?.silence()
    }
    look()
  }

  /// Ends it; what was written until then has been read. Idempotent.
  func stop() -> (marks: [PhaseMark], leftOut: Int) {
    finish.raise()
    thread.withLock { $0.take() }?.join()
    return state.withLock { ($0.marks, $0.leftOut) }
  }

  private func look() {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    state.withLock { state in
      while true {
        let count = pread(descriptor, &buffer, buffer.count, off_t(state.offset))
        guard count > 0 else { return }
        // Not before: no line is seen earlier than it was written.
        let time = MonotonicTime.now.nanoseconds
        state.offset += Int64(count)
        for byte in buffer[..<count] { take(byte, at: time, &state) }
      }
    }
  }

  private func take(_ byte: UInt8, at time: Int64, _ state: inout State) {
    guard byte == UInt8(ascii: "\n") else {
      if state.line.count < Self.longestLine {
        state.line.append(byte)
      } else {
        state.isOverlong = true
      }
      return
    }
    defer { (state.line, state.isOverlong) = ([], false) }
    guard !state.isOverlong, state.line.starts(with: PhaseMark.prefix.utf8),
      let name = PhaseMark.name(inLine: String(decoding: state.line, as: UTF8.self))
    else { return }
    guard state.marks.count < PhaseMark.most else {
      state.leftOut += 1
      return
    }
    state.marks.append(PhaseMark(time: time, limit: limit, name: name))
  }
}
