internal import KelvinModel

/// What is particular to a family of instruments: which words read, set and protect.
///
/// Commands are templates: `{channel}` stands for the number of an output, `{value}` for what is set.
struct SCPIProfile: Sendable, Hashable {
  /// A question, and what the fields of its answer are.
  struct Reading: Sendable, Hashable {
    var query: String
    var kinds: [MeterChannel.Kind]
    /// Sent once before: a multimeter measures one thing at a time.
    var prepare: [String] = []
  }

  /// A number that can be asked for and set.
  struct Setting: Sendable, Hashable {
    var query: String
    var set: String
  }

  /// What is on or off.
  struct Switch: Sendable, Hashable {
    var query: String
    /// Where the answer is a hexadecimal register: the bit of channel 1, next to which are the others.
    var bit: Int?
    var on: String
    var off: String
  }

  /// A limit beyond which the output is switched off.
  struct Protection: Sendable, Hashable {
    /// Nil where it acts at the current limit, and not at a level of its own.
    var level: Setting?
    /// Nil where it always acts.
    var state: Switch?
  }

  var name: String
  var title: String
  /// Of `*IDN?`: what the manufacturer's field holds, and what the model begins with, in capitals; empty: none.
  var manufacturers: [String] = []
  var models: [String] = []
  /// The raw socket's.
  var port: UInt16 = 5025
  /// How many outputs or inputs there may be.
  var channels = 1
  /// What makes the following lines mean a channel, sent before them in the same packet.
  var select: String?
  var readings: [Reading]
  /// What is read when nobody says.
  var usual: [MeterChannel.Kind]
  var voltage: Setting?
  var currentLimit: Setting?
  var overVoltage: Protection?
  var overCurrent: Protection?
  var output: Switch?
  /// The instrument's own logging, where it is documented.
  var logger: SCPILogger.Kind?
  /// Asks for the next entry of its queue of errors; nil: it has none that is documented.
  var errors: String? = "SYST:ERR?"
  /// Where these words come from.
  var source: String

  /// Whether this is a profile of such an instrument.
  func fits(_ identity: SCPIIdentity) -> Bool {
    let (maker, model) = (identity.manufacturer.uppercased(), identity.model.uppercased())
    return manufacturers.contains { maker.contains($0) } && models.contains { model.hasPrefix($0) }
  }

  /// The questions that answer for these kinds, as few as can be.
  ///
  /// - Returns: nil when one of them cannot be read.
  func readings(of kinds: [MeterChannel.Kind]) -> [Reading]? {
    var missing = Set(kinds)
    var chosen: [Reading] = []
    while !missing.isEmpty {
      // The one that answers for most; of those the one that answers for nothing else.
      let best = readings.max { first, second in
        let counts = [first, second].map { missing.intersection($0.kinds).count }
        return (counts[0], -first.kinds.count) < (counts[1], -second.kinds.count)
      }
      guard let best, !missing.isDisjoint(with: best.kinds) else { return nil }
      chosen.append(best)
      missing.subtract(best.kinds)
    }
    return chosen
  }

  /// What can be read at all, in the order in which it is declared.
  var kinds: [MeterChannel.Kind] {
    var found: [MeterChannel.Kind] = []
    for kind in readings.flatMap(\.kinds) where !found.contains(kind) { found.append(kind) }
    return found
  }

  /// Whether it supplies anything.
  var isSupply: Bool { output != nil }
}

/// Templates of commands.
enum SCPICommand {
  /// Fills in a channel.
  static func text(_ template: String, channel: Int) -> String {
    template.replacing("{channel}", with: "\(channel)")
  }

  /// Fills in a channel and a value, which is written as a decimal with up to six places: every instrument takes
  /// that.
  static func text(_ template: String, channel: Int, value: Double) -> String {
    text(template, channel: channel).replacing("{value}", with: decimal(value))
  }

  /// - Parameter value: within a million.
  static func decimal(_ value: Double) -> String {
    let micro = Int64((max(-1e6, min(1e6, value.isFinite ? value : 0)) * 1e6).rounded())
    let whole = "\(micro.magnitude / 1_000_000)"
    let digits = String("\(1_000_000 + micro.magnitude % 1_000_000)".dropFirst())
    let places = digits.lastIndex { $0 != "0" }.map { "." + digits[...$0] } ?? ""
    return (micro < 0 ? "-" : "") + whole + places
  }
}
