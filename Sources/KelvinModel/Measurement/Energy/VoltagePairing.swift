/// Brings voltages to the times of currents, where a meter reads one after the other.
struct VoltagePairing: Sendable {
  private(set) var unpaired: Int64 = 0
  private var currents: (times: [Int64], codes: [Int64]) = ([], [])
  private var voltages: (times: [Int64], codes: [Int64]) = ([], [])
  private static let most = 1 << 20

  var isEmpty: Bool { currents.times.isEmpty && voltages.times.isEmpty }

  mutating func add(currents more: [SampleBlock], voltages others: [SampleBlock]) {
    Self.add(more, to: &currents)
    Self.add(others, to: &voltages)
    // Whatever waits for a partner that never comes must not fill the memory.
    let excess = currents.times.count - Self.most
    if excess > 0 {
      currents.times.removeFirst(excess)
      currents.codes.removeFirst(excess)
      unpaired += Int64(excess)
    }
    let others = voltages.times.count - Self.most
    if others > 0 {
      voltages.times.removeFirst(others)
      voltages.codes.removeFirst(others)
    }
  }

  /// Currents with a voltage on both sides; at the end also those with one near on one side. The others
  /// are dropped and counted.
  mutating func take(
    voltage factor: PowerSource.Factor, isLast: Bool
  ) -> (times: [Int64], codes: [Int64], voltages: [Double]) {
    var result: (times: [Int64], codes: [Int64], voltages: [Double]) = ([], [], [])
    guard let first = voltages.times.first, let last = voltages.times.last else {
      if isLast {
        unpaired += Int64(currents.times.count)
        currents = ([], [])
      }
      return result
    }
    func value(_ index: Int) -> Double {
      Double(voltages.codes[index]) * factor.scale + factor.offset
    }
    let near = (PowerRun.medianSpacing(voltages.times) ?? 0) * 1.5
    var used = 0
    var v = 0
    for (time, code) in zip(currents.times, currents.codes) {
      if time > last, !isLast { break }
      used += 1
      if time < first || time > last {
        guard Double(time < first ? first &- time : time &- last) <= near else {
          unpaired += 1
          continue
        }
        result.voltages.append(value(time < first ? 0 : voltages.times.count - 1))
      } else {
        while v + 1 < voltages.times.count, voltages.times[v + 1] < time { v += 1 }
        let after = voltages.times[v] >= time ? v : min(v + 1, voltages.times.count - 1)
        let span = Double(voltages.times[after] &- voltages.times[v])
        let share = span > 0 ? Double(time &- voltages.times[v]) / span : 0
        result.voltages.append(value(v) + (value(after) - value(v)) * share)
      }
      result.times.append(time)
      result.codes.append(code)
    }
    currents.times.removeFirst(used)
    currents.codes.removeFirst(used)
    // The last one before what is yet to come stays, and one more for the distance between them.
    let next = currents.times.first ?? result.times.last ?? .min
    let stay = max(0, min(voltages.times.upperBound(next) - 2, voltages.times.count - 2))
    voltages.times.removeFirst(stay)
    voltages.codes.removeFirst(stay)
    return result
  }

  /// Times must ascend; what does not is left out.
  private static func add(
    _ blocks: [SampleBlock], to queue: inout (times: [Int64], codes: [Int64])
  ) {
    for block in blocks {
      for (index, code) in block.codes.enumerated() {
        let time = block.times[index]
        if let last = queue.times.last, time <= last { continue }
        queue.times.append(time)
        queue.codes.append(code)
      }
    }
  }
}
