/// What a simulated boot loader does wrong.
package struct BootloaderFaults: Sendable, Hashable {
  /// Hangs up once it has got so many bytes of downloads; on UDP and USB it says nothing any more.
  package var dropAfter: Int64?
  /// Never answers commands that begin so.
  package var stall: String?
  /// Talks without end about commands that begin so.
  package var chatter: String?
  /// Fails to write these partitions.
  package var failing: Set<String> = []
  /// Sends the first three letters of each reply only.
  package var cutsReplies = false
  /// Asks for so many bytes more, or fewer, than it was offered; sends so many more than announced.
  package var dataError = 0
  /// The share of packets that are lost on UDP, in either direction: 0...1.
  package var loss = 0.0
  /// The share of packets that come twice on UDP.
  package var duplication = 0.0
  /// Of the two above.
  package var seed: UInt64 = 1

  package init() {}

  /// What ``add(_:)`` takes.
  package static let help =
    "drop-after=BYTES, stall=COMMAND, chatter=COMMAND, fail=PARTITION, short-replies, "
    + "data-size=DIFFERENCE, loss=SHARE, duplicate=SHARE, seed=NUMBER"

  /// Adds a fault as it is written on a command line.
  ///
  /// - Returns: false when there is no such fault.
  package mutating func add(_ text: String) -> Bool {
    let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
    let value = sides.count == 2 ? sides[1] : ""
    switch sides.first {
    case "drop-after": return set(\.dropAfter, Int64(value))
    case "stall": return set(\.stall, value)
    case "chatter": return set(\.chatter, value)
    case "fail":
      failing.insert(value)
      return !value.isEmpty
    case "short-replies":
      cutsReplies = true
      return sides.count == 1
    case "data-size": return set(\.dataError, Int(value))
    case "loss": return set(\.loss, Double(value).flatMap { (0...1).contains($0) ? $0 : nil })
    case "duplicate":
      return set(\.duplication, Double(value).flatMap { (0...1).contains($0) ? $0 : nil })
    case "seed": return set(\.seed, UInt64(value))
    default: return false
    }
  }

  private mutating func set<Value>(
    _ path: WritableKeyPath<BootloaderFaults, Value>, _ value: Value?
  ) -> Bool {
    guard let value else { return false }
    self[keyPath: path] = value
    return true
  }

  private mutating func set<Value>(
    _ path: WritableKeyPath<BootloaderFaults, Value?>, _ value: Value?
  ) -> Bool {
    guard let value else { return false }
    self[keyPath: path] = value
    return true
  }
}
