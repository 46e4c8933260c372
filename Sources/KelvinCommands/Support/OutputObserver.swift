internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore
internal import Synchronization

/// Derives files while a run goes on: after each job and at the end. A failing output is reported
/// once and harms nothing else.
final class OutputObserver: RunObserver {
  private let chain: OutputChain
  private let directory: String
  private let store: RunStore
  private struct State {
    var reader: RunReader?
    var problems: [String] = []
  }
  private let state = Mutex(State())

  init(_ chain: OutputChain, directory: String, store: RunStore) {
    self.chain = chain
    self.directory = directory
    self.store = store
  }

  /// What went wrong, for the summary.
  var problems: [String] { state.withLock { $0.problems } }

  func observe(_ event: RunEvent) {
    do {
      switch event {
      case .attemptEnded(let report):
        guard let outcome = report.jobOutcome, !chain.processors.isEmpty else { return }
        let job = JobRecord(
          position: report.position, spec: report.specIndex, iteration: report.iteration,
          outcome: outcome, attempts: report.attempt)
        note(chain.process(job: job, in: try reader(), to: directory))
      case .processOutputs:
        let (artifacts, problems) = chain.process(run: try reader(), to: directory)
        note(problems)
        try store.add(runArtifacts: artifacts)
        // Closed before the store, so that run.db alone is complete afterwards.
        state.withLock { $0.reader = nil }
      default: break
      }
    } catch {
      note("outputs: \(PlainFailure(error))")
    }
  }

  private func reader() throws -> RunReader {
    try state.withLock { state in
      if let reader = state.reader { return reader }
      let reader = try RunReader(directory: directory)
      state.reader = reader
      return reader
    }
  }

  private func note(_ problems: [OutputChain.Problem]) {
    for problem in problems { note("output \(problem.output): \(problem.failure)") }
  }

  private func note(_ problem: String) {
    state.withLock { state in
      if !state.problems.contains(problem), state.problems.count < 100 {
        state.problems.append(problem)
      }
    }
  }
}
