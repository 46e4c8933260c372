extension [Int64] {
  /// The first place, in ascending numbers, with one that is not below.
  func lowerBound(_ value: Int64) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The first place, in ascending numbers, with one that is above.
  func upperBound(_ value: Int64) -> Int { value == .max ? count : lowerBound(value + 1) }
}
