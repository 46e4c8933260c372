internal import CLinux
internal import Glibc
package import KelvinModel
internal import KelvinSystem

/// Starts the owner's process so that it outlives whoever started it.
///
/// The program is run as `PROGRAM bench owner --detach ...`; that process starts the owner itself, in
/// a session of its own, and ends. Of several starters at a time all find the one owner
/// (``OwnerSeat``).
package struct OwnerStarter: Sendable {
  /// The kelvin executable.
  package var program: String
  /// More options of `kelvin bench owner`.
  package var options: [String]

  /// Creates a starter.
  package init(program: String, options: [String] = []) {
    self.program = program
    self.options = options
  }

  /// This very program; a `kelvin` beside it goes before one of another name, which may be no
  /// command line of Kelvin's at all: a test bundle, say.
  package static var standard: OwnerStarter { OwnerStarter(program: ownProgram) }

  /// The file of this program; when that was replaced meanwhile, the kernel's own handle on it.
  private static var ownProgram: String {
    let handle = "/proc/self/exe"
    guard let path = SmallFile.realPath(handle), access(path, X_OK) == 0 else { return handle }
    let directory = path.prefix(through: path.lastIndex(of: "/") ?? path.startIndex)
    let beside = directory + "kelvin"
    return access(String(beside), X_OK) == 0 ? String(beside) : path
  }

  /// Starts an owner, or finds that there is one: returns when it listens.
  package func start(_ places: OwnerPlaces, until deadline: Deadline) throws(OwnerFailure) {
    var ends: [Int32] = [-1, -1]
    guard kelvin_pipe(&ends) == 0 else {
      throw OwnerFailure(.system, "the owner of ports cannot be started: \(Errno.current)")
    }
    defer { close(ends[0]) }
    let processID: Int32
    do {
      defer { close(ends[1]) }
      processID = try OwnerStarter.spawn(
        program, ["bench", "owner", "--detach"] + places.arguments + options, output: ends[1])
    }
    let line = try OwnerStarter.readLine(ends[0], until: deadline)
    var status: Int32 = 0
    var time: Int64 = 0
    var memory: Int64 = 0
    _ = kelvin_reap(processID, 0, &status, &time, &memory)
    if line == OwnerStarter.ready { return }
    if case .map(let refusal)? = Value(json: line) { throw OwnerFailure(refusal: refusal) }
    throw OwnerFailure(
      .notRunning, "the owner of ports could not be started", evidence: line.isEmpty ? "" : line,
      hint: "\(places.logPath) may say why")
  }

  /// What an owner writes when it, or another, listens.
  static let ready = "ready"

  private static func readLine(
    _ descriptor: Int32, until deadline: Deadline
  ) throws(OwnerFailure) -> String {
    var line: [UInt8] = []
    while !line.contains(10), line.count < 16_384 {
      switch deadline.wait(for: descriptor) {
      case .ready: break
      case .passed: throw OwnerFailure(.timeout, "the owner of ports does not get ready")
      case .interrupted: throw OwnerFailure(.interrupted, "interrupted")
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(descriptor, &buffer, buffer.count)
      if count > 0 {
        line += buffer[..<count]
      } else if count == 0 {
        break
      }
    }
    return String(decoding: line.prefix { $0 != 10 }, as: UTF8.self)
  }

  /// Starts a process in a session of its own that no run counts among its own.
  ///
  /// A run ends what carries its KELVIN_RUN, and adopted strangers without KELVIN_COMMAND: the owner
  /// belongs to no run, and says so.
  static func spawn(
    _ program: String, _ arguments: [String], output: Int32
  ) throws(OwnerFailure) -> Int32 {
    var variables = ["KELVIN_COMMAND=owner"]
    var entry = kelvin_environment()
    while let variable = entry?.pointee {
      let text = String(cString: variable)
      if !text.hasPrefix("KELVIN_RUN="), !text.hasPrefix("KELVIN_COMMAND=") {
        variables.append(text)
      }
      entry = entry?.successor()
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) }
    words.append(nil)
    environment.append(nil)
    defer {
      for pointer in words { free(pointer) }
      for pointer in environment { free(pointer) }
    }
    var processID: pid_t = 0
    let status = kelvin_spawn(program, words, environment, "/", -1, output, -1, &processID)
    guard status == 0 else {
      throw OwnerFailure(
        .notRunning, "\(program): the owner of ports cannot be started: \(Errno(status))")
    }
    return processID
  }
}

extension OwnerPlaces {
  /// The options of `kelvin bench owner` that name them.
  var arguments: [String] {
    ["--runtime-directory", runtimeDirectory, "--state-directory", stateDirectory]
  }
}
