internal import KelvinConnections

/// In which order values are written so that the kernel takes each of them. Pure.
enum SettingsOrder {
  /// Sorts wishes: what others need first (CPUs online, governors), CPUs off last, and of a pair of
  /// limits the one that may move first. What belongs together keeps its order otherwise.
  ///
  /// - Parameter known: what points hold now.
  static func sorted(_ wishes: [SettingWish], known: [String: String]) -> [SettingWish] {
    var ordered = wishes.enumerated().sorted { a, b in
      (stage(a.element), a.offset) < (stage(b.element), b.offset)
    }.map(\.element)
    // A lower limit goes after its upper one, unless that is to go below where the lower one is now.
    let positions = Dictionary(
      uniqueKeysWithValues: ordered.enumerated().map { ($0.element.point.id, $0.offset) })
    for (index, wish) in ordered.enumerated() {
      guard case .lower(let upper)? = wish.point.limit, let other = positions[upper] else {
        continue
      }
      let upperFirst = !isBelow(ordered[other].value, known[wish.point.id])
      if upperFirst != (other < index) { ordered.swapAt(index, other) }
    }
    return ordered
  }

  /// When a wish is written.
  static func stage(_ wish: SettingWish) -> SettingPoint.Stage {
    wish.point.stage == .online && wish.value == "0" ? .offline : wish.point.stage
  }

  private static func isBelow(_ value: String, _ other: String?) -> Bool {
    guard let value = Double(value), let other = other.flatMap({ Double($0) }) else { return false }
    return value < other
  }
}
