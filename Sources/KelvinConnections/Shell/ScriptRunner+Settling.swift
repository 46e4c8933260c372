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
    var (outcomes, isComplete): ([ValueOutcome], Bool)
    if script.utf8.count <= scriptLimit || steps.count == 1 {
      (outcomes, isComplete) = settling.outcomes(try output(of: script, until: deadline))
    } else {
      let middle = steps.count / 2
      outcomes = try await settle(Array(steps[..<middle]), until: deadline)
      outcomes += try await settle(Array(steps[middle...]), until: deadline)
      isComplete = false
    }
    if !isComplete {
      settling.set(try await read(settling.paths, until: deadline), in: &outcomes)
    }
    return outcomes
  }
}
