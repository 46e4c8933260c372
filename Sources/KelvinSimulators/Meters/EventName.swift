/// The name of a fault on a command line, such as `byte-loss-2` or `stall`: words, and a number where it ends with
/// one.
struct EventName: Sendable, Hashable {
  var words: String
  var number: Int?

  init(_ name: String) {
    let parts = name.split(separator: "-")
    number = parts.last.flatMap { Int($0) }
    words = parts.dropLast(number == nil ? 0 : 1).joined(separator: "-")
  }
}
