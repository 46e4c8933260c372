package import KelvinModel

extension ScriptRunner {
  /// By one script, of root's shells where the user is not root and there is a way to them.
  package func settle(
    _ steps: [ValueStep], until deadline: Deadline
  ) async throws(ConnectionFailure) -> [ValueOutcome] {
    guard !steps.isEmpty else { return [] }
    if let roots = try rootRunner(until: deadline) {
      return try await roots.settle(steps, until: deadline)
    }
    let settling = ShellSettling(steps, limit: readLimit)
    var (outcomes, isComplete) = settling.outcomes(
      try output(of: settling.script, until: deadline))
    if !isComplete {
      settling.set(try await read(settling.paths, until: deadline), in: &outcomes)
    }
    return outcomes
  }
}
