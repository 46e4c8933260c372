/// Finds the known name that a misspelt one was probably meant to be.
public enum NearestName {
  /// The candidate with the smallest edit distance (insert, delete, replace, swap of neighbors, each
  /// 1; case and `-`/`_` do not count), if it is at most a third of the name's length, and at least 1.
  ///
  /// Ties go to the first candidate listed. Names over 64 characters are not compared.
  public static func of(_ name: String, in candidates: some Sequence<String>) -> String? {
    let wanted = fold(name)
    guard wanted.count <= 64 else { return nil }
    let limit = max(1, wanted.count / 3)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
      let folded = fold(candidate)
      guard folded.count <= 64, abs(folded.count - wanted.count) <= limit else { continue }
      let distance = distance(wanted, folded)
      if distance <= limit, distance < best?.distance ?? Int.max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// A hint for a message: `did you mean 'x'?`, or the list of names when it is short, or nothing.
  public static func hint(for name: String, in candidates: some Collection<String>) -> String {
    if let nearest = of(name, in: candidates) { return "did you mean '\(nearest)'?" }
    guard !candidates.isEmpty, candidates.count <= 12 else { return "" }
    return "known: " + candidates.joined(separator: ", ")
  }

  private static func fold(_ name: String) -> [UInt8] {
    name.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
  }

  /// Optimal string alignment distance.
  private static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    var current = previous
    for i in 1...a.count {
      current[0] = i
      for j in 1...b.count {
        let cost = a[i - 1] == b[j - 1] ? 0 : 1
        current[j] = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          current[j] = min(current[j], beforePrevious[j - 2] + 1)
        }
      }
      (beforePrevious, previous, current) = (previous, current, beforePrevious)
    }
    return previous[b.count]
  }
}
