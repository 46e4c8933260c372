public import KelvinModel

extension SampleSummary {
  /// What only a sampler on a board tells, for a capture's record; times in nanoseconds. Empty for
  /// others.
  public var boardRecord: [String: Value] {
    var record: [String: Value] = [:]
    if let clock {
      record["clock origin"] = .integer(clock.origin)
      record["clock offset"] = .integer(clock.offset)
      record["clock skew"] = .number(clock.skew)
      record["clock residual"] = .number(clock.residual)
      record["clock readings"] = .integer(Int64(clock.count))
    }
    if let clockBound { record["clock bound"] = .integer(clockBound) }
    if let probe {
      record["probe window"] = .integer(probe.window)
      record["probe wake-ups"] = .integer(probe.wakeUps)
      record["probe preemptions"] = .integer(probe.preemptions)
      record["probe page faults"] = .integer(probe.pageFaults)
      record["probe bytes out"] = .integer(probe.bytesOut)
      record["probe bytes in"] = .integer(probe.bytesIn)
      record["probe link cpu"] = probe.linkCPUNanoseconds.map(Value.integer)
      record["probe link wake-ups"] = probe.linkWakeUps.map(Value.integer)
      record["board forks"] = probe.boardForks.map(Value.integer)
    }
    return record
  }
}
