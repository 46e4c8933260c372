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
    for example in listed {
      let plan = try await KelvinBinary.run(["plan", example.path.string], in: scratch.path)
      #expect(plan.code == 0, "\(example.path): \(plan.both)")
      #expect(plan.errors.isEmpty, "\(example.path): \(plan.errors)")
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
