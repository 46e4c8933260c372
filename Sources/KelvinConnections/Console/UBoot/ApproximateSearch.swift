/// Finds text that a line may have damaged. Pure.
enum ApproximateSearch {
  /// The place whose bytes become the pattern with the fewest bytes lost, added or changed, when it
  /// takes at most `errors` of them (Sellers 1980); the last of equals. Quadratic: for short texts.
  static func find(
    _ pattern: [UInt8], in text: some Collection<UInt8>, errors: Int
  ) -> (offset: Int, count: Int)? {
    guard !pattern.isEmpty else { return nil }
    // For each prefix of the pattern: the cost of its best match that ends here, and its start.
    var costs = Array(0...pattern.count)
    var starts = [Int](repeating: 0, count: pattern.count + 1)
    var best: (cost: Int, offset: Int, end: Int)?
    for (position, byte) in text.enumerated() {
      var diagonal = (cost: costs[0], start: starts[0])
      (costs[0], starts[0]) = (0, position + 1)
      diagonal.start = position
      for index in 1...pattern.count {
        let old = (cost: costs[index], start: starts[index])
        var new = (
          cost: diagonal.cost + (pattern[index - 1] == byte ? 0 : 1), start: diagonal.start
        )
        if old.cost + 1 < new.cost { new = (old.cost + 1, old.start) }
        if costs[index - 1] + 1 < new.cost { new = (costs[index - 1] + 1, starts[index - 1]) }
        (costs[index], starts[index]) = new
        diagonal = old
      }
      let cost = costs[pattern.count]
      if cost <= errors, best.map({ cost <= $0.cost }) ?? true {
        best = (cost, starts[pattern.count], position + 1)
      }
    }
    return best.map { ($0.offset, max(0, $0.end - $0.offset)) }
  }
}
