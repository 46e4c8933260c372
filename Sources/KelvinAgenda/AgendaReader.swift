public import KelvinModel

/// An agenda that was read without a mistake.
public struct Agenda: Sendable {
  public let plan: Plan
  /// Agenda, includes and configuration files as they were read.
  public let sources: [(path: String, content: String)]
  public let warnings: [Diagnostic]
}

/// Reads an agenda and plans its jobs. Touches nothing but the files that it reads.
public enum AgendaReader {
  /// Reads an agenda.
  ///
  /// - Throws: all mistakes at once, each with its place; warnings are among them.
  public static func read(
    _ request: AgendaRequest, declarations: Declarations
  ) throws(ConfigurationFailure) -> Agenda {
    var builder = PlanBuilder(request, declarations)
    let plan = builder.build()
    let diagnostics = builder.diagnostics
    guard let plan, !diagnostics.contains(where: { $0.severity == .error }) else {
      throw ConfigurationFailure(diagnostics)
    }
    return Agenda(plan: plan, sources: builder.files.loaded, warnings: diagnostics)
  }

  /// Reads an agenda for showing: the plan as far as it can be made, and everything that is wrong.
  public static func readForPlanning(
    _ request: AgendaRequest, declarations: Declarations
  ) -> (plan: Plan?, diagnostics: [Diagnostic]) {
    var builder = PlanBuilder(request, declarations)
    let plan = builder.build()
    return (plan, builder.diagnostics)
  }
}
