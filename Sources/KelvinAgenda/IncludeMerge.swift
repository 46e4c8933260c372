internal import KelvinModel

/// Merges included entries by WA's rules (`merge_config_values`): scalars of the including map win,
/// lists are put together with the included first, maps merge one level deep.
enum IncludeMerge {
  /// `own` over `base`; keys of `base` come first.
  ///
  /// - Parameter ownListsFirst: of two files that one map includes, the one named first wins like
  ///   an own value, but its lists also come first.
  static func merge(
    _ base: [LocatedValue.Entry], under own: [LocatedValue.Entry], ownListsFirst: Bool = false,
    into diagnostics: inout DiagnosticList
  ) -> [LocatedValue.Entry] {
    guard !base.isEmpty else { return own }
    var result = base
    var positions: [String: Int] = [:]
    for (index, entry) in base.enumerated() { positions[entry.key] = index }
    for entry in own {
      guard let position = positions[entry.key] else {
        result.append(entry)
        continue
      }
      let below = result[position]
      if let value = merge(below.value, under: entry.value, ownListsFirst) {
        result[position] = entry
        result[position].value = value
      } else {
        diagnostics.error(
          entry.keyLocation,
          "\(LocatedValue.quoted(entry.key)) cannot be merged: \(entry.value.shortDescription) "
            + "here, \(below.value.shortDescription) in the included file, at "
            + "\(below.keyLocation)")
      }
    }
    return result
  }

  /// Nil when a map meets a scalar.
  private static func merge(
    _ base: LocatedValue, under own: LocatedValue, _ ownListsFirst: Bool
  ) -> LocatedValue? {
    if own.isNull { return base }
    if base.isNull { return own }
    var result = own
    switch (base.content, own.content) {
    case (.scalar, .scalar): break
    case (.map(let baseMap), .map(let ownMap)):
      result.content = .map(MapBuilder.overlay(baseMap, with: ownMap))
    case (.map, .scalar), (.scalar, .map): return nil
    default:
      let (baseList, ownList) = (base.list ?? [base], own.list ?? [own])
      result.content = .list(ownListsFirst ? ownList + baseList : baseList + ownList)
    }
    return result
  }
}
