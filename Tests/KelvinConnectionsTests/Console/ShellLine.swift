import KelvinModel
import KelvinSimulators

@testable import KelvinConnections

/// The console of a board that is this machine: a shell on a pseudo terminal, with all its programs.
struct ShellLine: ConsoleLine {
  /// Used by the connection's one thread at a time.
  private nonisolated(unsafe) let shell: LineShell

  init(_ kind: LineShell.Kind, _ faults: LineFaults = LineFaults()) throws {
    shell = try LineShell(
      kind, faults, environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"])
  }

  init(_ shell: LineShell) { self.shell = shell }

  var name: String { "console of a test" }

  func open(until deadline: Deadline) throws(ConnectionFailure) -> any ByteLink {
    shell.link
  }

  func connection() -> ConsoleConnection { ConsoleConnection(self, listens: false) }
}
