internal import KelvinExecution
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore
internal import Synchronization

/// Derives files while a run goes on: after each job and at the end. A failing output is reported
/// and harms nothing else.
final class OutputObserver: RunObserver {
  private let processors: [(name: String, processor: any OutputProcessor)]
  private let directory: String
  private let store: RunStore
  private let reader = Mutex<RunReader?>(nil)
  private let failures = Mutex<[String]>([])

  init(
    processors: [(name: String, processor: any OutputProcessor)], directory: String,
    store: RunStore
  ) {
    self.processors = processors
    self.directory = directory
    self.store = store
  }

  /// What went wrong, for the summary.
  var problems: [String] { failures.withLock { $0 } }

  func observe(_ event: RunEvent) {
    switch event {
    case .attemptEnded(let report):
      guard let outcome = report.jobOutcome else { return }
      let job = JobRecord(
        position: report.position, spec: report.specIndex, iteration: report.iteration,
        outcome: outcome, attempts: report.attempt)
      for (name, processor) in processors {
        attempt(name) { try processor.process(job: job, in: try openReader(), to: directory) }
      }
    case .processOutputs:
      for (name, processor) in processors {
        attempt(name) {
          let artifacts = try processor.process(run: try openReader(), to: directory)
          try store.add(runArtifacts: artifacts)
        }
      }
    default: break
    }
  }

  private func openReader() throws -> RunReader {
    try reader.withLock { reader in
      if let reader { return reader }
      let opened = try RunReader(directory: directory)
      reader = opened
      return opened
    }
  }

  private func attempt(_ name: String, _ body: () throws -> Void) {
    do {
      try body()
    } catch {
      let text = "output \(name): \(PlainFailure(error))"
      failures.withLock { if !$0.contains(text) { $0.append(text) } }
    }
  }
}
