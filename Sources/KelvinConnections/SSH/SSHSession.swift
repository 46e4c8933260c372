internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// One channel of a logged-in client, with a shell at its far end: the client reads and writes our
/// pipes itself, and says on a socket how the channel fares.
///
/// That socket tells what an ssh process cannot: an exit status of 255 from a lost link.
final class SSHSession: ShellLink {
  /// Why no channel was opened.
  enum Refusal: Error {
    /// By the target; it may have no more than its MaxSessions.
    case refused(String)
    /// The client is gone or does not answer.
    case lost(ConnectionFailure)
    case timedOut
    case interrupted
  }

  private let master: SSHMaster
  private let name: String
  /// Called once, when the shell was slow to say something first.
  private let onSlowLogin: @Sendable () -> Void
  private let opened = MonotonicTime.now
  private let socket: Int32
  private let input: Int32
  private let output: Int32
  private let error: Int32
  private let state = Mutex(State())

  private struct State {
    var control: [UInt8] = []
    var isOpened = false
    var refusal: String?
    var status: Int32?
    var isControlOpen = true
    var isInputOpen = true
    var isOutputOpen = true
    var isErrorOpen = true
    var hasSpoken = false
    var isClosed = false
  }

  /// What takes longer is a login that runs slow start files.
  private static let slowLogin: Int64 = 80_000_000

  /// Asks for a channel, and does not wait for the answer.
  ///
  /// - Parameters:
  ///   - command: for the user's login shell.
  ///   - source: a file that the client reads itself as the command's input, from where it stands;
  ///     nil: what is sent.
  init(
    _ master: SSHMaster, name: String, command: String = "exec sh", source: Int32? = nil,
    until deadline: Deadline,
    onSlowLogin: @escaping @Sendable () -> Void
  ) throws(Refusal) {
    self.master = master
    self.name = name
    self.onSlowLogin = onSlowLogin
    let pipes: [(read: Int32, write: Int32)]
    do {
      socket = try UnixSocket.connect(path: master.socketPath, until: deadline)
    } catch {
      throw .lost(
        ConnectionFailure(.connectionLost, "\(name): the ssh client is gone: \(error)"))
    }
    do {
      pipes = try SSHSession.pipes()
    } catch {
      Glibc.close(socket)
      throw .lost(
        ConnectionFailure(
          .system(error), "\(name): no pipe: \(error)",
          hint: "too many open files? see 'ulimit -n'"))
    }
    input = pipes[0].write
    output = pipes[1].read
    self.error = pipes[2].read
    _ = kelvin_set_nonblocking(input)
    if source != nil {
      Glibc.close(input)
      state.withLock { $0.isInputOpen = false }
    }
    // Larger pipes: fewer turns between this process and the client where much is copied.
    for pipe in source == nil ? [input, output] : [output] {
      _ = kelvin_set_pipe_size(pipe, 1 << 18)
    }
    defer { for end in [pipes[0].read, pipes[1].write, pipes[2].write] { Glibc.close(end) } }
    // The socket of a new connection has room for all of it.
    let request =
      SSHMuxMessage.hello(version: SSHMuxMessage.version).bytes
      + SSHMuxMessage.newSession(request: 0, command: command).bytes
    // Each descriptor goes with a byte that means nothing.
    let zero: [UInt8] = [0]
    let isSent =
      Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL)) == request.count
      && [source ?? pipes[0].read, pipes[1].write, pipes[2].write].allSatisfy {
        kelvin_send_descriptor(socket, zero, zero.count, $0) == 1
      }
    guard isSent else {
      let error = Errno.current
      abandon()
      throw .lost(
        ConnectionFailure(.connectionLost, "\(name): the ssh client is gone: \(error)"))
    }
  }

  deinit { abandon() }

  private static func pipes() throws(Errno) -> [(read: Int32, write: Int32)] {
    var made: [(read: Int32, write: Int32)] = []
    for _ in 0..<3 {
      var ends: [Int32] = [-1, -1]
      guard kelvin_pipe(&ends) >= 0 else {
        let error = Errno.current
        for pipe in made {
          Glibc.close(pipe.read)
          Glibc.close(pipe.write)
        }
        throw error
      }
      made.append((ends[0], ends[1]))
    }
    return made
  }

  /// Waits for the answer to the request.
  func waitUntilOpened(until deadline: Deadline) throws(Refusal) {
    while true {
      let (isOpened, refusal, isControlOpen) = state.withLock { state in
        takeControl(&state)
        return (state.isOpened, state.refusal, state.isControlOpen)
      }
      if isOpened { return }
      if let refusal { throw .refused(refusal) }
      guard isControlOpen else { throw .lost(loss()) }
      switch deadline.wait(for: socket) {
      case .ready: continue
      case .passed: throw .timedOut
      case .interrupted: throw .interrupted
      }
    }
  }

  /// Whether the far end is there as far as this end knows.
  var isAlive: Bool {
    state.withLock { state in
      takeControl(&state)
      guard !state.isClosed, state.isControlOpen, state.status == nil else { return false }
      var waiting = pollfd(fd: output, events: 0, revents: 0)
      return poll(&waiting, 1, 0) == 0
    }
  }

  // MARK: ShellLink

  func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    guard state.withLock({ $0.isInputOpen && !$0.isClosed }) else { throw loss() }
    while true {
      let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      if count >= 0 { return count }
      switch errno {
      case EINTR: continue
      case EAGAIN: return 0
      default: throw loss()
      }
    }
  }

  func closeInput() {
    state.withLock { state in
      guard state.isInputOpen, !state.isClosed else { return }
      state.isInputOpen = false
      Glibc.close(input)
    }
  }

  func receive(
    into output: inout [UInt8], error: inout [UInt8]
  ) throws(ConnectionFailure) -> ShellLinkEvent {
    var hasRead = false
    var isSlow = false
    let event: ShellLinkEvent? = state.withLock { state in
      guard !state.isClosed else { return nil }
      if state.isOutputOpen {
        state.isOutputOpen = PipeReader.read(self.output, into: &output, &hasRead)
      }
      if state.isErrorOpen {
        state.isErrorOpen = PipeReader.read(self.error, into: &error, &hasRead)
      }
      if hasRead, !state.hasSpoken {
        state.hasSpoken = true
        isSlow = MonotonicTime.now - opened > SSHSession.slowLogin
      }
      if hasRead || state.isOutputOpen || state.isErrorOpen { return .open }
      // The status may come after the end of the streams; the end of the socket comes last.
      takeControl(&state)
      if let status = state.status { return .ended(status: status) }
      return state.isControlOpen ? .open : nil
    }
    if isSlow { onSlowLogin() }
    guard let event else { throw loss() }
    return event
  }

  func wait(toSend: Bool, orFor other: Int32, until deadline: Deadline) -> WaitResult {
    let state = state.withLock { $0 }
    guard !state.isClosed else { return .ready }
    let areStreamsOpen = state.isOutputOpen || state.isErrorOpen
    var waiting = [
      pollfd(
        fd: !areStreamsOpen && state.isControlOpen ? socket : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: state.isOutputOpen ? output : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: state.isErrorOpen ? error : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: toSend && state.isInputOpen ? input : -1, events: Int16(POLLOUT), revents: 0),
      pollfd(fd: other, events: Int16(POLLIN), revents: 0),
      pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
    ]
    guard areStreamsOpen || state.isControlOpen else { return .ready }
    while true {
      if deadline.isInterrupted { return .interrupted }
      let count = poll(&waiting, nfds_t(waiting.count), deadline.pollMilliseconds)
      if count < 0, errno != EINTR { return .passed }
      if count > 0, waiting[0...4].contains(where: { $0.revents != 0 }) { return .ready }
      if deadline.hasPassed { return .passed }
    }
  }

  /// The client closes the channel when its socket and pipes close.
  func abandon() {
    state.withLock { state in
      guard !state.isClosed else { return }
      state.isClosed = true
      if state.isInputOpen { Glibc.close(input) }
      for descriptor in [socket, output, error] { Glibc.close(descriptor) }
    }
  }

  private func loss() -> ConnectionFailure {
    // Its words come before its end.
    let words = master.lastWords()
    return ConnectionFailure(
      .connectionLost, "the ssh link is gone\(words.isEmpty ? "" : ": \(words)")")
  }

  /// Takes what the client says of the channel.
  private func takeControl(_ state: inout State) {
    guard state.isControlOpen, !state.isClosed else { return }
    var hasRead = true
    while hasRead, state.isControlOpen {
      hasRead = false
      state.isControlOpen = PipeReader.read(socket, into: &state.control, &hasRead)
    }
    while true {
      switch SSHMuxMessage.parse(state.control[...]) {
      case .incomplete: return
      case .malformed:
        state.isControlOpen = false
        return
      case .message(let message, let length):
        state.control.removeFirst(length)
        take(message, &state)
      }
    }
  }

  private func take(_ message: SSHMuxMessage, _ state: inout State) {
    switch message {
    case .hello(let version) where version != SSHMuxMessage.version:
      state.refusal = "this ssh speaks version \(version) of its control protocol, not 4"
    case .sessionOpened: state.isOpened = true
    case .permissionDenied(_, let reason), .failure(_, let reason): state.refusal = reason
    case .exit(_, let status): state.status = Int32(bitPattern: status)
    case .hello, .newSession, .other: break
    }
  }
}
