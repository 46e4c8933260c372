package import KelvinModel

/// A console that the owner holds, as it tells it.
package struct ConsoleStatus: Sendable, Hashable {
  package var name: String
  /// As ``ConsoleAddress`` writes it.
  package var address: String
  package var state: PortState
  /// Grows with each change of the state.
  package var serial: UInt64
  /// Whether idleness may not close it.
  package var keep: Bool
  /// Positions of the oldest byte kept, and one behind the newest.
  package var first: UInt64
  package var end: UInt64
  /// Bytes that came and could not be logged.
  package var lost: UInt64
  /// Why the log's last write failed; nil when it did not.
  package var logProblem: String?
  package var lines: ControlLines
  /// The directory of its log.
  package var log: String
  /// Who is attached: `kelvin run (1234)`.
  package var readers: [String]
  /// Who may write.
  package var writer: String?

  package var value: Value {
    var values: [String: Value] = [
      "name": .text(name), "address": .text(address), "state": .text(state.name),
      "serial": .integer(Int64(clamping: serial)), "keep": .boolean(keep),
      "first": .integer(Int64(clamping: first)), "end": .integer(Int64(clamping: end)),
      "lost": .integer(Int64(clamping: lost)), "log": .text(log),
      "readers": .list(readers.map(Value.text))
    ]
    if let reason = state.reason { values["reason"] = .text(reason) }
    if let logProblem { values["log-problem"] = .text(logProblem) }
    if let dtr = lines.dtr { values["dtr"] = .boolean(dtr) }
    if let rts = lines.rts { values["rts"] = .boolean(rts) }
    if let writer { values["writer"] = .text(writer) }
    return .map(values)
  }

  /// Reads what ``value`` writes.
  init(_ value: Value) throws(OwnerFailure) {
    let keys = FrameKeys(header: value.map ?? [:])
    name = try keys.text("name")
    address = try keys.text("address")
    guard let state = PortState(name: try keys.text("state"), reason: keys.header["reason"]?.text)
    else { throw OwnerFailure(.malformed, "console '\(name)': an unknown state") }
    self.state = state
    serial = UInt64(try keys.integer("serial", 0...Int.max))
    keep = try keys.flag("keep")
    first = UInt64(try keys.integer("first", 0...Int.max))
    end = UInt64(try keys.integer("end", 0...Int.max))
    lost = UInt64(try keys.integer("lost", 0...Int.max))
    logProblem = keys.header["log-problem"]?.text
    lines = ControlLines(dtr: keys.header["dtr"]?.boolean, rts: keys.header["rts"]?.boolean)
    log = try keys.text("log")
    readers = keys.header["readers"]?.list?.compactMap(\.text) ?? []
    writer = keys.header["writer"]?.text
  }

  init(
    name: String, address: String, snapshot: HeldPort.Snapshot, keep: Bool,
    extent: ConsoleLog.Extent, log: String, readers: [String], writer: String?
  ) {
    self.name = name
    self.address = address
    state = snapshot.state
    serial = snapshot.serial
    self.keep = keep
    first = extent.first
    end = extent.end
    lost = extent.lost
    logProblem = extent.problem
    lines = snapshot.lines ?? ControlLines()
    self.log = log
    self.readers = readers
    self.writer = writer
  }
}
