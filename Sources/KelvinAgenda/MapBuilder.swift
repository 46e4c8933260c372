internal import KelvinModel

/// Collects keys and values of one map; duplicate and merge keys (`<<`) are settled at its end.
struct MapBuilder {
  /// Whether the next value is a key.
  var isExpectingKey = false
  private(set) var pendingKey = ""
  private var pendingLocation = SourceLocation(file: "")
  private var pendingIsMerge = false
  private var entries: [LocatedValue.Entry] = []
  /// From `<<`; the first of two with the same key wins, and the map's own keys over both.
  private var merged: [LocatedValue.Entry] = []

  /// Takes the next key or value.
  ///
  /// - Parameter location: of the value, or of the alias that stands for it.
  mutating func take(_ value: LocatedValue, at location: SourceLocation) throws(YAMLFailure) {
    guard !isExpectingKey else {
      guard let scalar = value.scalar else {
        throw YAMLFailure(location, "a key must be a word, not \(value.shortDescription)")
      }
      pendingKey = scalar.text
      pendingIsMerge = scalar.text == "<<" && !scalar.isQuoted
      pendingLocation = location
      isExpectingKey = false
      return
    }
    isExpectingKey = true
    guard pendingIsMerge else {
      entries.append(
        LocatedValue.Entry(key: pendingKey, keyLocation: pendingLocation, value: value))
      return
    }
    for source in value.list ?? [value] {
      guard let map = source.map else {
        throw YAMLFailure(
          source.location, "'<<' merges a map or a list of maps, not \(source.shortDescription)")
      }
      merged += map
    }
  }

  /// The entries in the order written, merged ones first.
  consuming func finish(_ diagnostics: inout [Diagnostic]) -> [LocatedValue.Entry] {
    let own = MapBuilder.unique(entries) { first, second in
      diagnostics.append(
        Diagnostic(
          at: second.keyLocation,
          "duplicate key \(LocatedValue.quoted(second.key)): already written at "
            + "\(first.keyLocation)", hint: "remove one of them"))
    }
    guard !merged.isEmpty else { return own }
    let inherited = MapBuilder.unique(merged) { _, _ in }
    return MapBuilder.overlay(inherited, with: own)
  }

  /// `base` with the entries of `top` in place of those with the same key, the others after it.
  static func overlay(
    _ base: [LocatedValue.Entry], with top: [LocatedValue.Entry]
  ) -> [LocatedValue.Entry] {
    var result = base
    var positions: [String: Int] = [:]
    for (index, entry) in base.enumerated() { positions[entry.key] = index }
    for entry in top {
      if let position = positions[entry.key] {
        result[position] = entry
      } else {
        result.append(entry)
      }
    }
    return result
  }

  /// The first of each key; `onDuplicate` hears of the others.
  private static func unique(
    _ entries: [LocatedValue.Entry],
    onDuplicate: (LocatedValue.Entry, LocatedValue.Entry) -> Void
  ) -> [LocatedValue.Entry] {
    if entries.count <= 8 {
      // Most maps: comparing all pairs is cheaper than hashing.
      var hasDuplicate = false
      for index in entries.indices.dropFirst() {
        let earlier = entries[..<index]
        if let first = earlier.first(where: { $0.key == entries[index].key }) {
          onDuplicate(first, entries[index])
          hasDuplicate = true
        }
      }
      guard hasDuplicate else { return entries }
    }
    var first: [String: Int] = [:]
    var result: [LocatedValue.Entry] = []
    for entry in entries {
      if let index = first[entry.key] {
        if entries.count > 8 { onDuplicate(result[index], entry) }
      } else {
        first[entry.key] = result.count
        result.append(entry)
      }
    }
    return result
  }
}
