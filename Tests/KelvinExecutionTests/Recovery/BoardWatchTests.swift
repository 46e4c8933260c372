import Glibc
import KelvinConnections
import KelvinModel
import KelvinSystem
import Testing

@testable import KelvinExecution

/// A log of the form that the owner of ports writes, and shells of this machine that echo.
@Suite struct BoardWatchTests {
  /// A console's log that a test writes.
  final class Log {
    let directory: TemporaryDirectory
    private var descriptor: Int32 = -1

    init(_ text: String = "") throws {
      directory = try TemporaryDirectory()
      try begin(at: 0)
      if !text.isEmpty { try say(text) }
    }

    deinit { close(descriptor) }

    /// Begins a segment, which is named by the position of its first byte.
    func begin(at position: Int) throws {
      if descriptor >= 0 { close(descriptor) }
      let digits = String(position)
      let name = String(repeating: "0", count: 20 - digits.count) + digits
      descriptor = creat(directory.path + "/\(name).bytes", 0o600)
      try #require(descriptor >= 0)
    }

    func say(_ text: String) throws {
      try #require(write(descriptor, text, text.utf8.count) == text.utf8.count)
    }
  }

  /// An echo whose process can be frozen and killed.
  struct Echo {
    let pulse: any Pulse
    let process: Int32

    init() throws {
      let directory = try TemporaryDirectory()
      let file = directory.path + "/pid"
      let connection = ShellConnection(argv: ["sh", "-c", "echo $$ >\(file); exec sh"])
      pulse = try connection.echo(until: .after(seconds: 20))
      let text = try #require(SmallFile.text(file))
      process = try #require(Int32(text))
    }
  }

  private func watch(
    _ log: Log? = nil, _ echo: Echo? = nil, heartbeat: Double? = 1, patience: Double = 60,
    expected: Set<KernelSign.Kind> = [], port: UInt16? = nil
  ) throws -> BoardWatch {
    var options = BoardWatch.Options()
    options.heartbeat = heartbeat
    options.patience = patience
    options.expected = expected
    let choice = port.map {
      DriverChoice(
        "ssh", options: ["host": "127.0.0.1", "port": .integer(Int64($0))],
        location: SourceLocation(file: "bench.yaml"))
    }
    return try BoardWatch(
      board: "rock", consoleLog: log?.directory.path, pulse: echo?.pulse, connection: choice,
      options: options)
  }

  /// Waits as a job does: to its deadline, or until the alarm.
  private func wait(_ watch: BoardWatch, seconds: Double = 30) -> WaitResult {
    Deadline.after(seconds: seconds, interrupt: watch.alarm).wait()
  }

  private func wait(until condition: () -> Bool) throws {
    let deadline = Deadline.after(seconds: 30)
    while !condition() {
      try #require(!deadline.hasPassed, "not in time")
      usleep(2000)
    }
  }

  // MARK: The console

  @Test(.timeLimit(.minutes(1))) func aPanicCutsAWaitShort() throws {
    let log = try Log("Kernel panic - not syncing: before the watch\n")
    let watch = try watch(log)
    try log.say("[    2.0] all is well\r\n")
    #expect(!watch.alarm.isRaised)
    let begin = MonotonicTime.now
    try log.say(KernelTexts.sysrqPanic)
    #expect(wait(watch) == .interrupted)
    print("a panic raised the alarm \(Double(MonotonicTime.now - begin) / 1e6) ms after its text")
    watch.stop()
    watch.stop()
    let finding = try #require(watch.findings().first)
    #expect(watch.findings().count == 1 && finding.kind == .kernel(.panic))
    #expect(finding.message == "rock: panic: 'Kernel panic - not syncing: sysrq triggered crash'")
    #expect(finding.failure.kind == .target && finding.time > begin)
    // The whole report is there at the end.
    let report = String(decoding: try #require(finding.sign).report, as: UTF8.self)
    #expect(report.contains("Rebooting in 1 seconds.."), "\(report)")
  }

  @Test(.timeLimit(.minutes(1))) func aPanicNeedNotEndItsLineNorStayInItsSegment() throws {
    let log = try Log("before")
    let watch = try watch(log)
    try log.begin(at: 6)
    try log.say("[    2.0] Kernel panic - not syncing: cut off in the mid")
    #expect(wait(watch) == .interrupted)
    #expect(watch.findings().map(\.kind) == [.kernel(.panic)])
  }

  @Test(.timeLimit(.minutes(1))) func whatIsSeriousIsKeptAndRaisesNothing() throws {
    let log = try Log()
    let watch = try watch(log)
    try log.say(KernelTexts.outOfMemory + KernelTexts.lockups)
    try wait { watch.findings().count >= 3 }
    watch.stop()
    #expect(!watch.alarm.isRaised)
    #expect(watch.findings().map(\.kind).prefix(2) == [.kernel(.outOfMemory), .kernel(.rcuStall)])
    #expect(watch.findings().allSatisfy { $0.severity == .serious })
  }

  @Test(.timeLimit(.minutes(1))) func whatAJobDoesItselfIsNoAlarm() throws {
    let log = try Log()
    let watch = try watch(log, expected: [.reboot, .bootLoader])
    try log.say(KernelTexts.reboot + "U-Boot 2023.01 (x)\n")
    try wait { watch.findings().count == 2 }
    #expect(!watch.alarm.isRaised)
    try log.say("[    0.000000] Linux version 6.1\n")
    #expect(wait(watch) == .interrupted)
    #expect(watch.findings().map(\.severity) == [.note, .note, .fatal])
  }

  @Test(.timeLimit(.minutes(1))) func stoppingTakesWhatWasSaidUntilThen() throws {
    let log = try Log()
    let watch = try watch(log)
    try log.say("[    2.0] Oops: 0002 [#1] without an end")
    watch.stop()
    #expect(watch.findings().map(\.kind) == [.kernel(.oops)])
    #expect(watch.alarm.isRaised)
  }

  @Test(.timeLimit(.minutes(1))) func worksWhereThereIsNothingToWatch() throws {
    let watch = try watch()
    watch.stop()
    #expect(watch.findings().isEmpty && watch.signs().isEmpty && watch.beats == 0)
    let gone = try BoardWatch(board: "rock", consoleLog: "/no/such/log", pulse: nil)
    gone.stop()
    #expect(gone.findings().isEmpty)
  }

  // MARK: The heartbeat

  @Test(.timeLimit(.minutes(1))) func aBoardThatFreezesIsNoticed() throws {
    let log = try Log()
    let echo = try Echo()
    let watch = try watch(log, echo)
    try wait { watch.beats >= 2 }
    let begin = MonotonicTime.now
    kill(echo.process, SIGSTOP)
    defer { kill(echo.process, SIGKILL) }
    #expect(wait(watch) == .interrupted)
    print("a hang was known after \(Double(MonotonicTime.now - begin) / 1e9) s, period 1 s")
    let finding = try #require(watch.findings().first)
    #expect(watch.findings().count == 1 && finding.kind == .hang, "\(finding)")
    #expect(finding.message.hasPrefix("rock: hangs: nothing of it answers for "))
    #expect(finding.evidence.contains { $0.hasPrefix("its console is silent for ") }, "\(finding)")
    watch.stop()
  }

  @Test(.timeLimit(.minutes(1))) func aLinkThatGoesIsToldAtOnceAndApart() throws {
    let echo = try Echo()
    let watch = try watch(nil, echo, heartbeat: 40)
    try wait { watch.beats >= 1 }
    kill(echo.process, SIGKILL)
    #expect(wait(watch) == .interrupted)
    let finding = try #require(watch.findings().first)
    #expect(finding.kind == .linkAway && finding.failure.kind == .infrastructure, "\(finding)")
    watch.stop()
  }

  @Test(.timeLimit(.minutes(1))) func aConsoleThatSpeaksTellsThatItIsTheLink() throws {
    let log = try Log()
    let echo = try Echo()
    let watch = try watch(log, echo)
    try wait { watch.beats >= 1 }
    kill(echo.process, SIGSTOP)
    defer { kill(echo.process, SIGKILL) }
    try wait {
      try? log.say("[    9.0] still here\n")
      return watch.alarm.isRaised
    }
    #expect(watch.findings().map(\.kind) == [.linkAway])
    watch.stop()
  }

  @Test(.timeLimit(.minutes(1))) func quietAsksNothing() throws {
    let echo = try Echo()
    let watch = try watch(nil, echo, heartbeat: nil)
    kill(echo.process, SIGSTOP)
    defer { kill(echo.process, SIGKILL) }
    #expect(wait(watch, seconds: 0.5) == .passed)
    watch.stop()
    #expect(watch.beats == 0 && watch.findings().isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func stoppingDoesNotWaitForAnAnswer() throws {
    let echo = try Echo()
    let watch = try watch(nil, echo, heartbeat: 100)
    try wait { watch.beats >= 1 }
    kill(echo.process, SIGSTOP)
    defer { kill(echo.process, SIGKILL) }
    watch.stop()
    #expect(watch.findings().isEmpty && !watch.alarm.isRaised)
  }

  /// A server speaks, and the session does not answer: the board may be busy, but not for ever.
  @Test(.timeLimit(.minutes(1))) func aBusyBoardHasPatienceAndComesBack() throws {
    let server = try SpeakingServer()
    let echo = try Echo()
    let watch = try watch(nil, echo, patience: 5, port: server.port)
    try wait { watch.beats >= 1 }
    kill(echo.process, SIGSTOP)
    defer { kill(echo.process, SIGKILL) }
    try wait { !watch.findings().isEmpty }
    #expect(!watch.alarm.isRaised)
    kill(echo.process, SIGCONT)
    try wait { watch.findings().count >= 2 }
    #expect(watch.findings().map(\.severity) == [.serious, .note])
    #expect(watch.findings().allSatisfy { $0.kind == .unresponsive }, "\(watch.findings())")
    kill(echo.process, SIGSTOP)
    #expect(wait(watch) == .interrupted)
    #expect(watch.findings().map(\.severity) == [.serious, .note, .serious, .fatal])
    watch.stop()
  }

  /// A pulse serves one watch after the other.
  @Test(.timeLimit(.minutes(1))) func aPulseOutlivesItsWatch() throws {
    let echo = try Echo()
    for _ in 0..<3 {
      let watch = try watch(nil, echo)
      try wait { watch.beats >= 1 }
      watch.stop()
      #expect(watch.findings().isEmpty)
    }
    echo.pulse.close()
    let late = try watch(nil, echo)
    #expect(wait(late) == .interrupted)
    #expect(late.findings().map(\.kind) == [.linkAway])
  }

  @Test(.timeLimit(.minutes(1))) func attachesWhatTheKernelReportedToAJob() async throws {
    var bench = InstrumentBench(LocalConnection())
    bench.during = { job in
      try KernelSigns.attach([], to: job, source: "runner")
      let text = KernelTexts.outOfMemory + KernelTexts.sysrqPanic
      try KernelSigns.attach(KernelSigns(Array(text.utf8)).signs, to: job, source: "runner")
    }
    let record = try await bench.run([])
    let job = try #require(record.jobs.first)
    #expect(job.artifacts.map(\.name) == ["kernel-report.txt"])
    let text = String(decoding: try record.content(job.artifacts[0]), as: UTF8.self)
    #expect(text.hasPrefix("# serious: out of memory: 'head invoked oom-killer"), "\(text)")
    #expect(text.contains("\n\n# fatal: panic: 'Kernel panic - not syncing: sysrq"), "\(text)")
    #expect(text.contains("Rebooting in 1 seconds.."))
  }
}

/// Greets whoever connects, as ssh's server does, until the last reference to it goes.
private final class SpeakingServer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let end: Interrupt
  private let thread: NamedThread

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 8) == 0
          ? getsockname(listener, $0, &length) : -1
      }
    }
    try #require(status == 0)
    port = UInt16(bigEndian: address.sin_port)
    self.listener = listener
    let end = Interrupt()
    self.end = end
    thread = try NamedThread("speaks") {
      while Deadline(time: nil, interrupt: end).wait(for: listener) == .ready {
        let client = accept(listener, nil, nil)
        _ = send(client, "SSH-2.0-x\r\n", 11, Int32(MSG_NOSIGNAL))
        close(client)
      }
    }
  }

  deinit {
    end.raise()
    thread.join()
    close(listener)
  }
}
