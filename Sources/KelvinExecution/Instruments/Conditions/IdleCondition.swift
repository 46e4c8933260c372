internal import KelvinConnections
internal import KelvinModel

/// The CPUs of a board, all together, have had little to do for a while (/proc/stat).
///
/// Kelvin's own looking costs the board something, too, most over a console.
struct IdleCondition: BoardCondition, ConditionChoice {
  /// Percent.
  let atLeast: Double
  let window: Double
  private var history: TimeWindow<ProcStat.Times>

  let subject = "CPU idle"
  let paths: [TargetPath] = ["/proc/stat"]
  let metric = (name: "delay_cpu_idle", unit: "%")
  var wanted: String { "at least \(atLeast.tenths) % over \(window) s" }

  init(atLeast: Double, window: Double) {
    self.atLeast = atLeast
    self.window = window
    history = TimeWindow(seconds: window)
  }

  func find(
    on connection: any Connection, after earlier: (any BoardCondition)?, until deadline: Deadline
  ) async throws -> any BoardCondition {
    let bytes = try await connection.read("/proc/stat", until: deadline)
    guard ProcStat(KernelText(bytes)).total != nil else {
      throw InstrumentUnavailable("/proc/stat: has no line 'cpu'")
    }
    return self
  }

  mutating func judge(
    _ contents: ArraySlice<Result<[UInt8], Errno>>, at time: MonotonicTime
  ) -> ConditionReading {
    let times: ProcStat.Times
    switch contents.first {
    case .success(let bytes)?:
      guard let total = ProcStat(KernelText(bytes)).total else {
        return ConditionReading(isMet: false, text: "/proc/stat: has no line 'cpu'")
      }
      times = total
    case .failure(let error)?:
      return ConditionReading(isMet: false, text: "/proc/stat: \(error)")
    case nil: return ConditionReading(isMet: false, text: "not read")
    }
    history.add(times, at: time)
    guard let (first, last) = history.ends,
      let shares = CPUShares(from: first.value, to: last.value)
    else { return ConditionReading(isMet: false, text: "not known yet") }
    // What a hypervisor gave to others is not idle: the board may be as busy as before.
    let idle = 100 - shares.busy - shares.steal
    return ConditionReading(isMet: idle >= atLeast, value: idle, text: "\(idle.tenths) %")
  }
}
