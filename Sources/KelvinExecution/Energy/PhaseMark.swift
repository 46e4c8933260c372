internal import KelvinModel

/// A moment at which a phase of a workload begins, or the last one ends.
public struct PhaseMark: Sendable, Hashable, Codable {
  /// On the host's monotonic clock, in nanoseconds.
  public var time: Int64
  /// By how much that may be off at most, either way, in nanoseconds.
  public var limit: Int64
  /// Nil ends the phase that goes on.
  public var name: String?

  /// Describes a mark.
  public init(time: Int64, limit: Int64, name: String?) {
    self.time = time
    self.limit = limit
    self.name = name
  }

  /// Of a rectangular distribution within the limit (JCGM 100:2008, 4.3.7), in nanoseconds.
  var standardUncertainty: Double { Double(limit) / 3.0.squareRoot() }

  /// What a program writes at the beginning of a line to mark a phase.
  static let prefix = "kelvin-phase:"
  /// That an attempt may have: figures are summed up for all of their intervals at once.
  static let most = 1000
  /// Longer names are cut.
  static let longestName = 200

  /// The name that a line of output marks: `kelvin-phase: decode`; an inner nil for `kelvin-phase: end`,
  /// nil when it is no mark.
  static func name(inLine line: String) -> String?? {
    guard line.hasPrefix(prefix) else { return nil }
    return name(of: String(line.dropFirst(prefix.count)))
  }

  /// The name of a phase without what cannot be in one; nil for `end` and for nothing.
  public static func name(of text: String) -> String? {
    let name = String(
      text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
    ).trimmingASCIIWhitespace
    return name.isEmpty || name == "end" ? nil : String(name.prefix(longestName))
  }
}

/// A phase of a workload, as its marks say.
struct WorkloadPhase: Sendable, Hashable {
  var name: String
  var interval: EnergyInterval
}

extension [PhaseMark] {
  /// The phases within a window: each goes from its mark to the next one, or to the end of the window. One
  /// that was marked before the window begins with it.
  func phases(in window: EnergyInterval) -> [WorkloadPhase] {
    var phases: [WorkloadPhase] = []
    var open: (name: String, from: Int64, ends: Double)?
    func close(at time: Int64, _ ends: Double) {
      guard let phase = open else { return }
      let (from, to) = (Swift.max(phase.from, window.from), Swift.min(time, window.to))
      guard to > from else { return }
      phases.append(
        WorkloadPhase(
          name: phase.name,
          interval: EnergyInterval(
            from: from, to: to,
            ends: Swift.max(
              phase.from < window.from ? window.ends : phase.ends,
              time > window.to ? window.ends : ends))))
    }
    for mark in sorted(by: { $0.time < $1.time }) {
      close(at: mark.time, mark.standardUncertainty)
      open = mark.name.map { ($0, mark.time, mark.standardUncertainty) }
    }
    close(at: window.to, window.ends)
    return phases
  }
}
