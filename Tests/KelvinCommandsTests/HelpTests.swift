import KelvinConnections
import KelvinModel
import Testing

/// Help, listings and completion, judged by the shells that read them.
@Suite struct HelpTests {
  @Test(.timeLimit(.minutes(1)), arguments: ["bash", "zsh", "fish"])
  func completionScriptsAreValid(shell: String) async throws {
    let scratch = try Scratch()
    let script = try await KelvinBinary.run(["completion", shell], in: scratch.path)
    #expect(script.code == 0)
    let file = try scratch.write("completion", script.output)
    let checked = try await LocalConnection().execute(
      Command([shell, "-n", file]), until: .after(seconds: 20))
    #expect(checked.isSuccess, "\(checked.standardError.text)")
    #expect(script.output.contains("resume"))
  }

  @Test(.timeLimit(.minutes(1)))
  func bashCompletesSubcommandsAndNames() async throws {
    let scratch = try Scratch()
    let script = try await KelvinBinary.run(["completion", "bash"], in: scratch.path)
    try scratch.write("completion", script.output)
    let completed = try await LocalConnection().execute(
      Command([
        "bash", "-c",
        """
        source \(scratch.path)/completion
        COMP_WORDS=(kelvin ru); COMP_CWORD=1; COMP_LINE='kelvin ru'; COMP_POINT=9
        _kelvin kelvin ru kelvin; printf '%s\\n' "${COMPREPLY[@]}"
        """
      ]), until: .after(seconds: 20))
    let words = completed.standardOutput.text.split(separator: "\n").map(String.init)
    #expect(words.contains("run"), "\(completed.standardError.text)")
    #expect(words.contains("runs"))
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [
      "instruments", "workloads", "outputs", "boards", "meters", "connections", "consoles"
    ])
  func everythingListedCanBeShown(kind: String) async throws {
    let scratch = try Scratch()
    let list = try await KelvinBinary.run(["list", kind], in: scratch.path)
    let names = list.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
    #expect(names.count >= 3)
    for name in names {
      let page = try await KelvinBinary.run(
        ["show", String(kind.dropLast()), String(name)], in: scratch.path)
      #expect(page.code == 0)
      #expect(page.output.hasPrefix("\(name) (\(kind.dropLast()))"))
    }
    let json = try await KelvinBinary.run(["list", kind, "--format", "json"], in: scratch.path)
    #expect(json.output.hasPrefix("[{"))
  }

  @Test(.timeLimit(.minutes(1)))
  func aMisspeltNameGetsTheNearestOne() async throws {
    let scratch = try Scratch()
    let shown = try await KelvinBinary.run(["show", "instrument", "presure"], in: scratch.path)
    #expect(shown.code == 2)
    #expect(shown.errors.contains("did you mean 'pressure'?"))
  }

  @Test(.timeLimit(.minutes(1)))
  func helpOfEveryCommandHasExamples() async throws {
    let scratch = try Scratch()
    for command in [
      "run", "resume", "plan", "process", "show", "list", "bench", "power", "simulate", "completion"
    ] {
      let help = try await KelvinBinary.run([command, "--help"], in: scratch.path)
      #expect(help.output.contains("EXAMPLES"), "\(command)")
      #expect(help.output.contains("kelvin \(command)"), "\(command)")
    }
  }
}
