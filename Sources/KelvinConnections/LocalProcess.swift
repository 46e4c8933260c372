internal import CLinux
internal import Glibc
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// A command that runs on this machine. Waited for once, by one thread.
final class LocalProcess: RemoteProcess {
  let processID: Int32
  let startTicks: UInt64?
  let startTime: MonotonicTime
  private let command: Command
  /// Readable when the process has ended.
  let pidfd: Int32
  private let marker: String
  let streams: Streams
  private let collection = Once()
  /// Until then the group's number belongs to nobody else.
  private let isReaped = Mutex(false)

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
    guard collection.begin() else { return }
    _ = tree.end(grace: 0)
    _ = reap()
    closeAll()
  }

  /// Ends the process alone, whatever it started; idempotent. For a shell whose commands are known,
  /// and were ended or left on purpose.
  func release() { _ = collect() }

  /// Reaps the process, which is ended first when it still runs; nil when that was done before. For
  /// those who move the bytes of its streams themselves.
  func collect() -> CommandResult.Termination? {
    guard collection.begin() else { return nil }
    _ = kelvin_pidfd_send_signal(pidfd, SIGKILL)
    _ = Deadline.after(seconds: 2).wait(for: pidfd)
    defer { closeAll() }
    return reap().termination
  }

  private var tree: ProcessTree {
    ProcessTree(root: processID, marker: marker, startTicks: startTicks)
  }

  func signal(_ number: Int32) async throws(ConnectionFailure) {
    isReaped.withLock { isReaped in
      if !isReaped { kill(-processID, number) }
    }
  }

  func wait(until deadline: Deadline) async throws(ConnectionFailure) -> CommandResult {
    guard collection.begin() else {
      throw ConnectionFailure(.unsupported, "\(command.argv[0]): was waited for or ended already")
    }
    var pump = Pump(streams, command)
    defer {
      pump.finish()
      closeAll()
    }
    let stopped = pump.run(until: deadline, pidfd: pidfd)
    let endTime = MonotonicTime.now
    var ended = 0
    var survivors: Set<ProcessIdentity> = []
    if stopped != nil {
      let ending = tree.end(grace: command.grace) { pump.drain() }
      // The command itself is not counted among its descendants.
      ended = max(0, ending.count - 1)
      survivors = ending.survivors
    }
    let status = reap()
    if command.endsDescendants, stopped == nil, ProcessTree.mayHaveLeftovers(group: processID) {
      let ending = tree.end(grace: command.grace) { pump.drain() }
      ended += ending.count
      survivors = ending.survivors
    }
    pump.drain()
    let result = CommandResult(
      termination: status.termination, standardOutput: pump.output.output,
      standardError: pump.error.output, startTime: startTime, endTime: endTime,
      cpuNanoseconds: status.cpu, peakMemory: status.peak, endedDescendants: ended)
    let program = command.argv[0]
    switch stopped {
    case .interrupted:
      throw ConnectionFailure(.interrupted, "\(program): stopped", partial: result)
    case .timedOut:
      throw ConnectionFailure(
        .timedOut, "\(program): timed out, and was ended", partial: result)
    case .failed(let error):
      throw ConnectionFailure(.system(error), "\(program): poll: \(error)", partial: result)
    case .fileFailed, nil: break
    }
    if let failure = pump.output.failure ?? pump.error.failure {
      throw ConnectionFailure(failure.code, failure.message, hint: failure.hint, partial: result)
    }
    if let survivor = survivors.min(by: { $0.processID < $1.processID }) {
      throw ConnectionFailure(
        .permissionDenied,
        "\(program): left process \(survivor.processID) running, and it could not be ended",
        hint: "end it by hand, or run Kelvin as its user", partial: result)
    }
    return result
  }

  /// Never blocks: what cannot be killed is left, and shows as killed.
  private func reap() -> (termination: CommandResult.Termination, cpu: Int64?, peak: Int64?) {
    var status: Int32 = SIGKILL
    var cpu: Int64 = 0
    var peak: Int64 = 0
    // In one step with the table, so that a child that gets the id next is not taken out of it.
    let isNow = isReaped.withLock { isReaped in
      let isNow = ProcessLauncher.live.withLock { live in
        guard kelvin_reap(processID, 1, &status, &cpu, &peak) == 1 else { return false }
        live[processID] = nil
        return true
      }
      isReaped = isReaped || isNow
      return isNow
    }
    let signal = status & 0x7f
    return (
      signal == 0 ? .exited((status >> 8) & 0xff) : .signaled(signal), isNow ? cpu : nil,
      // exec(2) keeps the high-water mark of the process that spawned: what is not above this
      // process's own peak says nothing of the command.
      peak > kelvin_peak_memory() ? peak : nil
    )
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
  private var input: InputSource
  private var isInputOpen: Bool
  private var isOutputOpen: Bool
  private var isErrorOpen: Bool
  /// Most commands say little; one that fills this gets a larger one.
  private var buffer = [UInt8](repeating: 0, count: 4096)

  init(_ streams: Streams, _ command: Command) {
    self.streams = streams
    output = OutputSink(command.standardOutput)
    error = OutputSink(command.standardError)
    input = InputSource(command.standardInput)
    isInputOpen = streams.input >= 0
    isOutputOpen = streams.output >= 0
    isErrorOpen = streams.error >= 0
  }

  /// Why a process is not waited for any longer.
  enum Stop {
    case timedOut, interrupted
    /// The file that the output goes to cannot take it.
    case fileFailed
    case failed(Errno)
  }

  /// Runs until the process has ended, the deadline has passed, or the interrupt is raised.
  ///
  /// - Returns: why it ended early; nil when the process has ended.
  mutating func run(until deadline: Deadline, pidfd: Int32) -> Stop? {
    while true {
      var waiting = [
        pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOutputOpen ? streams.output : -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isErrorOpen ? streams.error : -1, events: Int16(POLLIN), revents: 0),
        // While nothing is to be written, poll(2) tells only that the reader has gone.
        pollfd(
          fd: isInputOpen ? streams.input : -1,
          events: input.awaited < 0 ? Int16(POLLOUT) : 0, revents: 0),
        pollfd(fd: deadline.interrupt?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isInputOpen ? input.awaited : -1, events: Int16(POLLIN), revents: 0)
      ]
      let count = poll(&waiting, nfds_t(waiting.count), deadline.pollMilliseconds)
      if count < 0, errno != EINTR { return .failed(.current) }
      if waiting[5].revents != 0 { input.fill() }
      if waiting[3].revents != 0 || waiting[5].revents != 0 { feed() }
      // One read for each stream and round, so that a flood cannot hold up the deadline.
      if waiting[1].revents != 0 { isOutputOpen = readOnce(streams.output, \.output) }
      if waiting[2].revents != 0 { isErrorOpen = readOnce(streams.error, \.error) }
      if waiting[0].revents != 0 { return nil }
      if deadline.isInterrupted { return .interrupted }
      if deadline.hasPassed { return .timedOut }
      // What is left would be lost anyway.
      if output.failure != nil || error.failure != nil { return .fileFailed }
    }
  }

  /// Takes what is in the pipes now, without waiting. No more than pipes can hold: a process that
  /// fills them as fast as they are read must not hold this one up.
  mutating func drain() {
    let limit: Int64 = 1 << 20
    let outputEnd = output.output.totalBytes + limit
    while isOutputOpen, output.output.totalBytes < outputEnd,
      readOnce(streams.output, \.output, untilEmpty: true)
    {}
    let errorEnd = error.output.totalBytes + limit
    while isErrorOpen, error.output.totalBytes < errorEnd,
      readOnce(streams.error, \.error, untilEmpty: true)
    {}
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
    if !input.bytes.isEmpty {
      let count = input.bytes.withUnsafeBytes { write(streams.input, $0.baseAddress, $0.count) }
      if count > 0 { input.drop(count) }
      if count < 0, errno != EAGAIN, errno != EINTR { input.end() }
    } else {
      var reader = pollfd(fd: streams.input, events: 0, revents: 0)
      if poll(&reader, 1, 0) > 0 { input.end() }
    }
    guard input.isAtEnd else { return }
    isInputOpen = false
    // The end of the input is what many programs wait for; the descriptor itself is closed later.
    streams.shutInput()
  }
}
