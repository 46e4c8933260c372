public import KelvinModel

/// Reads bench files; nothing is looked for or opened.
public enum BenchReader {
  /// The bench that the files describe together.
  ///
  /// - Throws: every mistake in all files at once; after a syntax error the rest of that file is
  ///   unread.
  public static func read(
    _ request: BenchRequest, declarations: BenchDeclarations
  ) throws(ConfigurationFailure) -> BenchReading {
    var loader = SourceLoader(limits: request.limits)
    var reader = BenchFileReader(request, declarations)
    for path in request.paths {
      if let root = loader.load(path, into: &reader.checker.diagnostics) { reader.read(root) }
    }
    let fromFiles = reader.bench.meters.count
    for text in request.meters { reader.read(commandLineMeter: text) }
    reader.checkReferences()
    var claims = BenchClaims(declarations)
    // Who declares a meter for one command may mean one that a file has, too.
    var inFiles = reader.bench
    inFiles.meters.removeSubrange(fromFiles...)
    claims.check(inFiles, reader.references, into: &reader.checker.diagnostics)
    let diagnostics = reader.checker.diagnostics.sorted(files: loader.sources.map(\.path))
    guard !diagnostics.contains(where: { $0.severity == .error }) else {
      throw ConfigurationFailure(diagnostics)
    }
    return BenchReading(
      bench: reader.bench, sources: loader.sources,
      commandLineMeters: reader.bench.meters[fromFiles...].map(\.name), warnings: diagnostics)
  }
}
