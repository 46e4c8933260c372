internal import KelvinModel

/// The combinations of sections: those of one group, or of none, are alternatives; different groups
/// multiply. The first group named varies slowest.
struct SectionTree {
  /// Positions of sections, by group in the order in which groups first appear.
  private(set) var groups: [[Int]] = []

  init(_ sections: [Outline.Section]) {
    var positions: [String?: Int] = [:]
    for (index, section) in sections.enumerated() {
      if let position = positions[section.group?.value] {
        groups[position].append(index)
      } else {
        positions[section.group?.value] = groups.count
        groups.append([index])
      }
    }
  }

  /// How many specs the combinations make; nil when that does not fit an integer.
  ///
  /// - Parameters:
  ///   - global: workload entries that run in all sections.
  ///   - own: workload entries by section.
  func specCount(global: Int, own: [Int]) -> Int? {
    guard let leaves = product(groups.map(\.count)) else { return nil }
    var terms = [product([leaves, global])]
    for group in groups {
      let others = leaves / group.count
      terms += group.map { product([others, own[$0]]) }
    }
    var sum = 0
    for term in terms {
      guard let term else { return nil }
      let (result, overflow) = sum.addingReportingOverflow(term)
      guard !overflow else { return nil }
      sum = result
    }
    return sum
  }

  /// Calls `body` with each combination, one section of each group; once with none when there are
  /// no sections.
  func forEachLeaf(_ body: ([Int]) -> Void) {
    var choice = groups.map { _ in 0 }
    while true {
      body(zip(groups, choice).map { $0[$1] })
      var position = groups.count - 1
      while position >= 0 {
        choice[position] += 1
        if choice[position] < groups[position].count { break }
        choice[position] = 0
        position -= 1
      }
      if position < 0 { return }
    }
  }

  private func product(_ factors: [Int]) -> Int? {
    var result = 1
    for factor in factors {
      let (product, overflow) = result.multipliedReportingOverflow(by: factor)
      guard !overflow else { return nil }
      result = product
    }
    return result
  }
}
