internal import Glibc
public import KelvinModel

/// Reads an agenda with its config files and plans it.
public enum AgendaReader {
  /// The agenda, planned.
  ///
  /// - Throws: every mistake in all files at once; after a syntax error the rest of that file is
  ///   unread.
  public static func read(
    _ request: AgendaRequest, declarations: Declarations
  ) throws(ConfigurationFailure) -> Agenda {
    let (agenda, diagnostics) = readAll(request, declarations)
    guard let agenda, !diagnostics.contains(where: { $0.severity == .error }) else {
      throw ConfigurationFailure(diagnostics)
    }
    return agenda
  }

  /// The plan as far as one can be made, and everything found, for `kelvin plan`: what this version
  /// cannot carry out (reboots of this machine) is an error, but can be shown.
  ///
  /// - Returns: no plan when mistakes leave open what was meant.
  public static func readForPlanning(
    _ request: AgendaRequest, declarations: Declarations
  ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
    let (agenda, diagnostics) = readAll(request, declarations)
    return (agenda?.plan, diagnostics)
  }

  private static func readAll(
    _ request: AgendaRequest, _ declarations: Declarations
  ) -> (Agenda?, [Diagnostic]) {
    var loader = SourceLoader(limits: request.limits)
    var builder = PlanBuilder(outline(request, declarations, &loader))
    let plan = builder.build()
    let diagnostics = builder.checker.diagnostics.sorted(files: loader.sources.map(\.path))
    guard let plan else { return (nil, diagnostics) }
    let agenda = Agenda(
      plan: plan, sources: loader.sources,
      warnings: diagnostics.filter { $0.severity == .warning })
    return (agenda, diagnostics)
  }

  /// Reads all files in order of precedence; the values as written are freed with this call, before
  /// specs are made.
  private static func outline(
    _ request: AgendaRequest, _ declarations: Declarations, _ loader: inout SourceLoader
  ) -> OutlineReader {
    var reader = OutlineReader(request, declarations)
    for path in request.userConfigPaths {
      reader.checker.diagnostics.isLenient = belongsToWA(
        path, directory: getenv("WA_USER_DIRECTORY").map { String(cString: $0) })
      if let root = loader.load(path, into: &reader.checker.diagnostics) {
        reader.readConfigFile(root)
      }
      reader.checker.diagnostics.isLenient = false
    }
    for path in request.configPaths {
      if let root = loader.load(path, into: &reader.checker.diagnostics) {
        reader.readConfigFile(root)
      }
    }
    if let root = loader.load(request.agendaPath, into: &reader.checker.diagnostics) {
      reader.readAgenda(root)
    }
    loader.forgetDocuments()
    reader.settleDevice()
    return reader
  }

  /// Whether a config file stands in WA's directory, or in the one that its user chose instead.
  static func belongsToWA(_ path: String, directory: String?) -> Bool {
    if path.contains("/.workload_automation/") { return true }
    guard let directory, !directory.isEmpty else { return false }
    return path.hasPrefix(directory.hasSuffix("/") ? directory : directory + "/")
  }
}
