import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

/// `kelvin run` as a user meets it: the real binary, real processes, real signals.
@Suite struct RunCommandTests {
  static let boards = ["local", "local-shell"]

  @Test(.timeLimit(.minutes(2)), arguments: boards)
  func runsAnAgendaAndLeavesItsResults(board: String) async throws {
    let scratch = try Scratch()
    try scratch.write(
      "a.yaml",
      """
      config:
        augmentations: [execution_time, csv, json, junit, status]
      workloads:
        - name: command
          label: greeting
          params:
            argv: [sh, -c, 'echo "value $((6 * 7))"; echo problem >&2']
            metrics: {answer: 'value ([0-9]+)'}
          iterations: 2
      """)
    let ran = try await KelvinBinary.run(
      ["run", "a.yaml", "-d", "out", "--board", board], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.output.contains("answer"))
    #expect(ran.output.contains("42"))
    let csv = try scratch.read("out/results.csv")
    #expect(csv.hasPrefix("id,workload,iteration,attempt,metric,"))
    #expect(
      csv.split(whereSeparator: \.isNewline).count { $0.contains(",answer,42") } == 2, "\(csv)")
    for file in ["results.json", "junit.xml", "status.txt", "run.log", "run.db"] {
      #expect(scratch.exists("out/" + file), "\(file) is missing")
    }
    #expect(try scratch.read("out/jobs/0001-greeting-1/attempt-1/stderr") == "problem\n")
    #expect(!scratch.exists("out/run.db-wal"))
  }

  @Test(.timeLimit(.minutes(1)))
  func exitsWith1WhenAJobFails() async throws {
    let scratch = try Scratch()
    try scratch.write(
      "a.yaml",
      """
      config: {max_retries: 1}
      workloads:
        - {name: command, params: {argv: [sh, -c, 'echo so it is >&2; exit 7']}}
      """)
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path)
    #expect(ran.code == 1)
    #expect(ran.both.contains("failed: workload"))
    #expect(ran.both.contains("so it is"))
    let reader = try RunReader(directory: scratch.path + "/out")
    #expect(try reader.attempts(ofJob: 0).count == 2)
  }

  @Test(.timeLimit(.minutes(1)))
  func exitsWith3AndNamesThePackageWhenAToolIsMissing() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: schbench}, {name: idle}]\n")
    let ran = try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path)
    #expect(ran.code == 3, "\(ran.both)")
    #expect(ran.both.contains("schbench"))
  }

  struct BadInput: Sendable, CustomTestStringConvertible {
    let name: String
    let agenda: String
    let expected: [String]
    var testDescription: String { name }
  }

  static let badInputs = [
    BadInput(name: "empty", agenda: "", expected: ["a.yaml"]),
    BadInput(name: "no workloads", agenda: "config: {}\n", expected: ["workloads"]),
    BadInput(
      name: "unknown instrument",
      agenda: "config: {augmentations: [cpu_lod]}\nworkloads: [idle]\n",
      expected: ["a.yaml:1:", "cpu_lod", "cpu_load"]),
    BadInput(
      name: "unknown workload", agenda: "workloads: [opensl]\n", expected: ["a.yaml:1:", "openssl"]),
    BadInput(
      name: "negative iterations", agenda: "workloads:\n  - {name: idle, iterations: -2}\n",
      expected: ["a.yaml:2:", "iterations", "-2"]),
    BadInput(
      name: "wrong type", agenda: "workloads:\n  - {name: idle, params: {duration: soon}}\n",
      expected: ["a.yaml:2:", "duration", "soon"]),
    BadInput(
      name: "duplicate ids",
      agenda: "workloads:\n  - {name: idle, id: x}\n  - {name: idle, id: x}\n",
      expected: ["a.yaml:3:", "a.yaml:2:"]),
    BadInput(
      name: "reboot policy", agenda: "config: {reboot_policy: each_job}\nworkloads: [idle]\n",
      expected: ["a.yaml:1:", "each_job"]),
    BadInput(
      name: "runtime parameters",
      agenda: "workloads:\n  - {name: idle, runtime_params: {govenor: performance}}\n",
      expected: ["a.yaml:2:", "did you mean 'governor'"]),
    BadInput(
      name: "contradicting runtime parameters",
      agenda: "config: {runtime_params: {frequency: max}}\n"
        + "workloads:\n  - {name: idle, runtime_params: {min_frequency: 600000}}\n",
      expected: ["a.yaml:1:", "frequency", "excludes 'min_frequency'"]),
    BadInput(
      name: "bad pattern",
      agenda: "workloads:\n  - name: command\n    params: {argv: [true], metrics: {x: '(a'}}\n",
      expected: ["a.yaml:3:", "(a"]),
    BadInput(name: "syntax", agenda: "workloads: [\n", expected: ["a.yaml:"]),
    BadInput(
      name: "include cycle", agenda: "include#: a.yaml\nworkloads: [idle]\n",
      expected: ["a.yaml:1:11", "include each other"]),
    BadInput(
      name: "bomb",
      agenda: "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + (1...9).map {
          "a\($0): &a\($0) [*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)"),*a\($0 == 1 ? "" : "\($0 - 1)")]\n"
        }.joined()
        + "workloads: [idle]\n", expected: ["a.yaml:"])
  ]

  @Test(.timeLimit(.minutes(1)), arguments: badInputs)
  func refusesBadInputBeforeAnythingIsTouched(input: BadInput) async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", input.agenda)
    for command in ["run", "plan"] {
      let arguments = command == "run" ? ["run", "a.yaml", "-d", "out"] : ["plan", "a.yaml"]
      let ran = try await KelvinBinary.run(arguments, in: scratch.path)
      #expect(ran.code == 2, "\(command): \(ran.both)")
      for text in input.expected {
        #expect(ran.errors.contains(text), "\(command): no '\(text)' in: \(ran.errors)")
      }
    }
    #expect(!scratch.exists("out"))
  }

  @Test(.timeLimit(.minutes(1)))
  func refusesWhatIsNoAgendaFile() async throws {
    let scratch = try Scratch()
    guard truncate(try scratch.write("big.yaml", ""), 1 << 30) == 0 else { throw Errno.current }
    for (path, expected) in [
      ("missing.yaml", "missing.yaml"), (".", "directory"), ("big.yaml", "too large"),
      ("/dev/zero", "/dev/zero")
    ] {
      let ran = try await KelvinBinary.run(["run", path, "-d", "out"], in: scratch.path)
      #expect(ran.code == 2)
      #expect(ran.errors.contains(expected), "\(ran.errors)")
    }
    #expect(!scratch.exists("out"))
  }

  @Test(.timeLimit(.minutes(1)))
  func usageMistakesExitWith2() async throws {
    let scratch = try Scratch()
    for arguments in [["run"], ["run", "--nonsense", "x"], ["frobnicate"], ["list", "nothings"]] {
      let ran = try await KelvinBinary.run(arguments, in: scratch.path)
      #expect(ran.code == 2, "\(arguments): \(ran.both)")
      #expect(ran.output.isEmpty)
      #expect(!ran.errors.isEmpty)
    }
    for arguments in [["--help"], ["--version"], ["run", "--help"]] {
      let ran = try await KelvinBinary.run(arguments, in: scratch.path)
      #expect(ran.code == 0)
      #expect(ran.errors.isEmpty)
    }
  }

  @Test(.timeLimit(.minutes(1)))
  func anEarlierRunIsReplacedOnlyWhenForced() async throws {
    let scratch = try Scratch()
    try scratch.write("a.yaml", "workloads: [{name: command, params: {argv: ['true']}}]\n")
    #expect(try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path).code == 0)
    let second = try await KelvinBinary.run(["run", "a.yaml", "-d", "out"], in: scratch.path)
    #expect(second.code == 2)
    #expect(second.errors.contains("-f"))
    let forced = try await KelvinBinary.run(["run", "a.yaml", "-d", "out", "-f"], in: scratch.path)
    #expect(forced.code == 0, "\(forced.both)")
  }
}
