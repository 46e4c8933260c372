/// What is wrong with a simulated instrument.
package struct SCPIFaults: Sendable, Hashable {
  /// What happens once, at an answer with measured values.
  package enum Event: Sendable, Hashable {
    /// It comes so many seconds late.
    case slow(Double)
    /// It never comes, nor does any other.
    case silent
    /// It comes twice, in one packet.
    case twice
    /// Something else comes instead.
    case wrong
    /// The connection ends in the middle of it.
    case cut
    /// From here on each answer is the one to the question before.
    case shift
    /// What is measured is beyond the range: 9.9E37.
    case overload
    /// There is no value: 9.91E37.
    case notANumber
    /// An error is queued.
    case error
  }

  /// At which answer what happens; the first one has number 1.
  package var events: [Int: Event] = [:]
  /// Whether an event stays from its answer on.
  package var isLasting = false
  /// How long each answer takes, in seconds.
  package var delay = 0.0
  /// Bytes of a packet at most, a millisecond from one to the next; nil: all of an answer.
  package var pieces: Int?
  /// What it calls itself instead.
  package var identity: String?
  /// How many errors a predecessor left in its queue.
  package var oldErrors = 0
  /// By how much currents are off at most, in amperes.
  package var noise = 0.0
  /// Settings are not taken, without a word.
  package var isDeaf = false
  /// How long a piece of a FastLog is there, in seconds.
  package var window = 0.02
  /// A piece of a FastLog that is overwritten at once; the first one has number 0.
  package var lostPiece: Int?

  /// Nothing is wrong.
  package init() {}

  /// By its name on a command line.
  package static func event(named name: String) -> Event? {
    switch name {
    case "slow": .slow(0.3)
    case "silent": .silent
    case "twice": .twice
    case "wrong": .wrong
    case "cut": .cut
    case "shift": .shift
    case "overload": .overload
    case "nan": .notANumber
    case "error": .error
    default: nil
    }
  }
}
