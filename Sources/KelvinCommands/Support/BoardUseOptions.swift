internal import ArgumentParser
internal import Glibc
internal import KelvinExecution
internal import KelvinModel

/// How a command outside of runs gets at a board that somebody may have.
struct BoardUseOptions: ParsableArguments {
  @Flag(
    help: """
      Also beside a run of your own, or what a dead one left, and when the bench database cannot be \
      used. Never what another user has or keeps.
      """)
  var force = false

  /// Who acts: this user, perhaps from within a run.
  var use: BoardUse {
    BoardUse(
      run: getenv("KELVIN_RUN").map { String(cString: $0) } ?? "", force: force,
      note: { Terminal.standardError.line("kelvin: \($0)") })
  }
}
