import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// The options that every command has, as an agenda writes them, over both connections.
@Suite(.timeLimit(.minutes(1))) struct CommandOptionTests {
  static let connections = ["local", "shell"]

  static func connection(
    _ name: String, environment: [String: String] = [:]
  ) -> any Connection {
    name == "local"
      ? LocalConnection(environment: environment) : ShellConnection(environment: environment)
  }

  struct Run {
    let outcome: Outcome
    let result: RunResult
    let metrics: [Metric]
    /// What the last attempt printed.
    let output: String
    let fingerprint: [String: String]
  }

  static func run(
    _ parameters: [String: Value], workload: WorkloadType = Recipe.command.type,
    through connection: any Connection = LocalConnection(), cleanup: Bool = false,
    iterations: Int = 1
  ) async throws -> Run {
    var fixture = RunFixture([
      JobSpec(
        id: "wk1", label: "x", workload: workload.declaration.name,
        parameters: workload.declaration.options.withDefaults(parameters),
        iterations: iterations, cleanupAssets: cleanup)
    ])
    fixture.workloads = [workload]
    fixture.connection = connection
    let result = try await fixture.run()
    let attempt = try result.reader.attempts(ofJob: iterations - 1).last
    let output = try? HostFile.read(result.path + "/jobs/0001-x-1/attempt-1/stdout")
    return Run(
      outcome: try #require(try result.outcomes().last ?? nil), result: result,
      metrics: try attempt.map { try result.reader.metrics(ofAttempt: $0.id) } ?? [],
      output: String(decoding: output ?? [], as: UTF8.self),
      fingerprint: try attempt?.fingerprint.map { try result.reader.fingerprint($0) } ?? [:])
  }

  static func log(_ run: Run) throws -> String {
    String(decoding: try HostFile.read(run.result.path + "/run.log"), as: UTF8.self)
  }

  @Test(arguments: connections)
  func readsItsStandardInput(through name: String) async throws {
    let run = try await Self.run(
      ["argv": ["cat"], "stdin": "one\n'two' $HOME\n"], through: Self.connection(name))
    #expect(run.outcome == .ok, "\(run.outcome)")
    #expect(run.output == "one\n'two' $HOME\n")
    let empty = try await Self.run(["argv": ["wc", "-c"]], through: Self.connection(name))
    #expect(empty.output == "0\n")
  }

  @Test(
    arguments: [
      (["printf", "<%s>", "a b", "$HOME", "*", ""], false, "<a b><$HOME><*><>"),
      (["printf '<%s>' 'a b' $x"], false, "<a b><$x>"),
      (["printf '<%s>' 'a b' | tr a-z A-Z; echo \"$((1 + 1))\""], true, "<A B>2\n"),
      (["echo", "a;", "echo", "b"], true, "a\nb\n"),
      (["awk 'BEGIN { print \"x y\" }'"], true, "x y\n")
    ] as [([String], Bool, String)])
  func onlyAShellThatWasAskedForSeesTheLine(
    words: [String], shell: Bool, output: String
  ) async throws {
    let run = try await Self.run([
      "argv": .list(words.map(Value.text)), "shell": .boolean(shell)
    ])
    #expect(run.outcome == .ok, "\(run.outcome)")
    #expect(run.output == output)
  }

  @Test(arguments: [[], [""], ["echo 'open"]])
  func aLineThatIsNoneIsAnErrorOfTheAgenda(words: [String]) async throws {
    let run = try await Self.run(["argv": .list(words.map(Value.text))])
    #expect(run.outcome.verdict == .skipped)
    #expect(run.result.outcome.reason.contains("workload 'command' (wk1)"))
  }

  @Test(arguments: connections)
  func itsOwnTimeoutReplacesTheJobs(through name: String) async throws {
    let run = try await Self.run(
      ["argv": ["sh", "-c", "echo before; sleep 30"], "timeout": 0.3],
      through: Self.connection(name))
    #expect(run.outcome.verdict == .failed(.timeout), "\(run.outcome)")
    #expect(run.output == "before\n")
  }

  @Test(arguments: connections)
  func filesLieTogetherUnderTheirOwnNames(through name: String) async throws {
    let directory = try TemporaryDirectory()
    let one = directory.path + "/one.txt"
    let two = directory.path + "/two words.txt"
    try HostFile.write(Array("1\n".utf8), to: one)
    try HostFile.write(Array("2\n".utf8), to: two)
    let run = try await Self.run(
      [
        "argv": ["cat", "one.txt", "two words.txt", .text(one)],
        "files": [.text(one), .text(two)]
      ], through: Self.connection(name), iterations: 2)
    #expect(run.outcome == .ok, "\(run.outcome)")
    #expect(run.output == "1\n2\n1\n")
    #expect(run.fingerprint["file two words.txt"]?.hasPrefix("sha256 ") == true)
  }

  @Test(arguments: connections, [false, true])
  func aProgramOfTheHostIsBroughtAndRun(through name: String, isAbsolute: Bool) async throws {
    let directory = try TemporaryDirectory()
    let tool = directory.path + "/kelvin-own-tool"
    try HostFile.write(Array("#!/bin/sh\necho \"own $1 in $(pwd)\"\n".utf8), to: tool)
    chmod(tool, 0o755)
    let run = try await Self.run(
      [
        "argv": [isAbsolute ? .text(tool) : "./kelvin-own-tool", "./kelvin-own-tool"],
        "files": [.text(tool)], "working_directory": "/"
      ], through: Self.connection(name))
    #expect(run.outcome == .ok, "\(run.outcome)")
    #expect(run.output == "own ./kelvin-own-tool in /\n")
    #expect(run.fingerprint["file kelvin-own-tool"] != nil)
  }

  @Test func filesThatCannotBeBroughtAreNamedBeforeTheFirstJob() async throws {
    let directory = try TemporaryDirectory()
    try HostFile.makeDirectories(directory.path + "/sub")
    for name in ["/same", "/sub/same"] { try HostFile.write([1], to: directory.path + name) }
    let gone = try await Self.run([
      "argv": ["true"], "files": [.text(directory.path + "/gone")]
    ])
    #expect(gone.outcome.verdict == .skipped)
    #expect(gone.result.outcome.reason.contains("/gone' cannot be read"))
    let same = try await Self.run([
      "argv": ["true"],
      "files": [.text(directory.path + "/same"), .text(directory.path + "/sub/same")]
    ])
    #expect(same.outcome.verdict == .skipped)
    #expect(same.result.outcome.reason.contains("would have the same name"))
  }

  @Test(arguments: [
    ("kelvin-no-such-tool", "neither on its PATH", "~/.config/kelvin/assets"),
    ("/nonexistent/tool", "no program at this path", "list it in 'files'")
  ])
  func aProgramThatIsMissingSaysWhatToDo(
    program: String, evidence: String, hint: String
  ) async throws {
    let run = try await Self.run(["argv": [.text(program)]])
    #expect(run.outcome.verdict == .skipped)
    let log = try Self.log(run)
    #expect(log.contains("'\(program)' is not on local"))
    #expect(log.contains(evidence))
    #expect(log.contains(hint))
  }

  @Test func cleaningUpCanBeAskedForByTheWorkloadItself() async throws {
    let directory = try TemporaryDirectory()
    let file = directory.path + "/input"
    try HostFile.write([10], to: file)
    // The second iteration sees whether the first one's file is still there.
    for (isCleaned, expected) in [(true, "ok"), (false, "ok")] {
      let run = try await Self.run(
        [
          "argv": ["sh", "-c", "cat input; pwd"], "files": [.text(file)],
          "cleanup_assets": .boolean(isCleaned)
        ], iterations: 2)
      #expect(try run.result.verdicts() == [expected, expected])
      let path = try #require(run.output.split(separator: "\n").first)
      #expect(access(String(path), F_OK) != 0)
    }
  }

  // MARK: shellscript

  @Test func asRootIsRefusedWhenKelvinIsNot() async throws {
    let directory = try TemporaryDirectory()
    let script = directory.path + "/x.sh"
    try HostFile.write(Array("echo ran\n".utf8), to: script)
    // A user that is not root, as far as the target says.
    try HostFile.write(Array("#!/bin/sh\necho 1000\n".utf8), to: directory.path + "/id")
    chmod(directory.path + "/id", 0o755)
    let path = directory.path + ":/usr/bin:/bin"
    let run = try await Self.run(
      ["script_file": .text(script), "as_root": true], workload: Recipe.shellScript.type,
      through: LocalConnection(environment: ["PATH": path]))
    #expect(run.outcome.verdict == .skipped)
    #expect(run.result.outcome.reason.contains("needs root, and Kelvin is not root on local"))
  }

  @Test(.enabled(if: geteuid() == 0, "only root can be root"))
  func asRootIsFineForRoot() async throws {
    let directory = try TemporaryDirectory()
    let script = directory.path + "/x.sh"
    try HostFile.write(Array("echo ran\n".utf8), to: script)
    let run = try await Self.run(
      ["script_file": .text(script), "as_root": true], workload: Recipe.shellScript.type)
    #expect(run.output == "ran\n", "\(run.outcome)")
  }

  // MARK: agendas

  @Test(arguments: Registry.builtInWorkloads.map(\.declaration.name))
  func noTwoOptionsOfAWorkloadHaveTheSameName(workload: String) throws {
    let type = try #require(
      Registry.builtInWorkloads.first { $0.declaration.name == workload })
    let names = type.declaration.options.flatMap { [$0.name] + $0.aliases }
    #expect(names.count == Set(names).count, "\(names.sorted())")
  }
}
