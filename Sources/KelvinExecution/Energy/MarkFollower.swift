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
        take(buffer[..<count], at: time, &state)
      }
    }
  }

  /// Takes bytes as they came. A workload may print a lot while it is measured: only the beginnings of lines
  /// are looked at.
  private func take(_ bytes: ArraySlice<UInt8>, at time: Int64, _ state: inout State) {
    var rest = bytes
    while let end = MarkFollower.newline(in: rest) {
      take(part: rest[..<end], &state)
      endLine(at: time, &state)
      rest = rest[(end + 1)...]
    }
    take(part: rest, &state)
  }

  /// Appends a part of a line, as far as it may be a mark.
  private func take(part: ArraySlice<UInt8>, _ state: inout State) {
    let room = Self.longestLine - state.line.count
    state.line += part.prefix(room)
    if part.count > room { state.isOverlong = true }
  }

  private func endLine(at time: Int64, _ state: inout State) {
    defer {
      state.line.removeAll(keepingCapacity: true)
      state.isOverlong = false
    }
    guard !state.isOverlong, state.line.starts(with: PhaseMark.prefix.utf8),
      let name = PhaseMark.name(inLine: String(decoding: state.line, as: UTF8.self))
    else { return }
    guard state.marks.count < PhaseMark.most else {
      state.leftOut += 1
      return
    }
    state.marks.append(PhaseMark(time: time, limit: limit, name: name))
  }

  private static func newline(in bytes: ArraySlice<UInt8>) -> Int? {
    bytes.withUnsafeBytes { raw in
      raw.baseAddress.flatMap { base in
        memchr(base, 10, raw.count).map { bytes.startIndex + (UnsafeRawPointer($0) - base) }
      }
    }
  }
}
