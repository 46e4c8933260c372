internal import ArgumentParser
internal import KelvinModel

/// Durations on command lines.
enum DurationText {
  /// Reads `5 s`, `2 min`, or a bare number of seconds; not below zero.
  static func seconds(_ text: String, _ option: String) throws -> Double {
    guard let quantity = Quantity(text), quantity.value >= 0,
      quantity.unit.map({ $0.dimension == .time }) ?? true
    else { throw ValidationError("\(option): expected a time such as '5 s', found '\(text)'") }
    return quantity.value
  }

  /// `0.8 s`, `12 s`, `3 min 05 s`, `2 h 07 min`.
  static func short(_ nanoseconds: Int64) -> String {
    let seconds = Double(max(0, nanoseconds)) / 1e9
    if seconds < 9.95 { return "\(Double(Int(seconds * 10)) / 10) s" }
    let whole = Int(seconds)
    if whole < 60 { return "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
    return "\(whole / 3600) h \(two(whole % 3600 / 60)) min"
  }

  private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension Deadline {
  /// When a command has taken what its `--timeout` allows, or is stopped by a signal.
  static func ofCommand(_ timeout: String) throws -> Deadline {
    .after(
      seconds: try DurationText.seconds(timeout, "--timeout"), interrupt: SignalInterrupt.begin())
  }
}

/// A time on a command line: `30 s`, `5 min`; a bare number is in seconds.
struct TimeArgument: ExpressibleByArgument {
  let seconds: Double

  init?(argument: String) {
    guard let seconds = try? DurationText.seconds(argument, "") else { return nil }
    self.seconds = seconds
  }
}
