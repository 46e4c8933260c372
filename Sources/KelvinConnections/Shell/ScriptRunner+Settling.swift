internal import Glibc
package import KelvinModel

extension ScriptRunner {
  /// By one script, of root's shells where the user is not root and there is a way to them.
  package func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    guard !steps.isEmpty else { return [] }
    try steps.check(connection: name)
    if let roots = try rootRunner(until: deadline) {
      return try await roots.settle(steps, until: deadline)
    }
    let settling = ShellSettling(steps, limit: readLimit)
    let script = settling.script
    guard script.utf8.count > scriptLimit, steps.count > 1 || steps[0].wanted != nil else {
      var (outcomes, isComplete) = settling.outcomes(try output(of: script, until: deadline))
      if !isComplete {
        settling.set(try await read(settling.paths, until: deadline), in: &outcomes)
      }
      return outcomes
    }
    if steps.count == 1 {
      // What no script can say is not written; the others are.
      var outcomes = try await settle([ValueStep(steps[0].path)], until: deadline)
      outcomes[0].writing = .failed(Errno(E2BIG))
      return outcomes
    }
    let middle = steps.count / 2
    var outcomes = try await settle(Array(steps[..<middle]), until: deadline)
    outcomes += try await settle(Array(steps[middle...]), until: deadline)
    settling.set(try await read(settling.paths, until: deadline), in: &outcomes)
    return outcomes
  }
}
