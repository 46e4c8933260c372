import Glibc
import KelvinConnections
import KelvinModel
import KelvinSimulators
import Testing

/// A run's board has a console: real processes, a real socket.
@Suite struct RunConsoleTests {
  let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private var environment: [String: String] {
    ["XDG_RUNTIME_DIR": scratch.path + "/run", "XDG_STATE_HOME": scratch.path + "/state"]
  }

  private func wait(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = Deadline.after(seconds: 30)
    while try !condition() {
      try #require(!deadline.hasPassed, "\(what): not within 30 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  /// Everything that a board says between the begin of a run and the end of its resume is in the
  /// run's console.log, in order and once, although the run was killed in between.
  @Test(.timeLimit(.minutes(2)))
  func missesNothingThatABoardSaysWhileItsRunIsDead() async throws {
    guard mkdir(scratch.path + "/run", 0o700) == 0 else { throw Errno.current }
    let listener = try WireListener.unix(scratch.path + "/c.sock")
    try scratch.write(
      "bench.yaml",
      "boards: {rock: {profile: generic-linux, connection: local, console: {socket: c.sock}}}")
    try scratch.write(
      "a.yaml",
      """
      config: {augmentations: [csv]}
      workloads:
        - name: command
          params: {argv: [sh, -c, 'touch started; while test -d \(scratch.path) && ! test -e \(scratch.path)/go; do sleep 0.02; done']}
          iterations: 2
      """)
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out", "--board", "rock"], in: scratch.path, environment: environment)
    let wire = try listener.accept()
    try await wait("the run") { scratch.exists("out/console.json") && scratch.exists("started") }
    try wire.write(Array("before\n".utf8), until: .after(seconds: 10))
    #expect(process.processID > 1)
    kill(process.processID, SIGKILL)
    _ = try? await process.wait(until: .after(seconds: 10))
    #expect(!scratch.exists("out/console.log"))
    try wire.write(Array("while it was dead \u{fffd}\n".utf8), until: .after(seconds: 10))
    try scratch.write("go", "")
    let resumed = try await KelvinBinary.run(
      ["resume", "out", "-q"], in: scratch.path, environment: environment)
    #expect(resumed.code == 0, "\(resumed.both)")
    let down = try await KelvinBinary.run(
      ["bench", "down", "--force"], in: scratch.path, environment: environment)
    #expect(down.code == 0, "\(down.both)")
    #expect(try scratch.read("out/console.log") == "before\nwhile it was dead \u{fffd}\n")
  }

  /// `serialmon` gives each job its own part, from the log of the owner of ports.
  @Test(.timeLimit(.minutes(2)))
  func givesAJobWhatItsBoardSaidMeanwhile() async throws {
    guard mkdir(scratch.path + "/run", 0o700) == 0 else { throw Errno.current }
    let listener = try WireListener.unix(scratch.path + "/c.sock")
    try scratch.write(
      "bench.yaml",
      "boards: {rock: {profile: generic-linux, connection: local, console: {socket: c.sock}}}")
    try scratch.write(
      "a.yaml",
      """
      config: {augmentations: [serialmon]}
      workloads:
        - name: command
          params: {argv: [sh, -c, 'touch started; while test -d \(scratch.path) && ! test -e \(scratch.path)/go; do sleep 0.02; done']}
      """)
    let process = try await KelvinBinary.start(
      ["run", "a.yaml", "-d", "out", "--board", "rock"], in: scratch.path, environment: environment)
    let wire = try listener.accept()
    try await wait("the job") { scratch.exists("started") }
    let said = "[   12.5] Oops: 0002 [#1] PREEMPT SMP\r\n"
    try wire.write(Array(said.utf8), until: .after(seconds: 10))
    let log = "state/kelvin/consoles/rock/00000000000000000000.bytes"
    try await wait("the owner's log") {
      scratch.exists(log) ? try scratch.read(log).hasSuffix("SMP\r\n") : false
    }
    try scratch.write("go", "")
    let result = try await process.wait(until: .after(seconds: 60))
    #expect(result.isSuccess, "\(result.standardError.text)")
    #expect(result.standardError.text.contains("Oops: 0002"), "\(result.standardError.text)")
    #expect(try scratch.read("out/jobs/0001-command-1/attempt-1/console.log") == said)
    let down = try await KelvinBinary.run(
      ["bench", "down", "--force"], in: scratch.path, environment: environment)
    #expect(down.code == 0, "\(down.both)")
  }

  /// A run does not depend on its console.
  @Test(.timeLimit(.minutes(2)))
  func warnsWhenTheConsoleCannotBeHeld() async throws {
    guard mkdir(scratch.path + "/run", 0o700) == 0 else { throw Errno.current }
    try scratch.write(
      "bench.yaml",
      "boards: {rock: {profile: generic-linux, connection: local, console: {socket: none.sock}}}")
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]")
    let ran = try await KelvinBinary.run(
      ["run", "a.yaml", "-d", "out", "--board", "rock", "-q"], in: scratch.path,
      environment: environment)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.errors.contains("console of 'rock'"), "\(ran.errors)")
    _ = try await KelvinBinary.run(
      ["bench", "down", "--force"], in: scratch.path, environment: environment)
  }
}
