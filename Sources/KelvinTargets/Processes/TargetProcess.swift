internal import KelvinModel

/// A process of a target, as /proc tells of it.
public struct TargetProcess: Sendable, Hashable {
  public let processID: Int32
  public let parentID: Int32
  /// Field 22 of /proc/PID/stat: with the process id it names the process for this boot.
  public let startTicks: UInt64
  public let userID: UInt32
  /// The user's name where the target tells it, else the number.
  public var user: String
  /// What the kernel calls it: at most 15 bytes, and whatever the process has made of them.
  public let name: String
  /// Arguments; empty for threads of the kernel and for what has ended.
  public let arguments: [String]
  /// As `ps` has it: R, S, D, T, Z, I ...
  public let state: Character
  /// Bytes in memory; 0 for threads of the kernel.
  public let residentBytes: Int64

  /// What the process was started as: an argument vector on one line, or its name in brackets.
  public var commandLine: String {
    arguments.isEmpty ? "[\(name)]" : ShellWords.join(arguments)
  }

  /// Whether it has ended, and only its parent has not taken note.
  public var hasEnded: Bool { state == "Z" || state == "X" }

  /// Reads one process from its files.
  ///
  /// Source: proc_pid_stat(5), proc_pid_status(5), proc_pid_cmdline(5). In `stat` the name stands in
  /// parentheses as it is; its end is the last parenthesis. In `status` line ends of it are escaped.
  ///
  /// - Returns: nil when the files are cut or are those of something else.
  public init?(stat: [UInt8], status: [UInt8], commandLine: [UInt8]) {
    guard let open = stat.firstIndex(of: UInt8(ascii: "(")),
      let close = stat.lastIndex(of: UInt8(ascii: ")")), open < close,
      stat.last == UInt8(ascii: "\n"),
      let id = Int32(String(decoding: stat[..<open], as: UTF8.self).trimmingASCIIWhitespace)
    else { return nil }
    let fields = stat[(close + 1)...].split(separator: UInt8(ascii: " ")).map {
      String(decoding: $0, as: UTF8.self)
    }
    guard fields.count >= 20, let state = fields[0].first, fields[0].count == 1,
      let parent = Int32(fields[1]), let ticks = UInt64(fields[19]), id > 0
    else { return nil }
    var numbers: (user: UInt32, resident: Int64)?
    var values: [Substring: Substring] = [:]
    for line in String(decoding: status, as: UTF8.self).split(separator: "\n") {
      guard let colon = line.firstIndex(of: ":") else { continue }
      let name = line[..<colon]
      guard name == "Uid" || name == "VmRSS" || name == "Pid" else { continue }
      values[name] = line[line.index(after: colon)...].split(whereSeparator: \.isWhitespace).first
    }
    // Another process may have got the number in between.
    if let user = values["Uid"].flatMap({ UInt32($0) }), values["Pid"].flatMap({ Int32($0) }) == id
    {
      let kilobytes = values["VmRSS"].flatMap { Int64($0) } ?? 0
      let (bytes, overflow) = kilobytes.multipliedReportingOverflow(by: 1024)
      numbers = (user, overflow || bytes < 0 ? 0 : bytes)
    }
    guard let numbers else { return nil }
    processID = id
    parentID = parent
    startTicks = ticks
    userID = numbers.user
    user = String(numbers.user)
    name = String(decoding: stat[(open + 1)..<close], as: UTF8.self)
    self.state = state
    residentBytes = numbers.resident
    arguments = TargetProcess.arguments(commandLine)
  }

  /// Words that end with NUL each. A process that writes a title over them, as daemons do, leaves one
  /// text and any number of NULs behind it.
  private static func arguments(_ bytes: [UInt8]) -> [String] {
    var rest = bytes[...]
    while rest.last == 0 { rest = rest.dropLast() }
    guard !rest.isEmpty else { return [] }
    if rest.contains(0) {
      rest = bytes[...]
      if rest.last == 0 { rest = rest.dropLast() }
    }
    return rest.split(separator: 0, omittingEmptySubsequences: false).map {
      String(decoding: $0, as: UTF8.self)
    }
  }
}
