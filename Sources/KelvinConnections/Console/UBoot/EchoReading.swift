/// Reads an echo between whole lines of others. Pure.
///
/// On a console that others talk on, their lines come in the middle of an echo, as often as it is slow:
/// a board that takes 100 ms to echo a line and hears ten lines a second would never be read. What is
/// foreign must end with a newline, which no echo holds; so a byte that was lost or changed is never
/// made up for by a stranger's.
struct EchoReading: Sendable {
  private let expected: [UInt8]
  /// The bytes of the echo that may have come: `places[n]`, when the last byte was its n-th;
  /// `foreign[n]`, when it was a stranger's after n of them.
  private var places: [Bool]
  private var foreign: [Bool]

  /// Of an echo without newlines.
  init(of expected: some Sequence<UInt8>) {
    self.expected = Array(expected)
    places = [Bool](repeating: false, count: self.expected.count + 1)
    foreign = places
    places[0] = true
  }

  /// Whether all of it has come, and nothing after it.
  var isComplete: Bool { places[expected.count] }

  /// Whether what came is the echo's beginning, or may be once a stranger's line has ended: then the
  /// echo stands still.
  var isInOrder: Bool { places.contains(true) }

  /// Takes what came.
  mutating func append(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      var next = [Bool](repeating: false, count: places.count)
      for place in places.indices {
        if place > 0, places[place - 1], expected[place - 1] == byte { next[place] = true }
        guard places[place] || foreign[place] else { continue }
        if byte == 10 {
          (next[place], foreign[place]) = (true, false)
        } else {
          foreign[place] = true
        }
      }
      places = next
    }
  }
}
