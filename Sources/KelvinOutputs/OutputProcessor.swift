public import KelvinModel
public import KelvinStore

/// Derives files from a run's store, while the run goes on or later.
public protocol OutputProcessor: Sendable {
  /// Of kind ``Declaration/Kind/output``.
  static var declaration: Declaration { get }

  /// Creates the processor from validated settings with defaults filled in.
  init(settings: [String: Value]) throws

  /// Acts after a job has ended; costs no more for the last job than for the first.
  func process(job: JobRecord, in run: RunReader, to directory: String) throws

  /// Writes the files at the end of a run, or when asked later; gives what it wrote.
  func process(run: RunReader, to directory: String) throws -> [Artifact]
}

extension OutputProcessor {
  public func process(job: JobRecord, in run: RunReader, to directory: String) throws {}
}

/// The built-in output processors.
public enum Outputs {
  /// In the order in which they act: the archive last, so that it holds what the others wrote.
  public static let all: [any OutputProcessor.Type] = []
}
