public import KelvinModel
public import KelvinStore

/// Derives files from a run's store, while the run goes on or later.
///
/// A processor reads the store and writes into the directory that it is given, nothing else. Calls
/// block the caller's thread, one at a time.
public protocol OutputProcessor: Sendable {
  /// Of kind ``Declaration/Kind/output``.
  static var declaration: Declaration { get }

  /// Creates the processor from validated settings with defaults filled in.
  init(settings: [String: Value]) throws

  /// Acts after a job has ended; costs no more for the last job than for the first. Does nothing by
  /// default.
  func process(job: JobRecord, in run: RunReader, to directory: String) throws

  /// Writes the files at the end of a run, or when asked later; gives what it wrote, with paths
  /// relative to the directory.
  func process(run: RunReader, to directory: String) throws -> [Artifact]
}

extension OutputProcessor {
  public func process(job: JobRecord, in run: RunReader, to directory: String) throws {}

  /// The processor's name.
  var name: String { Self.declaration.name }

  /// The record of a file that the processor wrote.
  func artifact(_ path: String, _ description: String) -> Artifact {
    Artifact(
      name: name, path: path, kind: .export, description: description, source: name)
  }
}
