public import KelvinConnections
internal import KelvinDevices
public import KelvinModel
internal import KelvinSystem
internal import Synchronization

/// Watches a board while a job runs: what its console says, and whether it still answers.
///
/// Raises an interrupt when the job cannot come to a good end any more, so that whoever waits for it
/// need not wait for its deadline; everything that was found is there to be asked for, by any thread.
/// Two threads of its own, each only where there is something for it to do; between two events neither
/// costs anything. Nothing is sent on a watched console.
///
/// Ended by ``stop()``, or by its last reference.
public final class BoardWatch: Sendable {
  /// What is watched, and how.
  public struct Options: Sendable {
    /// Seconds within which a board that hangs is noticed: it is asked twice in that time. Nil: it is
    /// not asked (quiet), and only its console is watched.
    public var heartbeat: Double? = 10
    /// Seconds for which programs may be silent while the kernel answers. A board may be that busy.
    public var patience: Double = 60
    /// What the job does by itself, such as to reboot: kept, and no reason for an alarm.
    public var expected: Set<KernelSign.Kind> = []
    /// So many starts of its boot loader or its kernel are a boot loop, and a reason for an alarm; nil: they
    /// are not counted.
    public var loopStarts: Int?

    /// The defaults.
    public init() {}
  }

  /// Raised at the first finding that is fatal.
  public let alarm: Interrupt
  private let state: WatchState
  private let threads: Mutex<[NamedThread]>

  /// Begins to watch.
  ///
  /// - Parameters:
  ///   - board: what findings call it.
  ///   - consoleLog: where the owner of ports keeps what its console says; followed from its present
  ///     end. Nil: no console is watched.
  ///   - pulse: the connection's; nil: nothing is asked. It stays the caller's, and may serve a board's
  ///     watches one after the other; nobody else uses it until this one is stopped.
  ///   - choice: the connection's in the bench file, by which the board's network is asked when it is
  ///     suspected.
  ///   - alarm: raised instead of an interrupt of its own, for a caller whose waits have one already.
  /// - Throws: when the machine has no thread left.
  public init(
    board: String, consoleLog: String?, pulse: (any Pulse)?, connection choice: DriverChoice? = nil,
    options: Options = Options(), alarm: Interrupt = Interrupt()
  ) throws(PlainFailure) {
    self.alarm = alarm
    let state = WatchState(board: board, alarm: alarm, options: options)
    self.state = state
    threads = Mutex([])
    if let consoleLog {
      // From here on, not from when the thread gets to it.
      let begin = ConsoleLogReader(directory: consoleLog).extent.end
      state.consoleSpoke(at: .now)
      add(
        try NamedThread("kelvin-console") {
          ConsoleWatch(directory: consoleLog, from: begin, state: state).run()
        })
    }
    if let pulse, let period = options.heartbeat {
      let heartbeat = Heartbeat(
        pulse, period: period, patience: options.patience,
        link: choice.flatMap { LinkQuestion($0) },
        state: state)
      add(try NamedThread("kelvin-pulse") { heartbeat.run() })
    }
  }

  deinit { stop() }

  /// What was found so far, in the order in which it was known; reports as far as they have come.
  public func findings() -> [Finding] { state.findings }

  /// What the console's kernel said since the watch began, whole reports included.
  public func signs() -> [KernelSign] { state.signs.signs }

  /// Adds what somebody else has found; a fatal one raises the alarm.
  func add(_ finding: Finding) { state.add(finding) }

  /// How often the board has answered.
  public var beats: Int { state.beats }

  /// Ends the watch, with what the console has said until now. Idempotent; findings stay.
  public func stop() {
    state.end.raise()
    for thread in threads.withLock({ threads in
      defer { threads = [] }
      return threads
    }) {
      thread.join()
    }
  }

  private func add(_ thread: NamedThread) { threads.withLock { $0.append(thread) } }
}

/// What both threads of a watch know.
final class WatchState: Sendable {
  let board: String
  /// Raised when the watch is to end.
  let end = Interrupt()
  private let alarm: Interrupt
  private let expected: Set<KernelSign.Kind>
  private let loopStarts: Int?

  private struct Known {
    var findings: [Finding] = []
    /// Of each finding: which of the signs it is of.
    var places: [Int?] = []
    var signs = KernelSigns()
    var beats = 0
    var spoke: MonotonicTime?
    var boots = BootCount()
    var isLooping = false
  }
  private let known = Mutex(Known())
  private static let limit = 256

  init(board: String, alarm: Interrupt, options: BoardWatch.Options = BoardWatch.Options()) {
    self.board = board
    self.alarm = alarm
    expected = options.expected
    loopStarts = options.loopStarts
  }

  var signs: KernelSigns { known.withLock { $0.signs } }
  var beats: Int { known.withLock { $0.beats } }
  var findings: [Finding] {
    known.withLock { known in
      zip(known.findings, known.places).map { finding, place in
        var finding = finding
        if let place { finding.sign = known.signs.signs[place] }
        return finding
      }
    }
  }
  /// When the console spoke last; nil where none is watched.
  var spoke: MonotonicTime? { known.withLock { $0.spoke } }

  func consoleSpoke(at time: MonotonicTime) { known.withLock { $0.spoke = time } }
  func hasAnswered() { known.withLock { $0.beats += 1 } }

  /// Has the console's text scanned, and tells what is new in it.
  func scan(_ body: (inout KernelSigns) -> Void) {
    let isFatal = known.withLock { known in
      let before = known.signs.signs.count
      body(&known.signs)
      let new = known.signs.signs[before...].map { sign in
        Finding(sign, board: board, severity: expected.contains(sign.kind) ? .note : nil)
      }
      known.findings += new
      known.places += (before..<known.signs.signs.count).map { $0 }
      return new.contains { $0.severity == .fatal }
    }
    if isFatal { alarm.raiseAsLoss() }
  }

  /// Counts the starts of a boot loader and of a kernel in what the console said.
  func countBoots(_ bytes: [UInt8]) {
    guard let loopStarts else { return }
    let found = known.withLock { known -> (line: String, count: Int)? in
      known.boots.take(bytes)
      guard !known.isLooping, let most = known.boots.most, most.count >= loopStarts else {
        return nil
      }
      known.isLooping = true
      return most
    }
    guard let found else { return }
    add(
      Finding(
        .bootLoop, .fatal,
        "\(board): boots in a loop: its console said '\(found.line)' "
          + "\(found.count) times"))
  }

  func add(_ finding: Finding) {
    known.withLock { known in
      guard known.findings.count < WatchState.limit || finding.severity == .fatal else { return }
      known.findings.append(finding)
      known.places.append(nil)
    }
    if finding.severity == .fatal { alarm.raiseAsLoss() }
  }
}
