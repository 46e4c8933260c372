internal import KelvinModel

/// What a simulated server has: a device and how it is set, licenses, a project and its recordings.
package struct OtiiUnit: Sendable {
  /// `Arc` has fixed rates, `Ace` takes others.
  package enum Model: String, Sendable, CaseIterable {
    case arc, ace

    var type: String { self == .arc ? "Arc" : "Ace" }
  }

  package struct Recording: Sendable {
    package var number: Int64
    /// On this machine's monotonic clock, in nanoseconds.
    package var begin: Int64
    /// Nil while it runs.
    package var end: Int64?
    /// Of the channels that were enabled, in hertz.
    package var rates: [String: Double]
    package var volts: Double
    /// Samples that are missing and told, from the index on: of each channel.
    var gap: [String: (index: Int64, count: Int64)] = [:]
    /// Seconds that are missing and not told, from a time of the recording on.
    var lost = 0.0
    /// When the recording stopped growing.
    var stall: Int64?
    /// By how many seconds time stamps are back.
    var back = 0.0
  }

  package var model: Model
  package var volts = 0.0
  package var currentLimit = 5.0
  package var range = "low"
  package var isOn = false
  package var rates: [String: Double]
  package var enabled: Set<String> = []
  package var isLoggedIn = true
  /// Whose license it is; empty while nobody has it.
  package var holders: [String]
  package var hasProject = true
  package var recordings: [Recording] = []
  package var isPlugged = true
  /// How many recordings there have been.
  package var recorded: Int64 = 0
  /// Commands that were obeyed and set something, in their order: `arc_set_main true`.
  package var settings: [String] = []
  /// Commands that it does not know.
  package var unknown: [String] = []
  /// Answers with samples.
  package var said = 0

  /// As documented for the Arc: 4 kHz of the current, 1 kHz of the rest.
  init(_ model: Model, _ faults: OtiiFaults) {
    self.model = model
    var rates: [String: Double] = ["mc": 4000, "mp": 4000]
    for channel in ["mv", "ac", "ap", "av", "sp", "sn", "vb", "vj", "tp"] { rates[channel] = 1000 }
    self.rates = rates
    isLoggedIn = faults.password == nil
    hasProject = !faults.hasNoProject
    holders = Array(
      repeating: faults.licensesAreTaken ? "joe" : "", count: max(0, faults.licenses))
  }

  /// The channels' rates of a recording that begins now.
  func ratesNow() -> [String: Double] { rates.filter { enabled.contains($0.key) } }
}
