import KelvinConnections
import KelvinModel
import Testing

/// What README and examples/ show a new user.
@Suite struct ExamplesTests {
  static let top = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  @Test(.timeLimit(.minutes(1)))
  func everyExampleIsAValidAgenda() async throws {
    let scratch = try Scratch()
    let listed = try await LocalConnection().list(
      TargetPath(Self.top + "/examples"), depth: 1, until: .after(seconds: 10))
    #expect(listed.count >= 3)
    for example in listed
    where example.path.string.hasSuffix(".yaml")
      && !example.path.string.hasSuffix("/virtual-bench.yaml")
    {
      let plan = try await KelvinBinary.run(["plan", example.path.string], in: scratch.path)
      #expect(plan.code == 0, "\(example.path): \(plan.both)")
      #expect(plan.errors.isEmpty, "\(example.path): \(plan.errors)")
    }
  }

  /// A bench file, which needs no guest to be read.
  @Test(.timeLimit(.minutes(1)))
  func theVirtualBenchIsAValidBenchFile() async throws {
    let scratch = try Scratch()
    let bench = Self.top + "/examples/virtual-bench.yaml"
    let checked = try await KelvinBinary.run(
      ["bench", "check", "no-such-board", "--bench", bench], in: scratch.path)
    #expect(checked.code == 2)
    for name in ["x86-a", "x86-b", "arm", "uboot", "host"] {
      let known = try await KelvinBinary.run(
        ["power", "state", name, "--bench", bench], in: scratch.path)
      #expect(!known.errors.contains("no such board"), "\(known.errors)")
      #expect(!known.errors.contains("error:"), "\(known.errors)")
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["sampling.yaml", "wa-agenda.yaml"])
  func anExampleRuns(name: String) async throws {
    let scratch = try Scratch()
    let ran = try await KelvinBinary.run(
      ["run", Self.top + "/examples/" + name, "-d", "out"], in: scratch.path)
    #expect(ran.code == 0, "\(ran.both)")
    #expect(ran.output.contains("ok"))
  }
}
