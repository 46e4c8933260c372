internal import Glibc
public import KelvinModel

extension LocalConnection {
  /// By system calls; a user who is not root and may not write all of the files settles by root's
  /// shells, where there is a way to them.
  public func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    guard !steps.isEmpty else { return [] }
    try steps.check(connection: name)
    if deadline.isInterrupted { throw ConnectionFailure(.interrupted, "\(name): stopped") }
    if deadline.hasPassed {
      throw ConnectionFailure(.timedOut, "\(name): no time was left to look at any value")
    }
    let (paths, places) = steps.distinctPaths
    let files = paths.map(resolve)
    let isOpen = zip(steps, places).allSatisfy { step, place in
      access(files[place], step.wanted == nil ? R_OK : W_OK) == 0
    }
    if !isOpen, let roots = try shells?.rootRunner(until: deadline) {
      let there = zip(steps, places).map { step, place in
        var step = step
        step.path = TargetPath(files[place])
        return step
      }
      return try await roots.settle(there, until: deadline)
    }
    var outcomes = zip(steps, places).map { step, place in
      let before = Result { () throws(Errno) in try LocalFile.read(files[place]) }
      var outcome = ValueOutcome(before: before, writing: .notNeeded, after: before)
      if let wanted = step.wanted, step.isWritten(over: before) {
        outcome.writing = .init(
          Result { () throws(Errno) in try LocalFile.write(wanted, to: files[place]) })
      }
      return outcome
    }
    let after = files.map { file in
      Result { () throws(Errno) in try LocalFile.read(file) }
    }
    for (index, place) in places.enumerated() { outcomes[index].after = after[place] }
    return outcomes
  }
}
