/// Lines that the owner may drive: asserted or not; nil: not said.
package struct ControlLines: Sendable, Hashable {
  package var dtr: Bool?
  package var rts: Bool?
  /// The physical level of a GPIO line.
  package var level: Bool?

  /// Creates a setting.
  package init(dtr: Bool? = nil, rts: Bool? = nil, level: Bool? = nil) {
    self.dtr = dtr
    self.rts = rts
    self.level = level
  }

  /// These, and for what they leave out the others.
  func over(_ others: ControlLines) -> ControlLines {
    ControlLines(
      dtr: dtr ?? others.dtr, rts: rts ?? others.rts, level: level ?? others.level)
  }

  /// Whether those that these name are as they say; nil: something that was named is not known.
  func agree(with seen: ControlLines) -> Bool? {
    let pairs = [(dtr, seen.dtr), (rts, seen.rts), (level, seen.level)].filter { $0.0 != nil }
    if pairs.contains(where: { $0.1 == nil }) { return nil }
    return pairs.allSatisfy { $0.0 == $0.1 }
  }
}

extension ControlLines: CustomStringConvertible {
  /// `dtr on, rts off`, `high`; empty when nothing is known.
  package var description: String {
    let modem = [("dtr", dtr), ("rts", rts)].compactMap { name, value in
      value.map { "\(name) \($0 ? "on" : "off")" }
    }
    return (modem + [level.map { $0 ? "high" : "low" }].compactMap { $0 }).joined(separator: ", ")
  }
}
