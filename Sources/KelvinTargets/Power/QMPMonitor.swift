internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// One conversation with QEMU's monitor: JSON, one value on a line (QEMU's docs/interop/qmp-spec).
///
/// Used by one thread; ends with the last reference.
final class QMPMonitor {
  /// A run state (QEMU's qapi/run-state.json), and what it means for a board's supply.
  struct RunState: Hashable {
    let name: String
    let power: PowerState
  }

  private let socket: ClientSocket
  /// `QEMU 7.2.22`
  private var version = "QEMU"
  private var lines = LineSplitter(limit: 1 << 20)
  /// Names each command: QEMU may give a client what it owed to the one before.
  private let session = "kelvin-\(getpid())-\(MonotonicTime.now.nanoseconds)"
  private var commands = 0

  /// Versions whose monitor has all that is used here, as far as is known.
  private static let known = 4...11
  private static let needed = ["query-status", "stop", "cont", "system_reset"]
  private static let off: Set<String> = ["prelaunch", "shutdown"]
  private static let on: Set<String> = [
    "running", "paused", "suspended", "io-error", "internal-error", "guest-panicked", "watchdog",
    "debug", "save-vm", "restore-vm", "inmigrate", "postmigrate", "finish-migrate", "colo"
  ]

  /// Connects and negotiates.
  ///
  /// - Returns: nil when the socket's file is there and nobody listens: its QEMU has ended.
  /// - Throws: when there is no such file (a wrong path must not read as off), when whoever listens is
  ///   not QEMU, or is one that lacks a command.
  static func connect(
    to path: String, warn: (String) -> Void, until deadline: Deadline
  ) throws(PowerFailure) -> QMPMonitor? {
    guard access(path, F_OK) == 0 else {
      throw PowerFailure(
        .infrastructure, "\(path): \(Errno.current)",
        hint: "is the machine started, with '-qmp unix:\(path),server=on,wait=off'?")
    }
    let descriptor: Int32
    do throws(Errno) {
      descriptor = try UnixSocket.connect(path: path, until: deadline)
    } catch {
      if error.rawValue == ECONNREFUSED { return nil }
      throw PowerFailure(error.rawValue == EAGAIN ? .noAnswer : .system(error), as: path, deadline)
    }
    return try QMPMonitor(ClientSocket(descriptor, as: path), warn, deadline)
  }

  private init(
    _ socket: ClientSocket, _ warn: (String) -> Void, _ deadline: Deadline
  ) throws(PowerFailure) {
    self.socket = socket
    var greeting: [String: Value] = [:]
    repeat {
      greeting = try nextMessage(
        deadline, hint: "does another program hold the monitor? It takes one at a time")
    } while greeting["return"] != nil || greeting["error"] != nil || greeting["event"] != nil
    guard let version = greeting["QMP"]?.map?["version"]?.map?["qemu"]?.map,
      let major = version["major"]?.integer, let minor = version["minor"]?.integer
    else {
      throw PowerFailure(
        .configuration, "\(socket.name): this is no QEMU monitor, or one of an unknown version",
        evidence: Excerpt.of(Array(Value.map(greeting).json.utf8)),
        hint: "use the socket of '-qmp', not of '-monitor' or of the guest's agent")
    }
    self.version = "QEMU \(major).\(minor)"
    try execute("qmp_capabilities", until: deadline)
    guard !Self.known.contains(Int(clamping: major)) else { return }
    // A monitor tells what it can do; that counts for more than its number.
    let commands = try execute("query-commands", until: deadline).list ?? []
    let names = Set(commands.compactMap { $0.map?["name"]?.text })
    let missing = Self.needed.filter { !names.contains($0) }
    guard missing.isEmpty else {
      throw PowerFailure(
        .configuration,
        "\(socket.name): QEMU \(major).\(minor) is not known, and its monitor lacks "
          + missing.joined(separator: ", "), hint: "use QEMU 4 to 11")
    }
    warn("\(socket.name): QEMU \(major).\(minor) is not known; tested with 7.2")
  }

  /// Runs a command; events that come meanwhile are passed over.
  @discardableResult
  func execute(_ command: String, until deadline: Deadline) throws(PowerFailure) -> Value {
    try send(command, deadline)
    while true {
      if let answer = try answer(in: try nextMessage(deadline), to: command) { return answer }
    }
  }

  /// Resets the machine, and returns when it has been.
  func reset(until deadline: Deadline) throws(PowerFailure) {
    try send("system_reset", deadline)
    var isAnswered = false
    var isReset = false
    // The answer may come before or after the event.
    while !isAnswered || !isReset {
      let message: [String: Value]
      do {
        message = try nextMessage(deadline)
      } catch {
        guard error.kind != .timeout else { throw error }
        throw PowerFailure(
          .infrastructure, "\(socket.name): QEMU ended instead of resetting",
          evidence: error.message,
          hint: "start it without -no-reboot")
      }
      if message["event"]?.text == "RESET" { isReset = true }
      if try answer(in: message, to: "system_reset") != nil { isAnswered = true }
    }
  }

  /// What QEMU says of its machine.
  func state(until deadline: Deadline) throws(PowerFailure) -> RunState {
    let answer = try execute("query-status", until: deadline)
    let status = answer.map?["status"]?.text
    switch status {
    case let name? where Self.off.contains(name): return RunState(name: name, power: .off)
    case let name? where Self.on.contains(name): return RunState(name: name, power: .on)
    default:
      throw PowerFailure(
        .infrastructure,
        "\(socket.name): \(version) says '\(status ?? "nothing")', which is not known here",
        evidence: Excerpt.of(Array(answer.json.utf8)))
    }
  }

  private func send(_ command: String, _ deadline: Deadline) throws(PowerFailure) {
    commands += 1
    let message = Value.map(["execute": .text(command), "id": .text(identity)]).json
    try socket.write(Array((message + "\n").utf8), until: deadline)
  }

  /// Of the last command sent.
  private var identity: String { "\(session)-\(commands)" }

  /// What a message answers; nil when it is an event, or answers somebody else.
  private func answer(
    in message: [String: Value], to command: String
  ) throws(PowerFailure) -> Value? {
    let isOurs = message["id"]?.text == identity
    if let value = message["return"] {
      guard isOurs else { return .none }
      return value
    }
    if let error = message["error"]?.map {
      // A message that QEMU could not read has no id to give back.
      guard isOurs || message["id"] == nil else { return nil }
      throw PowerFailure(
        .infrastructure, "\(socket.name): \(version) refused '\(command)'",
        evidence: Excerpt.of(Array((error["desc"]?.text ?? "").utf8)))
    }
    guard message["event"] != nil else {
      throw PowerFailure(
        .infrastructure, "\(socket.name): not a message of QEMU's",
        evidence: Excerpt.of(Array(Value.map(message).json.utf8)))
    }
    return nil
  }

  private func nextMessage(
    _ deadline: Deadline, hint: String = ""
  ) throws(PowerFailure) -> [String: Value] {
    while true {
      if let line = lines.next() {
        guard case .map(let message)? = Value(json: String(decoding: line, as: UTF8.self)) else {
          throw PowerFailure(
            .infrastructure, "\(socket.name): not a message of QEMU's", evidence: Excerpt.of(line),
            hint: "use the socket of '-qmp', not of '-monitor'")
        }
        return message
      }
      let bytes: [UInt8]
      do { bytes = try socket.read(until: deadline) } catch {
        throw hint.isEmpty || error.kind != .timeout
          ? error : PowerFailure(error.kind, error.message, hint: hint)
      }
      guard !bytes.isEmpty, lines.append(bytes) else {
        throw PowerFailure(
          .infrastructure,
          "\(socket.name): " + (bytes.isEmpty ? "QEMU closed the monitor" : "a line without an end")
        )
      }
    }
  }
}

/// Cuts a stream into lines of bounded length.
struct LineSplitter {
  private var pending: [UInt8] = []
  private let limit: Int

  /// - Parameter limit: how long a line may be.
  init(limit: Int) { self.limit = limit }

  /// Takes more; false when a line exceeds the limit.
  mutating func append(_ bytes: [UInt8]) -> Bool {
    pending += bytes
    return pending.count <= limit || pending.prefix(limit).contains(10)
  }

  /// The next whole line without its end; empty ones are passed over.
  mutating func next() -> [UInt8]? {
    while let end = pending.firstIndex(of: 10) {
      let line = pending[..<end].last == 13 ? pending[..<(end - 1)] : pending[..<end]
      let copy = Array(line)
      pending.removeSubrange(...end)
      if !copy.isEmpty { return copy }
    }
    return nil
  }
}
