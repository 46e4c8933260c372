internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem

/// The standard streams of a child: pipes where something is to be read or fed, /dev/null elsewhere.
struct Streams: Sendable {
  /// -1 means /dev/null.
  private(set) var childInput: Int32 = -1
  private(set) var childOutput: Int32 = -1
  private(set) var childError: Int32 = -1
  /// Our ends; -1 where there is no pipe.
  private(set) var input: Int32 = -1
  private(set) var output: Int32 = -1
  private(set) var error: Int32 = -1

  init(_ command: Command) throws(ConnectionFailure) {
    do {
      if command.standardInput != .null {
        let ends = try Streams.pipe()
        (childInput, input) = (ends.read, ends.write)
        _ = fcntl(ends.read, F_SETFL, 0)
        _ = fcntl(ends.write, F_SETFL, O_NONBLOCK)
      }
      if command.standardOutput != .discard {
        let ends = try Streams.pipe()
        (output, childOutput) = (ends.read, ends.write)
      }
      if command.standardError != .discard {
        let ends = try Streams.pipe()
        (error, childError) = (ends.read, ends.write)
      }
    } catch {
      closeChildEnds()
      closeOwnEnds()
      throw ConnectionFailure(
        .system(error), "\(command.argv.first ?? ""): no pipe: \(error)",
        hint: "too many open files? see 'ulimit -n'")
    }
  }

  private static func pipe() throws(Errno) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [-1, -1]
    guard kelvin_pipe(&ends) >= 0 else { throw Errno.current }
    return (ends[0], ends[1])
  }

  /// Ends the input of the child, and leaves our descriptor as one of /dev/null.
  func shutInput() {
    let null = kelvin_open("/dev/null", O_WRONLY | O_CLOEXEC, 0)
    guard null >= 0 else { return }
    dup2(null, input)
    _ = fcntl(input, F_SETFD, FD_CLOEXEC)
    close(null)
  }

  func closeChildEnds() {
    for descriptor in [childInput, childOutput, childError] where descriptor >= 0 {
      close(descriptor)
    }
  }

  func closeOwnEnds() {
    for descriptor in [input, output, error] where descriptor >= 0 { close(descriptor) }
  }
}

/// Takes what a stream carries: up to its limit in memory or in a file, the rest counted.
struct OutputSink {
  private let destination: Command.Output
  private(set) var output = CapturedOutput()
  private var file: Int32 = -1
  /// The first error of the file; what came after it is counted, not kept.
  private(set) var failure: ConnectionFailure?
  /// Set where the stream ends with a line of its own; nil where its end is the end of file.
  private var filter: TrailerFilter?

  /// - Parameter nonce: of the line that ends the stream.
  init(_ destination: Command.Output, nonce: String? = nil) {
    self.destination = destination
    filter = nonce.map(TrailerFilter.init)
  }

  /// The line at the end of the stream, once it has come.
  var trailer: TrailerFilter.Trailer? { filter?.trailer }

  mutating func take(_ bytes: UnsafeRawBufferPointer) {
    switch filter?.take(bytes) {
    case .prefix(let count): keep(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    case .bytes(let released): released.withUnsafeBytes { keep($0) }
    case nil: keep(bytes)
    }
  }

  /// Counts bytes that the target did not keep.
  mutating func skip(_ count: Int64) { output.totalBytes += count }

  /// Keeps what was held back of a stream that ended without its line.
  mutating func flush() {
    guard let rest = filter?.flush() else { return }
    rest.withUnsafeBytes { keep($0) }
  }

  private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    output.totalBytes += Int64(bytes.count)
    switch destination {
    case .discard: break
    case .capture(let limit):
      let room = max(0, limit - output.bytes.count)
      output.bytes.append(contentsOf: bytes.prefix(room))
      output.keptBytes = Int64(output.bytes.count)
    case .file(let path, let limit):
      let room = max(0, Int64(limit) - output.keptBytes)
      guard room > 0, failure == nil else { return }
      if file < 0 { open(path) }
      write(
        UnsafeRawBufferPointer(rebasing: bytes.prefix(Int(min(room, Int64(bytes.count))))),
        to: file,
        path)
    case .descriptor(let descriptor):
      if failure == nil { write(bytes, to: descriptor, "descriptor \(descriptor)") }
    }
  }

  private mutating func open(_ path: String) {
    file = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if file < 0, errno == ENOENT, let slash = path.lastIndex(of: "/") {
      HostDirectories.make(String(path[..<slash]))
      file = kelvin_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    }
    if file < 0 { fail(path, .current) }
  }

  private mutating func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String
  ) {
    var rest = bytes
    while !rest.isEmpty, failure == nil {
      let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        _ = Deadline.never.wait(for: descriptor, events: Int16(POLLOUT))
        continue
      }
      guard count > 0 else {
        fail(path, .current)
        return
      }
      output.keptBytes += Int64(count)
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
  }

  private mutating func fail(_ path: String, _ error: Errno) {
    failure = ConnectionFailure(hostFile: path, error)
  }

  mutating func finish() {
    if file >= 0 { close(file) }
    file = -1
  }
}

/// What a command reads: bytes that are there, or a descriptor's, taken when there is room for them.
struct InputSource {
  private(set) var bytes: ArraySlice<UInt8> = []
  /// To be polled for input while there is room; -1 where nothing more comes.
  private(set) var descriptor: Int32 = -1
  /// Over what was read from a descriptor, where it is wanted.
  private(set) var checksum: PosixChecksum?
  private var buffer: [UInt8] = []
  /// Why a descriptor could not be read to its end.
  private(set) var failure: Errno?

  /// - Parameter checksum: over what came before; nil: none is wanted.
  init(_ input: Command.Input, checksum: PosixChecksum? = nil) {
    self.checksum = checksum
    switch input {
    case .null: break
    case .bytes(let all): bytes = all[...]
    case .descriptor(let number): descriptor = number
    }
  }

  /// Nothing is left, and nothing more comes.
  var isAtEnd: Bool { bytes.isEmpty && descriptor < 0 }
  /// To be polled now: -1 while there are bytes to be passed on.
  var awaited: Int32 { bytes.isEmpty ? descriptor : -1 }

  /// These many have been passed on.
  mutating func drop(_ count: Int) { bytes = bytes.dropFirst(count) }

  /// Nobody reads any more.
  mutating func end() {
    bytes = []
    descriptor = -1
  }

  /// Takes what the descriptor has, if it has anything.
  mutating func fill() {
    guard awaited >= 0 else { return }
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 0) > 0 else { return }
    if buffer.isEmpty { buffer = [UInt8](repeating: 0, count: 1 << 18) }
    // Else the buffer would be copied before it is written to.
    bytes = []
    let count = read(descriptor, &buffer, buffer.count)
    if count > 0 {
      bytes = buffer[..<count]
      buffer.withUnsafeBytes { checksum?.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    } else if count == 0 || (errno != EINTR && errno != EAGAIN) {
      if count < 0 { failure = .current }
      descriptor = -1
    }
  }
}

/// Directories on the host.
enum HostDirectories {
  /// Makes a directory and those above it; errors show when the file in it cannot be opened.
  static func make(_ path: String) {
    if mkdir(path, 0o755) == 0 || errno != ENOENT { return }
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return }
    make(String(path[..<slash]))
    mkdir(path, 0o755)
  }
}
