internal import Glibc

/// Where an output or an export goes: a file that is complete or not there, or memory. Bytes are appended;
/// formats that learn late what belongs at the start of a file patch it.
///
/// The file is not synchronized: it can be made again from the store, which is. Used by one thread at a
/// time.
public final class ExportFile {
  private let path: String
  private let temporary: String
  private var descriptor: Int32 = -1
  private var buffer: [UInt8] = []
  private var flushed = 0

  /// Collects an export in memory.
  public init() {
    path = ""
    temporary = ""
  }

  /// Begins a file at a path, which takes its name in ``commit()``.
  public init(path: String) throws(OutputFailure) {
    self.path = path
    // Hidden, beside it.
    let cut = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
    temporary = "\(path[..<cut]).\(path[cut...]).\(getpid()).part"
    descriptor = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputFailure(writing: path, error: errno) }
  }

  deinit {
    // Not committed: as if it had never been begun.
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporary)
    }
  }

  /// Bytes so far.
  var position: Int { flushed + buffer.count }
  /// What memory holds: all of an export that goes nowhere else.
  public var bytes: [UInt8] { buffer }

  func write(_ bytes: some Collection<UInt8>) throws(OutputFailure) {
    buffer.append(contentsOf: bytes)
    if buffer.count >= 1 << 18 { try flush() }
  }

  func write(_ text: String) throws(OutputFailure) { try write(text.utf8) }

  /// Replaces bytes that were written before.
  func patch(_ bytes: [UInt8], at position: Int) throws(OutputFailure) {
    if position >= flushed {
      buffer.replaceSubrange(position - flushed..<position - flushed + bytes.count, with: bytes)
      return
    }
    try flush()
    try transfer(bytes) { pwrite(descriptor, $0.baseAddress, $0.count, off_t(position + $1)) }
  }

  private func flush() throws(OutputFailure) {
    guard descriptor >= 0 else { return }
    try transfer(buffer) { bytes, _ in Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
    flushed += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  private func transfer(
    _ bytes: [UInt8], _ call: (UnsafeRawBufferPointer, Int) -> Int
  ) throws(OutputFailure) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes { call(.init(rebasing: $0[done...]), done) }
      if count < 0 {
        if errno == EINTR { continue }
        throw OutputFailure(writing: path, error: errno)
      }
      done += count
    }
  }

  /// Gives the file its name, in place of what had it. Does nothing for memory.
  public func commit() throws(OutputFailure) {
    guard descriptor >= 0 else { return }
    try flush()
    // Some file systems report a full disk only here.
    let result = close(descriptor)
    descriptor = -1
    guard result == 0, rename(temporary, path) == 0 else {
      let error = errno
      unlink(temporary)
      throw OutputFailure(writing: path, error: error)
    }
  }
}
