internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Shells as processes of this machine.
final class LocalShellTransport: ShellTransport {
  let name: String
  let capabilities = Capabilities(
    separateStreams: true, fastSampling: false, scheduling: false, isThisMachine: true)
  private let argv: [String]
  private let launcher = ProcessLauncher(environment: [:])

  /// - Parameter argv: starts a shell that reads its script from standard input.
  init(argv: [String]) {
    self.argv = argv
    name = "shell '\(argv.joined(separator: " "))'"
  }

  func open(until deadline: Deadline) throws(ConnectionFailure) -> any ShellLink {
    LocalShellLink(try launcher.start(Command(argv, standardInput: .bytes([]))), name: name)
  }

  /// Each shell is ended by whoever opened it.
  func close() {}
}

/// A shell that is a child of this process, on three pipes.
final class LocalShellLink: ShellLink {
  private let process: LocalProcess
  private let name: String
  private let state = Mutex(State())

  private struct State {
    var isInputOpen = true
    var isOutputOpen = true
    var isErrorOpen = true
    /// Its end was seen; what it left in the pipes may still have to be read.
    var hasEnded = false
    var isAbandoned = false
  }

  init(_ process: LocalProcess, name: String) {
    self.process = process
    self.name = name
    for descriptor in [process.streams.input, process.streams.output, process.streams.error] {
      _ = kelvin_set_nonblocking(descriptor)
    }
  }

  deinit { abandon() }

  func send(_ bytes: ArraySlice<UInt8>) throws(ConnectionFailure) -> Int {
    guard state.withLock({ $0.isInputOpen && !$0.isAbandoned }) else {
      throw ConnectionFailure(.connectionLost, "\(name): the shell is gone")
    }
    while true {
      let count = bytes.withUnsafeBytes {
        write(process.streams.input, $0.baseAddress, $0.count)
      }
      if count >= 0 { return count }
      switch errno {
      case EINTR: continue
      case EAGAIN: return 0
      default:
        throw ConnectionFailure(.connectionLost, "\(name): the shell is gone: \(Errno.current)")
      }
    }
  }

  func closeInput() {
    state.withLock { state in
      guard state.isInputOpen, !state.isAbandoned else { return }
      state.isInputOpen = false
      process.streams.shutInput()
    }
  }

  func receive(into output: inout [UInt8], error: inout [UInt8]) -> ShellLinkEvent {
    state.withLock { state in
      guard !state.isAbandoned else { return .ended(status: nil) }
      var hasRead = false
      if state.isOutputOpen {
        state.isOutputOpen = PipeReader.read(process.streams.output, into: &output, &hasRead)
      }
      if state.isErrorOpen {
        state.isErrorOpen = PipeReader.read(process.streams.error, into: &error, &hasRead)
      }
      let isOpen = state.isOutputOpen || state.isErrorOpen
      return hasRead || (isOpen && !state.hasEnded) ? .open : .ended(status: nil)
    }
  }

  func wait(toSend: Bool, orFor other: Int32, until deadline: Deadline) -> WaitResult {
    let state = state.withLock { $0 }
    guard !state.isAbandoned else { return .ready }
    var waiting = [
      pollfd(
        fd: state.isOutputOpen ? process.streams.output : -1, events: Int16(POLLIN), revents: 0),
      pollfd(
        fd: state.isErrorOpen ? process.streams.error : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: process.pidfd, events: Int16(POLLIN), revents: 0),
      pollfd(
        fd: toSend && state.isInputOpen ? process.streams.input : -1, events: Int16(POLLOUT),
        revents: 0),
      pollfd(fd: other, events: Int16(POLLIN), revents: 0),
      pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
    ]
    while true {
      if deadline.isInterrupted { return .interrupted }
      let count = poll(&waiting, nfds_t(waiting.count), deadline.pollMilliseconds)
      if count < 0, errno != EINTR { return .passed }
      if count > 0, waiting[2].revents != 0 { self.state.withLock { $0.hasEnded = true } }
      if count > 0, waiting[0...4].contains(where: { $0.revents != 0 }) { return .ready }
      if deadline.hasPassed { return .passed }
    }
  }

  func abandon() {
    let isFirst = state.withLock { state in
      defer { state.isAbandoned = true }
      return !state.isAbandoned
    }
    if isFirst { process.release() }
  }
}

/// Reads pipes that do not block.
enum PipeReader {
  /// Appends what one read(2) gives, at most 64 KiB.
  ///
  /// - Returns: false at the end of the stream.
  static func read(
    _ descriptor: Int32, into bytes: inout [UInt8], _ hasRead: inout Bool
  ) -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
      while true {
        let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        if count < 0, errno == EINTR { continue }
        if count < 0 { return errno == EAGAIN }
        if count == 0 { return false }
        bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        hasRead = true
        return true
      }
    }
  }
}
