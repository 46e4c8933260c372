/// What is wrong with a simulated Energy Probe.
package struct EnergyProbeFaults: Sendable, Hashable {
  /// What it answers.
  package enum Answers: String, Sendable, CaseIterable {
    case right
    /// Another firmware's version.
    case version
    /// Another rate.
    case rate
    /// A vendor that never comes to an end.
    case endless
    /// It begins anew, and acknowledges nothing.
    case unacknowledged
    /// It acknowledges all but the start.
    case unstarted
    /// Another device answers.
    case foreign
    /// Nothing answers.
    case silent
  }

  /// What happens once, at a frame.
  package enum Event: Sendable, Hashable {
    /// A byte of the frame is not sent; it is counted round the frame's length.
    case byte(Int)
    /// So many frames are not sent.
    case frames(Int)
    /// Bytes that are no frames come in between.
    case noise(Int)
    /// A bit of the frame is another; it is counted round the frame's length.
    case flip(bit: Int)
    /// Frames are numbered from 0 again.
    case restart
    /// Nothing is sent any more.
    case stall
    /// It hangs up, as when it is unplugged.
    case unplug
  }

  package var answers = Answers.right
  /// At which frame what happens.
  package var events: [Int64: Event] = [:]
  /// Whether it measures already, all fields, since somebody told it to and was killed.
  package var isLeftRunning = false
  /// Bytes of frames that were on their way when it was told to begin anew.
  package var stale = 0
  /// Whether it goes on sending, whatever it is told.
  package var isDeaf = false
  /// Frames that come behind the acknowledgment of the stop.
  package var trailing = 0
  /// Bytes of a write at most; nil: all that is due.
  package var pieces: Int?
  /// By how much its clock is fast, relative.
  package var skew = 0.0
  /// How late what it sends may be, in seconds.
  package var jitter = 0.0

  /// Nothing is wrong.
  package init() {}

  /// An event by its name on a command line: `byte-loss-3`, `frame-loss-65536`, `noise-100`, `flip-20`,
  /// `restart`, `stall`, `unplug`.
  package static func event(named name: String) -> Event? {
    let name = EventName(name)
    switch (name.words, name.number) {
    case ("byte-loss", let place?) where (0..<20).contains(place): return .byte(place)
    case ("frame-loss", let count?) where (1...100_000_000).contains(count): return .frames(count)
    case ("noise", let count?) where (1...1_000_000).contains(count): return .noise(count)
    case ("flip", let bit?) where (0..<160).contains(bit): return .flip(bit: bit)
    case ("restart", nil): return .restart
    case ("stall", nil): return .stall
    case ("unplug", nil): return .unplug
    default: return nil
    }
  }
}
