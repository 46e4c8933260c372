/// What is wrong with a simulated tester.
package struct TesterFaults: Sendable, Hashable {
  /// What it says.
  package enum Answers: String, Sendable, CaseIterable {
    case right
    /// Each frame is damaged.
    case damaged
    /// Frames of a tester that nobody knows.
    case unknown
    /// Another device answers.
    case foreign
    /// It says what it has to say over and over.
    case endless
    /// Nothing answers.
    case silent
  }

  /// What happens once, at a frame.
  package enum Event: Sendable, Hashable {
    /// A byte of it is not sent; counted round the frame's length.
    case byte(Int)
    /// A bit of it is another; counted round the frame's length.
    case flip(bit: Int)
    /// Bytes that are no frame come before it.
    case noise(Int)
    /// It comes so many milliseconds later.
    case late(Int)
    /// It comes twice.
    case twice
    /// It does not come.
    case mute
    /// From now on bytes come all the time that are no frames.
    case babble
    /// Nothing comes any more.
    case stall
    /// It hangs up, as when it is unplugged.
    case unplug
  }

  package var answers = Answers.right
  /// At which frame what happens.
  package var events: [Int64: Event] = [:]
  /// Bytes of a write at most; nil: a whole frame.
  package var pieces: Int?
  /// From the question to the answer, in seconds.
  package var delay = 0.003
  /// From frame to frame of one that sends by itself, in seconds.
  package var interval = 0.25

  /// Nothing is wrong.
  package init() {}

  /// An event by its name on a command line: `byte-loss-3`, `flip-20`, `noise-100`, `late-1500` (milliseconds),
  /// `twice`, `mute`, `babble`, `stall`, `unplug`.
  package static func event(named name: String) -> Event? {
    let name = EventName(name)
    switch (name.words, name.number) {
    case ("byte-loss", let place?) where (0..<192).contains(place): return .byte(place)
    case ("flip", let bit?) where (0..<1536).contains(bit): return .flip(bit: bit)
    case ("noise", let count?) where (1...1_000_000).contains(count): return .noise(count)
    case ("late", let time?) where (1...60_000).contains(time): return .late(time)
    case ("twice", nil): return .twice
    case ("mute", nil): return .mute
    case ("babble", nil): return .babble
    case ("stall", nil): return .stall
    case ("unplug", nil): return .unplug
    default: return nil
    }
  }
}
