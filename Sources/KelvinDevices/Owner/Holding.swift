package import KelvinModel

/// A port that the owner holds, as it tells it.
package struct Holding: Sendable, Hashable {
  /// What it is held for.
  package enum Kind: String, Sendable {
    /// Its bytes, with their log; perhaps also its lines.
    case console
    /// Its lines only.
    case line
    /// To be lent to one client at a time, which reads and writes itself.
    case link
  }

  package var kind: Kind
  package var name: String
  /// As ``PortAddress`` writes it.
  package var address: String
  package var state: PortState
  /// Grows with each change of the state.
  package var serial: UInt64
  /// Whether idleness may not close it, and 'kelvin bench down' only by force.
  package var keep: Bool
  /// For what its lines are driven, such as `rock.power` or `rock.reset`, and whether that powers a
  /// board, or keeps it out of reset.
  package var drivers: [String: Bool]
  /// Positions of the oldest byte kept, and one behind the newest.
  package var first: UInt64
  package var end: UInt64
  /// Bytes that came and could not be logged.
  package var lost: UInt64
  /// Why the log's last write failed; nil when it did not.
  package var logProblem: String?
  package var lines: ControlLines
  /// The directory of its log; empty when it has none.
  package var log: String
  /// Who is attached: `kelvin run (1234)`.
  package var readers: [String]
  /// Who may write.
  package var writer: String?

  package var value: Value {
    var values: [String: Value] = [
      "kind": .text(kind.rawValue), "name": .text(name), "address": .text(address),
      "state": .text(state.name),
      "serial": .integer(Int64(clamping: serial)), "keep": .boolean(keep),
      "first": .integer(Int64(clamping: first)), "end": .integer(Int64(clamping: end)),
      "lost": .integer(Int64(clamping: lost)), "log": .text(log),
      "readers": .list(readers.map(Value.text))
    ]
    if let reason = state.reason { values["reason"] = .text(reason) }
    if let logProblem { values["log-problem"] = .text(logProblem) }
    if !drivers.isEmpty { values["drivers"] = .map(drivers.mapValues(Value.boolean)) }
    values.merge(lines.values) { $1 }
    if let writer { values["writer"] = .text(writer) }
    return .map(values)
  }

  /// Reads what ``value`` writes.
  init(_ value: Value) throws(OwnerFailure) {
    let keys = FrameKeys(header: value.map ?? [:])
    name = try keys.text("name")
    guard let kind = Kind(rawValue: try keys.text("kind")) else {
      throw OwnerFailure(.malformed, "'\(name)': held for something unknown")
    }
    self.kind = kind
    address = try keys.text("address")
    guard let state = PortState(name: try keys.text("state"), reason: keys.header["reason"]?.text)
    else { throw OwnerFailure(.malformed, "'\(name)': an unknown state") }
    self.state = state
    serial = UInt64(try keys.integer("serial", 0...Int.max))
    keep = try keys.flag("keep")
    first = UInt64(try keys.integer("first", 0...Int.max))
    end = UInt64(try keys.integer("end", 0...Int.max))
    lost = UInt64(try keys.integer("lost", 0...Int.max))
    logProblem = keys.header["log-problem"]?.text
    lines = keys.lines
    drivers = (keys.header["drivers"]?.map ?? [:]).compactMapValues(\.boolean)
    log = try keys.text("log")
    readers = keys.header["readers"]?.list?.compactMap(\.text) ?? []
    writer = keys.header["writer"]?.text
  }

  init(
    _ snapshot: HeldPort.Snapshot, _ purpose: HeldPort.Purpose, extent: ConsoleLog.Extent,
    keep: Bool, drivers: [String: Bool], readers: [String], writer: String?
  ) {
    kind = purpose.kind
    name = purpose.name
    address = purpose.address.description
    state = snapshot.state
    serial = snapshot.serial
    self.keep = keep || drivers.values.contains(true)
    self.drivers = drivers
    first = extent.first
    end = extent.end
    lost = extent.lost
    logProblem = extent.problem
    lines = snapshot.lines ?? ControlLines()
    log = purpose.log?.directory ?? ""
    self.readers = readers
    self.writer = writer
  }
}
