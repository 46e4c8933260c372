internal import KelvinConnections
internal import KelvinModel

/// The clock of a board that a shell can read, and how it lies to this machine's monotonic one.
enum StepClock: Sendable {
  /// `date +%s%N`: a process for each reading.
  case wall
  /// /proc/uptime, which every shell can read: CLOCK_BOOTTIME, cut to hundredths of a second (fs/proc/uptime.c).
  case uptime

  /// By how much a reading may be behind the moment at which it was made, in nanoseconds.
  var step: Int64 { self == .wall ? 0 : 10_000_000 }

  /// Defines kelvin_now, which leaves the time in kelvin_t.
  var script: String {
    switch self {
    case .wall: "kelvin_now() { kelvin_t=$(date +%s%N); }\n"
    case .uptime: "kelvin_now() { read -r kelvin_t kelvin_r </proc/uptime; }\n"
    }
  }

  /// A reading, in nanoseconds; nil where it is none of this clock.
  func nanoseconds(_ word: Substring) -> Int64? {
    switch self {
    case .wall:
      // Seconds alone have ten digits: '%N' is no number everywhere.
      return word.utf8.count > 15 ? Int64(word) : nil
    case .uptime:
      let parts = word.split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 2, parts[1].utf8.count == 2, let seconds = Int64(parts[0]),
        let hundredths = Int64(parts[1]), (0...4_000_000_000).contains(seconds), hundredths >= 0
      else { return nil }
      return seconds * 1_000_000_000 + hundredths * 10_000_000
    }
  }

  /// A board's clock against this machine's monotonic one: host's less board's, in nanoseconds.
  struct Offset: Sendable, Hashable {
    var low: Int64
    var high: Int64

    /// What a reading between two times of this machine tells.
    init(of reading: Int64, step: Int64, from begin: Int64, to end: Int64) {
      low = begin &- reading &- step
      high = end &- reading
    }

    /// What both tell together; nil when they contradict each other.
    func with(_ other: Offset) -> Offset? {
      var both = self
      both.low = max(low, other.low)
      both.high = min(high, other.high)
      return both.low <= both.high ? both : nil
    }

    var middle: Int64 { low &+ (high &- low) / 2 }
    /// Half of its width.
    var bound: Double { Double(high &- low) / 2 }
  }

  /// The clock that a board's shell can read, and its offset by several exchanges.
  static func find(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> (clock: StepClock, offset: Offset)? {
    for clock in [StepClock.wall, .uptime] {
      if let offset = try await clock.offset(connection, until: deadline) { return (clock, offset) }
    }
    return nil
  }

  /// By sixteen exchanges; nil where the board has not this clock, or it was set meanwhile.
  func offset(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> Offset? {
    var all: Offset?
    for _ in 0..<16 {
      let begin = MonotonicTime.now.nanoseconds
      let text = try await text(connection, until: deadline)
      let end = MonotonicTime.now.nanoseconds
      guard let word = text.split(whereSeparator: \.isWhitespace).first,
        let reading = nanoseconds(word)
      else { return nil }
      let one = Offset(of: reading, step: step, from: begin, to: end)
      if let known = all {
        guard let both = known.with(one) else { return nil }
        all = both
      } else {
        all = one
      }
    }
    return all
  }

  private func text(
    _ connection: any Connection, until deadline: Deadline
  ) async throws(ConnectionFailure) -> String {
    switch self {
    case .wall:
      guard !connection.capabilities.isThisMachine else {
        return "\(MonotonicTime.wallNanoseconds)"
      }
      let result = try await connection.execute(Command(["date", "+%s%N"]), until: deadline)
      return result.standardOutput.text
    case .uptime:
      return String(
        decoding: try await connection.read("/proc/uptime", until: deadline), as: UTF8.self)
    }
  }
}
