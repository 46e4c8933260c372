internal import KelvinModel

extension ExecutionOrder {
  /// Arranges the iterations of all specs; O(number of jobs).
  ///
  /// - Parameters:
  ///   - specs: section by section, each with its workloads in the order of the agenda.
  ///   - sections: of each spec, which section it belongs to, from 0.
  ///   - workloads: of each spec, which entry of the agenda's workloads it is, from 0.
  func arrange(
    iterations: [Int], sections: [Int], workloads: [Int], seed: UInt64
  ) -> [PlannedJob] {
    let indices = Array(iterations.indices)
    // Workloads outermost: X.A Y.A X.B Y.B.
    let byWorkload = indices.sorted {
      (workloads[$0], sections[$0], $0) < (workloads[$1], sections[$1], $1)
    }
    switch self {
    case .byIteration: return ExecutionOrder.rounds(byWorkload, iterations)
    case .bySection: return ExecutionOrder.rounds(indices, iterations)
    case .byWorkload:
      return byWorkload.flatMap { spec in
        (1...iterations[spec]).map { PlannedJob(spec: spec, iteration: $0) }
      }
    case .interleaved:
      return ExecutionOrder.rounds(byWorkload, iterations, isInterleaved: true)
    case .random:
      var jobs = ExecutionOrder.rounds(indices, iterations)
      var generator = SplitMix64(state: seed)
      // Fisher and Yates, as Knuth gives it (TAOCP 3.4.2 P).
      for last in stride(from: jobs.count - 1, to: 0, by: -1) {
        jobs.swapAt(last, Int(generator.next(below: UInt64(last + 1))))
      }
      return jobs
    }
  }

  /// The first iteration of all specs, then the second of those that have one, ...
  private static func rounds(
    _ specs: [Int], _ iterations: [Int], isInterleaved: Bool = false
  ) -> [PlannedJob] {
    var jobs: [PlannedJob] = []
    jobs.reserveCapacity(iterations.reduce(0, +))
    var remaining = specs
    var iteration = 1
    while !remaining.isEmpty {
      let round = isInterleaved && iteration % 2 == 0 ? remaining.reversed() : remaining
      jobs += round.map { PlannedJob(spec: $0, iteration: iteration) }
      iteration += 1
      remaining.removeAll { iterations[$0] < iteration }
    }
    return jobs
  }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the same
/// numbers for a seed on every machine and in every version.
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Evenly from 0 to `bound - 1`: numbers beyond the last whole multiple are drawn again.
  mutating func next(below bound: UInt64) -> UInt64 {
    let limit = UInt64.max - UInt64.max % bound
    while true {
      let number = next()
      if number < limit { return number % bound }
    }
  }
}
