internal import KelvinModel

/// What `perf stat -x ';'` wrote (perf-stat(1), "CSV FORMAT"): value, unit, event, run time, share
/// of the time that the event was counted, and columns before them when counts are given by CPU.
///
/// The separator is a semicolon because event names hold commas (`cpu/event=0x3c,umask=0x0/`), and
/// because perf writes a decimal comma in some locales.
struct PerfStatReport: Hashable {
  static let separator = ";"

  struct Count: Hashable {
    enum Outcome: Hashable {
      case counted(MetricValue)
      /// The machine or its kernel cannot count it.
      case notSupported
      /// It was never on a counter while the workload ran.
      case notCounted
    }

    /// As perf names it, modifiers included: `cycles:u`.
    var event: String
    var outcome: Outcome
    /// `msec`, `ns`, `Joules`; empty for a count.
    var unit: String
    /// Percent of the time that it was counted; below 100 the value is an estimate.
    var share: Double?
    /// `CPU0`, `S0 4`: what stood before the value; empty for the workload as a whole.
    var scope: String
  }

  var counts: [Count] = []

  /// Reads what is well-formed and leaves out the rest.
  ///
  /// - Parameter events: as asked for; tells columns apart where the format alone does not.
  init(_ text: KernelText, events: [String]) {
    let known = Set(events.flatMap(PerfStatReport.names))
    for line in text where line.first != UInt8(ascii: "#") && counts.count < 65_536 {
      let fields = line.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
        .map(KernelText.string)
      guard let value = PerfStatReport.valueColumn(fields, known) else { continue }
      guard let outcome = PerfStatReport.outcome(fields[value]) else { continue }
      var rest = fields[(value + 3)...]
      // With several runs their spread comes first.
      if rest.first?.hasSuffix("%") == true { rest = rest.dropFirst() }
      let share = rest.dropFirst().first.flatMap(PerfStatReport.number)
      counts.append(
        Count(
          event: fields[value + 2], outcome: outcome, unit: fields[value + 1], share: share,
          scope: fields[..<value].joined(separator: " ")))
    }
  }

  /// The event names in one element of the list: a group `{a,b}:u` holds several.
  static func names(_ event: String) -> [String] {
    guard event.hasPrefix("{"), let end = event.lastIndex(of: "}") else { return [base(event)] }
    return event[..<end].dropFirst().split(separator: ",").map { base(String($0)) }
  }

  /// Without modifiers, which perf adds itself where only user space may be counted.
  private static func base(_ event: String) -> String {
    guard let colon = event.lastIndex(of: ":"),
      event[colon...].dropFirst().allSatisfy({ "ukhGHpPSDWIe".contains($0) })
    else { return event }
    return String(event[..<colon])
  }

  private static func valueColumn(_ fields: [String], _ known: Set<String>) -> Int? {
    guard fields.count >= 3 else { return nil }
    let columns = 0...min(4, fields.count - 3)
    let byName = columns.first {
      outcome(fields[$0]) != nil && known.contains(base(fields[$0 + 2]))
    }
    return byName
      ?? columns.first {
        outcome(fields[$0]) != nil && !fields[$0 + 2].isEmpty && number(fields[$0 + 2]) == nil
      }
  }

  private static func outcome(_ field: String) -> Count.Outcome? {
    switch field {
    case "<not supported>": return .notSupported
    case "<not counted>": return .notCounted
    default: break
    }
    if let integer = Int64(field) { return .counted(.integer(integer)) }
    return number(field).map { .counted(.number($0)) }
  }

  /// A number with a decimal point or comma.
  private static func number(_ field: String) -> Double? {
    guard let first = field.utf8.first,
      first == UInt8(ascii: "-") || (first >= UInt8(ascii: "0") && first <= UInt8(ascii: "9")),
      field.utf8.allSatisfy({ $0 < 128 }), let value = Double(field.replacing(",", with: ".")),
      value.isFinite
    else { return nil }
    return value
  }
}
