internal import KelvinModel

/// Puts the iterations of all specs into the order of execution; linear in the number of jobs.
struct JobOrder {
  /// Iterations by spec, in agenda order: section by section.
  var iterations: [Int]
  /// Specs so that each workload entry's sections follow each other.
  var workloadMajor: [Int]
  var seed: UInt64

  /// The jobs in the order of execution.
  func jobs(_ order: ExecutionOrder) -> [PlannedJob] {
    switch order {
    case .byIteration: rounds(of: workloadMajor, isTurning: false)
    case .interleaved: rounds(of: workloadMajor, isTurning: true)
    case .bySection: rounds(of: Array(iterations.indices), isTurning: false)
    case .byWorkload: allIterationsTogether()
    case .random: shuffled()
    }
  }

  private var total: Int { iterations.reduce(0, +) }

  private func rounds(of specs: [Int], isTurning: Bool) -> [PlannedJob] {
    var jobs: [PlannedJob] = []
    jobs.reserveCapacity(total)
    var left = specs
    var round = 1
    while !left.isEmpty {
      if isTurning, round.isMultiple(of: 2) {
        for spec in left.reversed() { jobs.append(PlannedJob(spec: spec, iteration: round)) }
      } else {
        for spec in left { jobs.append(PlannedJob(spec: spec, iteration: round)) }
      }
      round += 1
      left.removeAll { iterations[$0] < round }
    }
    return jobs
  }

  private func allIterationsTogether() -> [PlannedJob] {
    var jobs: [PlannedJob] = []
    jobs.reserveCapacity(total)
    for spec in workloadMajor {
      for iteration in 1...iterations[spec] {
        jobs.append(PlannedJob(spec: spec, iteration: iteration))
      }
    }
    return jobs
  }

  /// Fisher and Yates's shuffle from the end, of the jobs in by_workload's order.
  private func shuffled() -> [PlannedJob] {
    var jobs = allIterationsTogether()
    var generator = SplitMix64(seed: seed)
    for last in jobs.indices.dropFirst().reversed() {
      jobs.swapAt(last, generator.next(below: last + 1))
    }
    return jobs
  }
}
