/// What is wrong with a simulated Otii, or with its server.
package struct OtiiFaults: Sendable, Hashable {
  /// What happens once, at an answer that has samples.
  package enum Event: Sendable, Hashable {
    /// It comes so many seconds late.
    case late(Double)
    /// It never comes, nor does any other on this connection.
    case silent
    /// The connection ends in place of it.
    case cut
    /// Half of it comes.
    case half
    /// It is no JSON.
    case garbage
    /// It has another question's number.
    case otherAnswer
    /// The device has gone.
    case unplug
    /// From here on the recording does not grow.
    case stall
    /// So many samples are missing from here on, and the time stamps tell it.
    case gap(Int64)
    /// So many seconds are missing from here on, and no time stamp tells it.
    case loss(Double)
    /// The time stamps go back by a second.
    case back
    /// One of its values is null.
    case null
  }

  /// At which answer with samples what happens; the first one has number 1.
  package var events: [Int: Event] = [:]
  /// It refuses connections: it serves somebody else.
  package var isDenying = false
  /// What it calls its version.
  package var version = "3.5.6"
  /// It greets as something else does.
  package var greeting: String?
  /// Nobody is logged in; the password that it wants.
  package var password: String?
  /// How many licenses to automate there are, and whether others have them.
  package var licenses = 1
  package var licensesAreTaken = false
  /// It knows none of the commands that came with Otii 3.5.
  package var isOld = false
  /// Settings are not taken, without a word.
  package var isDeaf = false
  /// It records already.
  package var isRecording = false
  /// There is no project.
  package var hasNoProject = false
  /// By how much its clock is fast: 1e-4 is 100 ppm.
  package var skew = 0.0

  /// Nothing is wrong.
  package init() {}

  /// Those that have a name on a command line.
  package static let names = [
    "late", "silent", "cut", "half", "garbage", "other-answer", "unplug", "stall", "gap", "loss",
    "back", "null"
  ]

  /// By its name on a command line.
  package static func event(named name: String) -> Event? {
    switch name {
    case "late": .late(0.5)
    case "silent": .silent
    case "cut": .cut
    case "half": .half
    case "garbage": .garbage
    case "other-answer": .otherAnswer
    case "unplug": .unplug
    case "stall": .stall
    case "gap": .gap(20)
    case "loss": .loss(1)
    case "back": .back
    case "null": .null
    default: nil
    }
  }
}
