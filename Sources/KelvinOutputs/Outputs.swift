public import KelvinModel
public import KelvinStore

/// The built-in output processors.
public enum Outputs {
  /// In the order in which they act: the archive last, so that it holds what the others wrote.
  public static let all: [any OutputProcessor.Type] = [
    CSVOutput.self,
    JSONOutput.self,
    JUnitOutput.self,
    StatusOutput.self,
    ArchiveOutput.self
  ]
}

/// Output processors that act together: what one of them fails at touches no other.
public struct OutputChain: Sendable {
  /// In the order in which they act.
  public let processors: [any OutputProcessor]

  /// A processor that failed, and why.
  public struct Problem: Sendable, Hashable {
    public var output: String
    public var failure: PlainFailure
  }

  /// Creates a chain.
  public init(_ processors: [any OutputProcessor]) { self.processors = processors }

  /// Lets each processor act on a job that has ended; gives the failures.
  public func process(job: JobRecord, in run: RunReader, to directory: String) -> [Problem] {
    processors.compactMap { processor in
      do {
        try processor.process(job: job, in: run, to: directory)
        return nil
      } catch {
        return Problem(output: processor.name, failure: PlainFailure(error))
      }
    }
  }

  /// Lets each processor write its files; gives those written, and the failures.
  public func process(
    run: RunReader, to directory: String
  ) -> (artifacts: [Artifact], problems: [Problem]) {
    var artifacts: [Artifact] = []
    var problems: [Problem] = []
    for processor in processors {
      do {
        artifacts += try processor.process(run: run, to: directory)
      } catch {
        problems.append(Problem(output: processor.name, failure: PlainFailure(error)))
      }
    }
    return (artifacts, problems)
  }
}
