internal import KelvinModel

/// How an instrument's own logging is begun, read and ended.
struct SCPILogger: Sendable {
  /// Which one it is.
  enum Kind: String, Sendable, Hashable {
    /// Keysight's external data log: a queue of some 20 s; each question for records takes them out of it. A
    /// record holds the current's mean and then the voltage's (N6700C and N6900 Operating and Service Guides,
    /// "External Data Logging").
    case elog
    /// Rohde & Schwarz's FastLog: pieces of 250 ms, each there for 20 ms, after which it is overwritten;
    /// voltage and current of each sample, as single floats, the least byte first (their example of the
    /// FastLog; NGU User Manual, `FLOG:DATA?`).
    case fastLog
  }

  var kind: Kind
  /// Sent before and after.
  var start: [String]
  var begin: [String]
  var stop: [String]
  /// Where the period is asked for that the instrument made of what it was told, in seconds.
  var periodQuery: String?
  /// Nanoseconds from sample to sample, as asked for.
  var period: Double
  /// Where it says whether there is something: bit 12 of a register.
  var readyQuery: String?
  var fetch: String
  /// For each float of a record the meter's channel; nil: not wanted.
  var fields: [Int?]
  var bigEndian: Bool
  /// Samples of a piece that is lost or delivered as a whole; 1: any number.
  var piece: Int64
  /// By how much samples may be late without being lost, in nanoseconds.
  var tolerance: Double
  /// From one look to the next, in seconds.
  var pause: Double

  /// FastLog's rates, as it calls them (their example).
  static let fastRates: [(Double, String)] = [
    (100, "S100"), (1e3, "S001k"), (10e3, "S010k"), (50e3, "S050k"), (250e3, "S250k"),
    (500e3, "S500k")
  ]
  /// Of the external data log, in seconds, for each thing that is measured.
  static let shortestPeriod = 102.4e-6

  /// - Parameter channels: of the meter, for one channel of the instrument.
  /// - Throws: `unsupported` and `invalid` for what cannot be logged.
  init(
    _ options: SCPIOptions, _ profile: SCPIProfile, _ channels: [Channel], of meter: String
  ) throws(MeterFailure) {
    guard let kind = profile.logger else {
      throw MeterFailure(
        .unsupported,
        "\(meter): with profile '\(profile.name)' it has no logging that is documented",
        hint: "leave 'logging' out: then it is asked for each value")
    }
    self.kind = kind
    let number = options.channels[0]
    func place(_ kind: MeterChannel.Kind) -> Int? { channels.firstIndex { $0.kind == kind } }
    switch kind {
    case .elog:
      let period = 1 / (options.rate ?? 1000)
      let shortest = Self.shortestPeriod * Double(channels.count)
      guard period >= shortest * 0.999 else {
        throw MeterFailure(
          .invalid,
          "\(meter): it logs \(channels.count) values at most \(Int(1 / shortest)) times a second")
      }
      let list = "(@\(number))"
      func enable(_ what: String, _ kind: MeterChannel.Kind) -> [String] {
        place(kind) == nil
          ? ["SENS:ELOG:FUNC:\(what) OFF,\(list)"]
          : ["SENS:ELOG:FUNC:\(what) ON,\(list)", "SENS:ELOG:FUNC:\(what):MINM OFF,\(list)"]
      }
      start =
        ["ABOR:ELOG \(list)", "FORM REAL", "FORM:BORD NORM"] + enable("CURR", .current)
        + enable("VOLT", .voltage)
        + ["SENS:ELOG:PER \(SCPICommand.exact(period)),\(list)", "TRIG:ELOG:SOUR BUS,\(list)"]
      begin = ["INIT:ELOG \(list)", "TRIG:ELOG \(list)"]
      stop = ["ABOR:ELOG \(list)", "FORM ASC"]
      periodQuery = "SENS:ELOG:PER? \(list)"
      self.period = period * 1e9
      fetch = "FETC:ELOG? 16384,\(list)"
      fields = [place(.current), place(.voltage)].compactMap(\.self)
      (bigEndian, piece, tolerance, pause) = (true, 1, 1e9, 0.05)
    case .fastLog:
      let rate = options.rate ?? 1000
      guard let (hertz, name) = Self.fastRates.first(where: { abs($0.0 - rate) < 0.5 }) else {
        throw MeterFailure(
          .invalid, "\(meter): it does not log at \(rate) Hz",
          hint: "at " + Self.fastRates.map { "\(Int($0.0))" }.joined(separator: ", ") + " Hz")
      }
      let register = "STAT:OPER:INST:ISUM\(number)"
      start = [
        "FLOG:STAT 0", "INST OUT\(number)", "FLOG:SRAT \(name)", "FLOG:TARG SCPI",
        "\(register):ENAB 4096", "\(register):PTR 4096", "\(register):NTR 0"
      ]
      begin = ["FLOG:STAT 1"]
      stop = ["FLOG:STAT 0"]
      period = 1e9 / hertz
      readyQuery = "\(register):EVEN?"
      fetch = "FLOG:DATA?"
      fields = [place(.voltage), place(.current)]
      (bigEndian, piece, tolerance, pause) = (false, Int64(hertz / 4), 125e6, 0.004)
    }
  }
}

extension SCPICommand {
  /// With as many digits as it has: `0.0001024`.
  static func exact(_ value: Double) -> String {
    let nano = Int64((max(0, min(1e6, value.isFinite ? value : 0)) * 1e9).rounded())
    let digits = String("\(1_000_000_000 + nano % 1_000_000_000)".dropFirst())
    let places = digits.lastIndex { $0 != "0" }.map { "." + digits[...$0] } ?? ""
    return "\(nano / 1_000_000_000)" + places
  }
}
