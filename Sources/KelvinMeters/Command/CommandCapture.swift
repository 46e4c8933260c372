internal import CLinux
internal import Glibc
internal import KelvinConnections
internal import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// One run of a program that measures.
final class CommandCapture: Sendable {
  /// Raised when a line has been read.
  let hasBegun = Interrupt()
  /// Raised when all is read and the program has ended.
  let isOver = Interrupt()
  private let kill = Interrupt()
  private let process: any RemoteProcess
  private let options: ProgramPlan
  private let state = Mutex(State())
  private let thread = Mutex<NamedThread?>(nil)

  private struct State {
    var isStopping = false
    var wasKilled = false
    var ending: Result<CommandResult, ConnectionFailure>?
    var summary = CaptureSummary(samples: [])
  }

  private static let kept = 64 << 10

  init(
    _ options: ProgramPlan, name: String, through connection: any Connection,
    reader: any ProgramReader, into sink: any BlockSink, until deadline: Deadline
  ) async throws(MeterFailure) {
    self.options = options
    guard !connection.capabilities.keepsOutput else {
      throw MeterFailure(
        .unsupported,
        "\(name): \(connection.name) hands over what a program prints at its end only",
        hint: "use ssh or adb, or 'on: host'")
    }
    var ends: [Int32] = [-1, -1]
    guard kelvin_pipe(&ends) == 0 else {
      throw MeterFailure(.malfunction, "\(name): no pipe: \(Errno.current)")
    }
    let (input, output) = (ends[0], ends[1])
    do throws(ConnectionFailure) {
      process = try await connection.start(
        Command(
          options.argv, standardOutput: .descriptor(output),
          standardError: .capture(limit: Self.kept), grace: options.grace), until: deadline)
    } catch {
      close(input)
      close(output)
      let isMissing = error.code == .notFound
      throw MeterFailure(
        isMissing ? .notFound : .connection, "\(name): \(error.message)",
        evidence: error.evidence, hint: error.hint)
    }
    Task.detached(executorPreference: BlockingThreads("kelvin-program")) { [self] in
      let ending: Result<CommandResult, ConnectionFailure>
      do throws(ConnectionFailure) {
        ending = .success(try await process.wait(until: Deadline(time: nil, interrupt: kill)))
      } catch {
        ending = .failure(error)
      }
      state.withLock { $0.ending = ending }
      // All that it printed is in the pipe by now.
      close(output)
    }
    do throws(PlainFailure) {
      let thread = try NamedThread("kelvin-lines") { [self] in
        let summary = read(from: input, name, reader, sink)
        close(input)
        state.withLock { $0.summary = summary }
        isOver.raise()
      }
      self.thread.withLock { $0 = thread }
    } catch {
      kill.raise()
      close(input)
      throw MeterFailure(.malfunction, "\(name): \(error.message)")
    }
  }

  /// Asks the program to end, ends it where it does not, and gives what was counted. Idempotent.
  func stop() async -> CaptureSummary {
    state.withLock { $0.isStopping = true }
    if !isOver.isRaised {
      try? await process.signal(options.stop)
      _ = Deadline.after(seconds: options.grace, interrupt: isOver).wait()
    }
    if !isOver.isRaised {
      state.withLock { $0.wasKilled = true }
      kill.raise()
      _ = Deadline.after(seconds: options.grace + 10, interrupt: isOver).wait()
    }
    thread.take()?.join()
    return state.withLock { $0.summary }
  }

  /// Ends the program at once, without waiting for it.
  func abandon() { kill.raise() }

  /// Reads to the end, on the reader's thread.
  private func read(
    from input: Int32, _ name: String, _ reader: any ProgramReader, _ sink: any BlockSink
  ) -> CaptureSummary {
    var stream = reader
    var failure: MeterFailure?
    var buffer = [UInt8](repeating: 0, count: 65_536)
    var patience = Deadline.after(seconds: options.patience)
    var seen: Int64 = 0
    var suspends = HostSuspends()
    while true {
      var waiting = pollfd(fd: input, events: Int16(POLLIN), revents: 0)
      let ready = poll(&waiting, 1, patience.pollMilliseconds)
      if ready < 0, errno == EINTR { continue }
      if ready == 0 {
        if failure == nil, !state.withLock({ $0.isStopping }) {
          failure = MeterFailure(
            .timedOut, "\(name): no line that can be read for \(options.patience) s",
            hint: "does it flush what it prints? 'patience' allows for more")
          kill.raise()
        }
        // Its end is still to come.
        patience = .after(seconds: 3600)
        continue
      }
      let count = Glibc.read(input, &buffer, buffer.count)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count > 0 else { break }
      guard failure == nil else { continue }
      let arrival = MonotonicTime.now.nanoseconds
      suspends.look(at: arrival, latest: stream.latest, sink)
      stream.take(buffer.span.extracting(0..<count), arrival: arrival)
      let now = stream.samples.reduce(0, +)
      if now > seen {
        if seen == 0 { hasBegun.raise() }
        seen = now
        patience = .after(seconds: options.patience)
      }
      if let broken = stream.failure {
        failure = broken
        kill.raise()
      }
    }
    let clock = stream.latest == nil ? stream.finish() : suspends.doubt(stream.finish())
    return summary(stream, clock, failure, name)
  }

  private func summary(
    _ stream: any ProgramReader, _ clock: ClockFit, _ failure: MeterFailure?, _ name: String
  ) -> CaptureSummary {
    let (isStopping, wasKilled, ending) = state.withLock {
      ($0.isStopping, $0.wasKilled, $0.ending)
    }
    let result: CommandResult? =
      switch ending {
      case .success(let result): result
      case .failure(let failure): failure.partial
      case nil: nil
      }
    var counts: [String: Value] = [:]
    let said = result?.standardError.text ?? ""
    if !said.isEmpty { counts["stderr"] = .text(said) }
    if wasKilled { counts["killed"] = .boolean(true) }
    if let cpu = result?.cpuNanoseconds { counts["program cpu"] = .integer(cpu) }
    var summary = CaptureSummary(
      samples: stream.samples, lost: stream.lost,
      witnesses: stream.witnesses, clock: clock, hostCPU: kelvin_cpu_time(1),
      counts: counts, failure: failure)
    guard failure == nil, !isStopping else {
      if var failure, failure.evidence.isEmpty, !said.isEmpty {
        failure = MeterFailure(
          failure.code, failure.message, evidence: Self.tail(said), hint: failure.hint)
        summary.failure = failure
      }
      return summary
    }
    switch ending {
    case .failure(let failure): summary.failure = MeterFailure(failure, of: name)
    case .success(let result):
      let how =
        switch result.termination {
        case .exited(let code): "with exit code \(code)"
        case .signaled(let signal): "by signal \(signal)"
        }
      summary.failure = MeterFailure(
        .gone, "\(name): the program ended by itself, \(how)", evidence: Self.tail(said),
        hint: "run '\(options.argv.joined(separator: " "))' by hand; "
          + "what it printed until then is kept")
    case nil: break
    }
    return summary
  }

  /// The last lines of what a program said.
  static func tail(_ text: String) -> String {
    text.split(separator: "\n").suffix(4).joined(separator: "\n")
  }
}
