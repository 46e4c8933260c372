/// What is wrong with a simulated PPK2.
package struct PPK2Faults: Sendable, Hashable {
  /// What it says of itself.
  package enum Metadata: String, Sendable, CaseIterable {
    case right, uncalibrated
    /// Values that are no numbers.
    case notANumber = "nan"
    /// Keys are left out.
    case missing
    /// It never comes to an end.
    case endless
    /// Another device answers.
    case foreign
    /// Nothing answers.
    case silent
  }

  /// What happens once, at a sample.
  package enum Event: Sendable, Hashable {
    /// A byte of the sample is not sent: 0 to 3.
    case byte(Int)
    /// So many samples are not sent.
    case samples(Int)
    /// Bytes that are no samples come in between.
    case noise(Int)
    /// A bit of the sample is another.
    case flip(bit: Int)
    /// Nothing is sent any more.
    case stall
    /// It hangs up, as when it is unplugged.
    case unplug
  }

  package var metadata = Metadata.right
  /// At which sample what happens.
  package var events: [Int64: Event] = [:]
  /// Bytes of samples that were on their way when it was asked first.
  package var stale = 0
  /// Whether it goes on sending after it was told to stop.
  package var isDeaf = false
  /// Bytes of a write at most; nil: all that is due.
  package var pieces: Int?
  /// By how much its clock is fast, relative.
  package var skew = 0.0
  /// How late what it sends may be, in seconds.
  package var jitter = 0.0

  /// Nothing is wrong.
  package init() {}

  /// An event by its name on a command line: `byte-loss-2`, `sample-loss-64`, `noise-100`, `flip-20`,
  /// `stall`, `unplug`.
  package static func event(named name: String) -> Event? {
    let name = EventName(name)
    switch (name.words, name.number) {
    case ("byte-loss", let place?) where (0..<4).contains(place): return .byte(place)
    case ("sample-loss", let count?) where (1...100_000_000).contains(count): return .samples(count)
    case ("noise", let count?) where (1...1_000_000).contains(count): return .noise(count)
    case ("flip", let bit?) where (0..<32).contains(bit): return .flip(bit: bit)
    case ("stall", nil): return .stall
    case ("unplug", nil): return .unplug
    default: return nil
    }
  }
}
