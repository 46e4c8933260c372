internal import ArgumentParser
internal import KelvinModel
internal import KelvinOutputs
internal import KelvinStore

/// `kelvin process`: derives outputs from a run's database, again or for the first time.
struct ProcessCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "process",
    abstract: "Derives outputs from a run, again or for the first time.",
    discussion: """
      EXAMPLES
        kelvin process runs/2026-11-21T10-02-33-x -p csv,json,junit
        kelvin process runs/2026-11-21T10-02-33-x -p csv --set csv.attempts=all
      """)

  @Argument(help: "The run directory.", completion: .directory)
  var directory: String

  @Option(
    name: [.customShort("p"), .customLong("processors")],
    help: "Names of outputs, separated by commas; default: those that the agenda lists.",
    completion: .custom { _, _, _ in
      CommandEnvironment.current.outputs.map { $0.declaration.name }
    })
  var processors: String?

  @Option(
    parsing: .singleValue, help: "A setting of an output: OUTPUT.OPTION=VALUE. May be repeated.")
  var set: [String] = []

  func run() async throws {
    let reader = try RunReader(directory: directory)
    let settings = try reader.plan().settings.augmentations
    let overrides = try parseOverrides()
    for type in try wanted(reader) {
      let declaration = type.declaration
      var diagnostics: [Diagnostic] = []
      let written = declaration.options.validate(
        overrides[declaration.name] ?? [], as: "output '\(declaration.name)'",
        at: SourceLocation(file: "--set"), fillDefaults: false, into: &diagnostics)
      guard let written else { throw ConfigurationFailure(diagnostics) }
      let stored = declaration.options.withDefaults(settings[declaration.name] ?? [:])
      let processor = try type.init(settings: stored.merging(written) { _, new in new })
      for artifact in try processor.process(run: reader, to: directory) {
        Terminal.standardOutput.line(directory + "/" + artifact.path)
      }
    }
  }

  private func wanted(_ reader: RunReader) throws -> [any OutputProcessor.Type] {
    let outputs = CommandEnvironment.current.outputs
    let names: [String]
    if let processors {
      names = processors.split(separator: ",").map { String($0.trimmingASCIIWhitespace) }
    } else {
      let enabled = Set(try reader.plan().specs.flatMap(\.augmentations))
      names = outputs.map { $0.declaration.name }.filter(enabled.contains)
    }
    let known = outputs.map { $0.declaration.name }
    for name in names where !known.contains(name) {
      throw PlainFailure(
        .configuration, "output '\(name)': unknown",
        hint: NearestName.hint(for: name, in: known))
    }
    // In the listing's order, so that an archive packs what the others wrote.
    return outputs.filter { names.contains($0.declaration.name) }
  }

  private func parseOverrides() throws -> [String: [LocatedValue.Entry]] {
    var overrides: [String: [LocatedValue.Entry]] = [:]
    for text in set {
      let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
      let names = sides.first?.split(separator: ".", maxSplits: 1).map(String.init) ?? []
      guard sides.count == 2, names.count == 2 else {
        throw PlainFailure(
          .configuration, "--set \(text): not understood", hint: "write OUTPUT.OPTION=VALUE")
      }
      let location = SourceLocation(file: "--set \(text)")
      overrides[names[0], default: []].append(
        LocatedValue.Entry(
          key: names[1], keyLocation: location,
          value: LocatedValue(.scalar(.init(sides[1])), at: location)))
    }
    return overrides
  }
}
