/// Times by straight lines between some that are known, and by a fixed step outside them.
struct PiecewiseTime {
  private let known: [(place: Int64, time: Int64)]
  private let step: Double

  init(_ known: [(Int64, Int64)], step: Double) {
    self.known = known.map { (place: $0.0, time: $0.1) }
    self.step = step
  }

  /// Nanoseconds a sample from the known time `index` to the next one.
  func slope(from index: Int) -> Double {
    guard index >= 0, index + 1 < known.count else { return step }
    let places = Double(known[index + 1].place - known[index].place)
    return Double(known[index + 1].time - known[index].time) / places
  }

  subscript(place: Int) -> Int64 {
    guard !known.isEmpty else { return Int64(min(Double(place) * step, 0x1p62).rounded()) }
    var low = 0
    var high = known.count
    while low + 1 < high {
      let middle = (low + high) / 2
      if known[middle].place <= place { low = middle } else { high = middle }
    }
    let isInside = known[low].place <= place && low + 1 < known.count
    let distance = Double(Int64(place) - known[low].place)
    let change = distance * (isInside ? slope(from: low) : step)
    return known[low].time &+ Int64(min(max(change, -0x1p62), 0x1p62).rounded())
  }
}
