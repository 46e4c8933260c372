internal import Foundation
internal import Glibc
internal import KelvinDevices
internal import KelvinModel
internal import KelvinSystem

/// The console of a run's board: held by the owner of ports while the run goes on, and copied into
/// `console.log` of the run directory at the end of each life.
///
/// The owner's log goes on when the run is killed, and `console.json` says from where it has not been
/// copied yet, so that a resumed run misses nothing that the board said in between. A console that
/// cannot be held is worth a warning: the run does not depend on it.
struct RunConsole {
  let name: String
  let directory: String
  /// The owner's.
  let logDirectory: String

  /// Which console, and at which rate when its bench file names none.
  struct Choice: Sendable {
    let choice: DriverChoice
    let baud: UInt32?
  }

  /// Has the console held.
  ///
  /// - Parameter directory: the run's.
  /// - Returns: nil, after a warning, when it cannot be held.
  static func begin(
    _ name: String, _ choice: Choice, directory: String, places: OwnerPlaces = .standard,
    interrupt: Interrupt
  ) -> RunConsole? {
    let deadline = Deadline.after(seconds: 15, interrupt: interrupt)
    do {
      let client = try Owner.Client.connect(to: places, as: "kelvin run", until: deadline)
      let status = try client.open(
        console: name, choice.choice, baud: choice.baud, until: deadline)
      let console = RunConsole(
        name: name, directory: directory, logDirectory: places.consoleDirectory(name))
      if console.position == nil { try console.write(position: status.end) }
      if case .lost(let reason) = status.state { warn(name, reason) }
      return console
    } catch {
      warn(name, "\(PlainFailure(error))")
      return nil
    }
  }

  /// Copies what the console said since the last copy.
  func end() {
    guard let start = position else { return }
    let reader = ConsoleLogReader(directory: logDirectory)
    let path = directory + "/console.log"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return RunConsole.warn(name, "\(path): \(Errno.current)") }
    defer { close(descriptor) }
    var position = start
    // Only what is there now: a console that never stops must not keep the run from ending.
    let end = reader.extent.end
    while position < end {
      let piece = reader.read(at: position, limit: Int(min(1 << 20, end - position)))
      if piece.bytes.isEmpty { break }
      if piece.position > position {
        let note = "\n[kelvin: \(piece.position - position) bytes are no longer kept]\n"
        guard RunConsole.append(Array(note.utf8), to: descriptor) else { break }
      }
      guard RunConsole.append(piece.bytes, to: descriptor) else { break }
      position = piece.end
    }
    do { try write(position: position) } catch { RunConsole.warn(name, "\(error)") }
    if position < end { RunConsole.warn(name, "not all of its log could be copied to \(path)") }
  }

  /// Sends the kernel's SysRq over a console that is held: a break, and then a key, for each.
  ///
  /// - Throws: `OwnerFailure`: it is not held, has no break, or somebody else writes to it.
  static func sendSysRq(
    _ keys: [UInt8], to name: String, places: OwnerPlaces = .standard, until deadline: Deadline
  ) throws {
    let client = try Owner.Client.connect(to: places, as: "kelvin run", until: deadline)
    var attachment = try client.attach(name, from: .end, until: deadline)
    try client.takeWriter(name, until: deadline)
    var hasSpoken = false
    for key in keys {
      try client.sendBreak(to: name, milliseconds: 300, until: deadline)
      try client.write([key], to: name, until: deadline)
      // A kernel says what it was asked for; a sync takes its time, and nothing tells when it is over.
      let patience = deadline.limited(toSeconds: hasSpoken ? 0.5 : 2)
      while try client.news(of: &attachment, until: patience) != nil {
        if hasSpoken { continue }
        hasSpoken = true
        _ = deadline.limited(toSeconds: 0.5).wait()
        break
      }
      guard hasSpoken else {
        throw PlainFailure(
          .target, "\(name): its console stays silent at SysRq",
          hint: "is sysrq allowed there? 'sysctl kernel.sysrq'")
      }
    }
  }

  // MARK: console.json

  private var recordPath: String { directory + "/console.json" }

  /// From where the log has not been copied; nil: this run has not held it before.
  private var position: UInt64? {
    guard let bytes = SmallFile.read(recordPath, limit: 4096),
      let record = Value(json: String(decoding: bytes, as: UTF8.self))?.map,
      record["console"]?.text == name
    else { return nil }
    return record["position"]?.integer.flatMap(UInt64.init(exactly:))
  }

  private func write(position: UInt64) throws(PlainFailure) {
    do {
      let record: Value = [
        "console": .text(name), "position": .integer(Int64(clamping: position))
      ]
      try Data(record.json.utf8).write(to: URL(fileURLWithPath: recordPath), options: .atomic)
    } catch {
      throw PlainFailure(.infrastructure, "\(recordPath): cannot be written", evidence: "\(error)")
    }
  }

  private static func append(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  private static func warn(_ name: String, _ text: String) {
    Terminal.standardError.line("kelvin: warning: console of '\(name)': \(text)")
  }
}
