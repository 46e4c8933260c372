internal import CLinux
internal import Glibc
internal import KelvinModel

/// Writes a trace.dat file: its content first, then the CPUs' pages as they come, at last the tables
/// that say where they are. No more than what is appended is in memory.
///
/// A writer that goes before ``finish()`` takes its file with it.
final class TraceFileWriter {
  private let path: String
  private let descriptor: Int32
  private let content: TraceContent
  /// The buffer that is being written.
  private var table: Int
  /// Where each of its CPUs' pages begin, and their bytes.
  private var places: [(offset: Int, size: Int)]
  private var cpu = 0
  private var end = 0
  private let secondBuffer: Int?
  private let options: [Int]
  private var isFinished = false

  /// Creates the file, or replaces what has its name.
  init(_ path: String, _ content: TraceContent) throws(PlainFailure) {
    let head = content.head()
    let descriptor = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    self.descriptor = descriptor
    self.path = path
    self.content = content
    table = head.table
    secondBuffer = head.secondBuffer
    options = head.options
    places = Array(repeating: (0, 0), count: content.cpuCount)
    try write(head.bytes[...], at: 0)
    end = aligned(head.bytes.count)
  }

  deinit {
    close(descriptor)
    if !isFinished { unlink(path) }
  }

  /// Bytes of the file so far.
  var size: Int { end }

  /// Readers map whole pages into memory.
  private func aligned(_ offset: Int) -> Int {
    let pageSize = content.layout.pageSize
    return (offset + pageSize - 1) / pageSize * pageSize
  }

  /// Appends whole pages of a CPU; CPUs come one after the other, in their order.
  func append(_ pages: ArraySlice<UInt8>, cpu number: Int) throws(PlainFailure) {
    precondition(
      places.indices.contains(number) && number >= cpu
        && pages.count % content.layout.pageSize == 0)
    guard !pages.isEmpty else { return }
    cpu = number
    if places[number].size == 0 { places[number].offset = end }
    try write(pages, at: end)
    places[number].size += pages.count
    end += pages.count
  }

  /// Goes on to the second buffer, which the content must name.
  func beginSecondBuffer() throws(PlainFailure) {
    guard let secondBuffer else { preconditionFailure("the content names no second buffer") }
    try writeTable()
    var offset = TraceBytes(isBigEndian: content.layout.isBigEndian)
    offset.append(UInt64(end))
    try write(offset.bytes[...], at: secondBuffer)
    let (bytes, place) = content.pageTable()
    try write(bytes[...], at: end)
    table = end + place
    places = Array(repeating: (0, 0), count: content.cpuCount)
    cpu = 0
    end = aligned(end + bytes.count)
  }

  /// Puts another option of the same size in the place of one of the content's.
  func replaceOption(_ index: Int, with option: TraceContent.Option) throws(PlainFailure) {
    precondition(option.bytes.count == content.options[index].bytes.count)
    try write(option.bytes[...], at: options[index])
  }

  /// Completes the file.
  func finish() throws(PlainFailure) {
    try writeTable()
    // A trace without any page ends with the gap before the first.
    guard ftruncate(descriptor, off_t(end)) == 0 else {
      throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
    }
    isFinished = true
  }

  private func writeTable() throws(PlainFailure) {
    var bytes = TraceBytes(isBigEndian: content.layout.isBigEndian)
    for place in places {
      bytes.append(UInt64(place.size == 0 ? end : place.offset))
      bytes.append(UInt64(place.size))
    }
    try write(bytes.bytes[...], at: table)
  }

  private func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(PlainFailure) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(
          descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw PlainFailure(.infrastructure, "\(path): \(Errno.current)")
      }
      done += count
    }
  }
}
