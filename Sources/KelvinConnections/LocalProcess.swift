internal import CLinux
internal import Glibc
internal import KelvinModel
internal import Synchronization

/// A command that runs on this machine. Waited for once, by one thread.
final class LocalProcess: RemoteProcess {
  let processID: Int32
  let startTicks: UInt64?
  let startTime: MonotonicTime
  private let command: Command
  private let pidfd: Int32
  private let marker: String
  let streams: Streams
  private let isCollected = Mutex(false)

  init(
    command: Command, processID: Int32, pidfd: Int32, marker: String, startTime: MonotonicTime,
    streams: Streams
  ) {
    self.command = command
    self.processID = processID
    self.pidfd = pidfd
    self.marker = marker
    self.startTime = startTime
    self.streams = streams
    startTicks = ProcessEntry(processID: processID)?.startTicks
  }

  /// A process that nobody waited for is ended: nothing is left running unseen.
  deinit { abandon() }

  /// Ends the whole tree at once; idempotent, and nothing after ``wait(until:)``.
  func abandon() {
    let isFirst = isCollected.withLock { isCollected in
      defer { isCollected = true }
      return !isCollected
    }
    guard isFirst else { return }
    _ = ProcessTree(root: processID, marker: marker, startTicks: startTicks).end(grace: 0)
    _ = reap(noHang: false)
    closeAll()
  }

  func signal(_ number: Int32) async throws(ConnectionFailure) {
    // Until it is reaped, the group's number belongs to nobody else.
    guard !isCollected.withLock({ $0 }) else { return }
    kill(-processID, number)
  }

  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult {
    let isFirst = isCollected.withLock { isCollected in
      defer { isCollected = true }
      return !isCollected
    }
    guard isFirst else {
      throw ConnectionFailure(.unsupported, "\(command.argv[0]): was waited for already")
    }
    var pump = Pump(streams, command)
    defer {
      pump.finish()
      closeAll()
    }
    let stopped = pump.run(until: deadline, pidfd: pidfd)
    let endTime = MonotonicTime.now
    var ended = 0
    if stopped != nil {
      // The command itself is not counted among its descendants.
      ended = max(
        0,
        ProcessTree(root: processID, marker: marker, startTicks: startTicks).end(
          grace: command.grace
        ) {
          pump.drain()
        } - 1)
    }
    let status = reap(noHang: false)
    if command.endsDescendants, stopped == nil, ProcessTree.mayHaveLeftovers(group: processID) {
      ended += ProcessTree(root: processID, marker: marker, startTicks: startTicks).end(
        grace: command.grace
      ) {
        pump.drain()
      }
    }
    pump.drain()
    let result = CommandResult(
      termination: status.termination, standardOutput: pump.output.output,
      standardError: pump.error.output, startTime: startTime, endTime: endTime,
      cpuNanoseconds: status.cpu, peakMemory: status.peak, endedDescendants: ended)
    if let stopped {
      throw ConnectionFailure(
        stopped,
        stopped == .interrupted
          ? "\(command.argv[0]): stopped" : "\(command.argv[0]): timed out, and was ended",
        partial: result)
    }
    if let failure = pump.output.failure ?? pump.error.failure {
      throw ConnectionFailure(failure.code, failure.message, hint: failure.hint, partial: result)
    }
    return result
  }

  private func reap(
    noHang: Bool
  ) -> (termination: CommandResult.Termination, cpu: Int64, peak: Int64) {
    var status: Int32 = 0
    var cpu: Int64 = 0
    var peak: Int64 = 0
    _ = kelvin_reap(processID, noHang ? 1 : 0, &status, &cpu, &peak)
    ProcessLauncher.live.withLock { $0[processID] = nil }
    let signal = status & 0x7f
    return (signal == 0 ? .exited((status >> 8) & 0xff) : .signaled(signal), cpu, peak)
  }

  private func closeAll() {
    streams.closeOwnEnds()
    close(pidfd)
  }
}

/// Moves the bytes of a process's streams while it runs.
struct Pump {
  private(set) var output: OutputSink
  private(set) var error: OutputSink
  private let streams: Streams
  private var input: ArraySlice<UInt8>
  private var isInputOpen: Bool
  private var isOutputOpen: Bool
  private var isErrorOpen: Bool
  /// Most commands say little; one that fills this gets a larger one.
  private var buffer = [UInt8](repeating: 0, count: 4096)

  init(_ streams: Streams, _ command: Command) {
    self.streams = streams
    output = OutputSink(command.standardOutput)
    error = OutputSink(command.standardError)
    if case .bytes(let bytes) = command.standardInput { input = bytes[...] } else { input = [] }
    isInputOpen = streams.input >= 0
    isOutputOpen = streams.output >= 0
    isErrorOpen = streams.error >= 0
  }

  /// Runs until the process has ended, the deadline has passed, or the interrupt is raised.
  ///
  /// - Returns: why it ended early; nil when the process has ended.
  mutating func run(until deadline: Deadline, pidfd: Int32) -> ConnectionFailure.Code? {
    while true {
      var waiting = [
        pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOutputOpen ? streams.output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isErrorOpen ? streams.error : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isInputOpen ? streams.input : -1, events: Int16(POLLOUT), revents: 0),
        pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
      ]
      let count = poll(&waiting, nfds_t(waiting.count), deadline.pollMilliseconds)
      if count < 0, errno != EINTR { return .system(.current) }
      if waiting[3].revents != 0 { feed() }
      // One read for each stream and round, so that a flood cannot hold up the deadline.
      if waiting[1].revents != 0 { isOutputOpen = readOnce(streams.output, \.output) }
      if waiting[2].revents != 0 { isErrorOpen = readOnce(streams.error, \.error) }
      if waiting[0].revents != 0 { return nil }
      if deadline.isInterrupted { return .interrupted }
      if deadline.hasPassed { return .timedOut }
      // The file that the output goes to cannot take it: what is left would be lost anyway.
      if let failure = output.failure ?? error.failure { return failure.code }
    }
  }

  /// Takes what is in the pipes now, without waiting.
  mutating func drain() {
    while isOutputOpen, readOnce(streams.output, \.output, untilEmpty: true) {}
    while isErrorOpen, readOnce(streams.error, \.error, untilEmpty: true) {}
  }

  mutating func finish() {
    output.finish()
    error.finish()
  }

  /// - Returns: false at the end of the stream; with `untilEmpty` also when there is nothing now.
  private mutating func readOnce(
    _ descriptor: Int32, _ sink: WritableKeyPath<Pump, OutputSink>, untilEmpty: Bool = false
  ) -> Bool {
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        return errno == EAGAIN && !untilEmpty
      }
      if count == 0 { return false }
      buffer.withUnsafeBytes { bytes in
        self[keyPath: sink].take(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      }
      if count == buffer.count, count < 65_536 { buffer = [UInt8](repeating: 0, count: 65_536) }
      return true
    }
  }

  private mutating func feed() {
    let count = input.withUnsafeBytes { write(streams.input, $0.baseAddress, $0.count) }
    if count > 0 { input = input.dropFirst(count) }
    let isBroken = count < 0 && errno != EAGAIN && errno != EINTR
    guard input.isEmpty || isBroken else { return }
    isInputOpen = false
    // The end of the input is what many programs wait for; the descriptor itself is closed later.
    shutInput()
  }

  private func shutInput() {
    let null = kelvin_open("/dev/null", O_WRONLY | O_CLOEXEC, 0)
    guard null >= 0 else { return }
    dup2(null, streams.input)
    _ = fcntl(streams.input, F_SETFD, FD_CLOEXEC)
    close(null)
  }
}
