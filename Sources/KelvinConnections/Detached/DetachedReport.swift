internal import KelvinModel
internal import KelvinSystem

/// A moment on a board's own clocks.
package struct BoardTime: Sendable, Hashable {
  /// Seconds since boot, suspended ones included, to a hundredth (/proc/uptime, proc(5)).
  package var uptime: Double
  /// Nanoseconds since 1970 by the board's calendar; nil where its `date` knows none.
  package var wallNanoseconds: Int64?

  /// Reads `UPTIME [NANOSECONDS]`.
  init?(words: some Collection<Substring>) {
    guard let first = words.first, let uptime = Double(first), uptime.isFinite,
      (0..<4e9).contains(uptime)
    else { return nil }
    self.uptime = uptime
    // What knows no nanoseconds prints "%N", or "N", behind seconds.
    guard let word = words.dropFirst().first, let wall = Int64(word), word.utf8.count >= 18
    else { return }
    wallNanoseconds = wall
  }

  init(uptime: Double, wallNanoseconds: Int64? = nil) {
    self.uptime = uptime
    self.wallNanoseconds = wallNanoseconds
  }

  /// Nanoseconds from `earlier` to here: by the calendar, unless that was set meanwhile.
  package func since(_ earlier: BoardTime) -> Int64 {
    let coarse = Int64((uptime - earlier.uptime) * 1e9)
    guard let wall = wallNanoseconds, let before = earlier.wallNanoseconds else { return coarse }
    let (fine, isOver) = wall.subtractingReportingOverflow(before)
    // Each reading of the coarse clock is cut off at a hundredth; a process lies between the two.
    guard !isOver, abs(fine - coarse) < 50_000_000 else { return coarse }
    return fine
  }
}

/// What a board says of a command that ran detached, see ``DetachedScript/inquiry``.
struct DetachedReport: Sendable, Hashable {
  enum Link: String { case up, lost, kept }

  var begin: BoardTime?
  var end: BoardTime?
  var status: Int32?
  /// `e`, exited, `s`, signaled, `u`, unknown.
  var word = ""
  /// CPU time of the command and its waited-for children.
  var cpuNanoseconds: Int64?
  /// What became of the interface; nil: it is not over.
  var link: Link?
  /// Its time was not enough.
  var isLate = false
  var bootID = ""
  /// Field 22 of the runner's /proc/PID/stat; nil: it is gone.
  var runnerTicks: UInt64?

  /// Whether everything is written down.
  var isOver: Bool { link != nil }

  /// Reads it; lines that it does not know are left out.
  init(_ bytes: [UInt8]) {
    var times: [Int64] = []
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n").prefix(100) {
      let words = line.split(separator: " ")
      let rest = words.dropFirst()
      switch words.first {
      case "begin": begin = BoardTime(words: rest)
      case "end": end = BoardTime(words: rest)
      case "status":
        status = rest.first.flatMap { Int32($0) }
        word = rest.dropFirst().first.map(String.init) ?? ""
      case "link": link = rest.first.flatMap { Link(rawValue: String($0)) }
      case "late": isLate = true
      case "boot": bootID = rest.first.map(String.init) ?? ""
      case "runner":
        let entry = DetachedReport.entry(line.dropFirst(7))
        runnerTicks = entry?.isZombie == false ? entry?.startTicks : nil
      default:
        let values = words.compactMap(DetachedReport.cpuTime)
        if words.count == 2, values.count == 2 { times.append(values[0] + values[1]) }
      }
    }
    // times(1p): the shell's own on the first line, its children's on the second.
    if times.count == 2 { cpuNanoseconds = times[1] }
  }

  /// Reads a line of /proc/PID/stat.
  static func entry(_ stat: Substring) -> ProcessEntry? {
    Array(stat.utf8).withUnsafeBytes { ProcessEntry(processID: 0, stat: $0) }
  }

  /// Nanoseconds of `1m2.345s`, as the shells' `times` prints it.
  static func cpuTime(_ word: Substring) -> Int64? {
    let parts = word.dropLast().split(separator: "m", omittingEmptySubsequences: false)
    guard word.last == "s", parts.count == 2, let minutes = UInt32(parts[0]),
      let seconds = Double(parts[1]), (0..<61).contains(seconds)
    else { return nil }
    return Int64(minutes) * 60_000_000_000 + Int64((seconds * 1e9).rounded())
  }
}
