internal import CLinux
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// One running POSIX shell, spoken to over its standard streams. Used by one thread.
///
/// A request is a piece of script; its reply is framed: everything that the script prints on
/// standard output, then a line with the request's nonce (128 random bits, so that no output can
/// forge it) and the exit status, and likewise on standard error. Replies are bytes.
final class ShellChannel {
  /// What a script printed, and its exit status.
  struct Reply {
    var output: [UInt8]
    var error: [UInt8]
    var status: Int32
  }

  private let name: String
  private let process: LocalProcess
  private let streams: Streams
  private(set) var isBroken = false

  /// Starts a shell.
  init(_ launcher: ProcessLauncher, argv: [String]) throws(ConnectionFailure) {
    name = argv.joined(separator: " ")
    process = try launcher.start(Command(argv, standardInput: .bytes([])))
    streams = process.streams
    _ = fcntl(streams.output, F_SETFL, O_NONBLOCK)
    _ = fcntl(streams.error, F_SETFL, O_NONBLOCK)
  }

  /// Runs a script and gives its framed reply.
  ///
  /// - Parameter limit: bytes of a stream beyond which the shell is given up.
  /// - Throws: after `connectionLost`, `timedOut` and `interrupted` the channel is broken and its
  ///   process ended.
  func run(
    _ script: String, until deadline: Deadline, limit: Int = 256 << 20
  ) throws(ConnectionFailure) -> Reply {
    guard !isBroken else { throw lost("it has ended") }
    let nonce = ShellChannel.nonce()
    let text =
      "{ \(script)\n} </dev/null; kelvin_status=$?; printf '\\n%s %d\\n' \(nonce) $kelvin_status; "
      + "printf '\\n%s\\n' \(nonce) >&2\n"
    do {
      try send(Array(text.utf8), until: deadline)
      var reader = FrameReader(nonce: nonce)
      try receive(&reader, until: deadline, limit: limit)
      return reader.reply
    } catch {
      end()
      throw error
    }
  }

  /// Ends the shell and what it runs; idempotent.
  func end() {
    guard !isBroken else { return }
    isBroken = true
    process.abandon()
  }

  deinit { end() }

  private func send(_ bytes: [UInt8], until deadline: Deadline) throws(ConnectionFailure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(streams.input, $0.baseAddress, $0.count) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      if count < 0, errno == EINTR { continue }
      guard count < 0, errno == EAGAIN else { throw lost("\(Errno.current)") }
      try wait(for: streams.input, Int16(POLLOUT), until: deadline)
    }
  }

  private func wait(
    for descriptor: Int32, _ events: Int16, until deadline: Deadline
  ) throws(ConnectionFailure) {
    var waiting = [
      pollfd(fd: descriptor, events: events, revents: 0),
      pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
    ]
    poll(&waiting, 2, deadline.pollMilliseconds)
    try check(deadline)
  }

  private func receive(
    _ reader: inout FrameReader, until deadline: Deadline, limit: Int
  ) throws(ConnectionFailure) {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while !reader.isComplete {
      var waiting = [
        pollfd(fd: streams.output, events: Int16(POLLIN), revents: 0),
        pollfd(fd: streams.error, events: Int16(POLLIN), revents: 0),
        pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      ]
      poll(&waiting, 3, deadline.pollMilliseconds)
      for (index, stream) in [streams.output, streams.error].enumerated()
      where waiting[index].revents != 0 {
        let count = read(stream, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { continue }
        guard count > 0 else { throw lost("it has ended") }
        if index == 0 {
          reader.output += buffer[..<count]
        } else {
          reader.error += buffer[..<count]
        }
      }
      guard reader.output.count <= limit, reader.error.count <= limit else {
        throw ConnectionFailure(
          .unsupported, "\(name): a reply of more than \(limit >> 20) MiB")
      }
      if !reader.isComplete { try check(deadline) }
    }
  }

  private func check(_ deadline: Deadline) throws(ConnectionFailure) {
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(name): no reply in time; the shell was ended")
    }
  }

  private func lost(_ why: String) -> ConnectionFailure {
    ConnectionFailure(.connectionLost, "\(name): the shell is gone: \(why)")
  }

  private static func nonce() -> String {
    var generator = SystemRandomNumberGenerator()
    let digits = [generator.next(), generator.next()].map { (number: UInt64) in
      let hex = String(number, radix: 16)
      return String(repeating: "0", count: 16 - hex.count) + hex
    }
    return "kelvin-" + digits.joined()
  }
}

/// Finds the end of a reply in what has arrived so far; pure, so that it can be tested on any split.
struct FrameReader {
  let nonce: [UInt8]
  var output: [UInt8] = []
  var error: [UInt8] = []

  init(nonce: String) { self.nonce = Array(nonce.utf8) }

  /// Whether both streams have come to their frame's end.
  var isComplete: Bool { outputEnd != nil && errorEnd != nil }

  /// The reply; meaningful when ``isComplete``.
  var reply: ShellChannel.Reply {
    let outputEnd = outputEnd ?? (output.count, 0)
    return ShellChannel.Reply(
      output: Array(output[..<outputEnd.0]), error: Array(error[..<(errorEnd ?? error.count)]),
      status: outputEnd.1)
  }

  /// Where the output ends, and the status: the stream ends with newline, nonce, blank, digits,
  /// newline.
  private var outputEnd: (Int, Int32)? {
    guard output.last == 10 else { return nil }
    var index = output.count - 2
    var digits = 0
    while index >= 0, digits < 4, (48...57).contains(output[index]) {
      index -= 1
      digits += 1
    }
    guard digits > 0, index >= 0, output[index] == 32 else { return nil }
    let start = index - nonce.count
    guard start >= 1, output[start..<index].elementsEqual(nonce), output[start - 1] == 10,
      let status = Int32(
        String(decoding: output[(index + 1)..<(output.count - 1)], as: UTF8.self))
    else { return nil }
    return (start - 1, status)
  }

  private var errorEnd: Int? {
    let tail = [10] + nonce + [10]
    guard error.count >= tail.count, error.suffix(tail.count).elementsEqual(tail) else {
      return nil
    }
    return error.count - tail.count
  }
}
