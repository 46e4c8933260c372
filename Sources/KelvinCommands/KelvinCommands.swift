public import ArgumentParser
internal import Glibc
internal import KelvinModel

/// KelvinCommands is the command line: one file per subcommand, each parses, builds what the call
/// needs, calls a library and prints. Plug-in packages call ``KelvinCommand/main(registry:outputs:)``.
///
/// It must not hold logic that another program would need.
public struct KelvinCommand: AsyncParsableCommand {
  public static let configuration = CommandConfiguration(
    commandName: "kelvin",
    abstract: "Runs workloads on boards and measures what they cost.",
    discussion: """
      EXAMPLES
        kelvin run examples/quickstart.yaml     run an agenda on this machine
        kelvin plan agenda.yaml                 show what would run, touching nothing
        kelvin show runs/2026-11-21T10-02-33-x  what a run found
        kelvin resume runs/2026-11-21T10-02-33-x
        kelvin list instruments                 what can be measured here
        kelvin show workload fio                what a workload takes
        kelvin bench who                        who has which board
        kelvin mark decode                      mark a phase of the job that is running
        kelvin meter list                       what measures power and energy here

      EXIT CODES of run and resume
        0    every job is ok
        1    some job is not ok (partial and infrastructure failures included)
        2    bad input or usage; nothing was touched
        3    the run could not go on; what it found is kept, and 'kelvin resume' continues it
        130  ended by SIGINT    143  ended by SIGTERM
      """,
    version: KelvinVersion.text,
    subcommands: [
      RunCommand.self, ResumeCommand.self, PlanCommand.self, ProcessCommand.self,
      ShowCommand.self, ListCommand.self, RunsCommand.self, BenchCommand.self,
      PowerCommand.self, TargetCommand.self, MeterCommand.self, MeasureCommand.self,
      MarkCommand.self, ExportCommand.self, ImportCommand.self, SimulateCommand.self,
      CompletionCommand.self
    ])

  public init() {}
}

/// The version, in one place.
public enum KelvinVersion {
  public static let text = "0.1.0"
}

/// Ends a command with this exit code; what there is to say has been printed.
struct CommandExit: Error {
  let code: Int32

  /// Every job is ok.
  static let jobNotOK = CommandExit(code: 1)
  static let badInput = CommandExit(code: 2)
  static let cannotGoOn = CommandExit(code: 3)
  /// By a signal that ``SignalInterrupt`` took.
  static var interrupted: CommandExit { CommandExit(code: SignalInterrupt.exitCode ?? 130) }
}

extension KelvinCommand {
  /// Runs the command line of this process and exits with its code.
  ///
  /// - Parameter environment: what exists beyond the command line: built-ins and plug-ins.
  public static func main(_ environment: CommandEnvironment) async -> Never {
    signal(SIGPIPE, SIG_IGN)
    Glibc.exit(await run(Array(CommandLine.arguments.dropFirst()), environment))
  }

  /// Runs one command line.
  ///
  /// - Returns: the exit code.
  static func run(_ arguments: [String], _ environment: CommandEnvironment) async -> Int32 {
    await CommandEnvironment.$current.withValue(environment) {
      do {
        var command = try parseAsRoot(arguments)
        if var command = command as? any AsyncParsableCommand {
          try await command.run()
        } else {
          try command.run()
        }
        return 0
      } catch let error as CommandExit {
        return error.code
      } catch let error as ConfigurationFailure {
        // One line each, as compilers print them and editors read them.
        for diagnostic in error.diagnostics { Terminal.standardError.line("\(diagnostic)") }
        return SignalInterrupt.exitCode ?? 2
      } catch let error as any Failure {
        Terminal.standardError.line("kelvin: \(error)")
        return SignalInterrupt.exitCode ?? (error.kind == .configuration ? 2 : 3)
      } catch {
        // ArgumentParser's own: help and version go to standard output with 0, mistakes to
        // standard error with our code for bad usage.
        let code = exitCode(for: error)
        let text = fullMessage(for: error)
        if code == .success {
          Terminal.standardOutput.line(text)
          return 0
        }
        Terminal.standardError.line(text)
        return 2
      }
    }
  }
}
