internal import Glibc
internal import KelvinModel
internal import KelvinStore

/// Which devices or interfaces are reported: those that match the user's patterns, or all but some.
struct DeviceChoice: Sendable {
  private let wanted: [String]
  private let leftOut: [String]

  /// Creates a choice.
  ///
  /// - Parameters:
  ///   - wanted: the user's patterns; empty means all.
  ///   - leftOut: patterns of what is not meant by all.
  init(_ wanted: [String], leftOut: [String]) {
    self.wanted = wanted
    self.leftOut = leftOut
  }

  static func option(_ name: String, _ what: String) -> OptionDeclaration {
    OptionDeclaration(
      name, .list(.text), default: .list([]),
      "\(what), as names or shell patterns such as 'eth*'; all that matter when empty.")
  }

  func includes(_ name: String) -> Bool {
    wanted.isEmpty ? !matches(leftOut, name) : matches(wanted, name)
  }

  /// Whether the user asked for it by name or pattern.
  func isNamed(_ name: String) -> Bool { matches(wanted, name) }

  private func matches(_ patterns: [String], _ name: String) -> Bool {
    patterns.contains { fnmatch($0, name, 0) == 0 }
  }
}

/// Devices that came or went in the measured window.
struct DeviceChanges: Hashable {
  var appeared: [String]
  var wentAway: [String]

  init(before: [String], after: [String]) {
    let (old, new) = (Set(before), Set(after))
    appeared = after.filter { !old.contains($0) }
    wentAway = before.filter { !new.contains($0) }
  }

  func record(in job: JobContext, source: String, what: String) {
    if !appeared.isEmpty {
      job.record(
        .warning, source: source,
        "\(what) that appeared in the measured window are left out: \(appeared.shortList)")
    }
    if !wentAway.isEmpty {
      job.record(
        .warning, source: source,
        "\(what) that went away in the measured window are left out: \(wentAway.shortList)")
    }
  }
}
