import KelvinAgenda
import KelvinDevices
import KelvinModel
import Testing

@testable import KelvinCommands

/// What a scan prints fits what reads it.
@Suite struct BenchDraftTests {
  private static let hardware = HardwareProfiles(roots: [
    "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/hardware"
  ])

  @Test(.timeLimit(.minutes(1)), arguments: [("bench", 3, 1), ("twins", 2, 0), ("hostile", 2, 0)])
  func aDraftIsABenchFile(tree: String, boards: Int, meters: Int) async throws {
    let scratch = try Scratch()
    let scan = try await FakeDevices.run(tree, ["bench", "scan", "--format", "yaml"])
    let path = try scratch.write("bench.yaml", scan.output)
    let reading = try BenchReader.read(
      BenchRequest(paths: [path], profileNames: Self.hardware.names(.board)),
      declarations: CommandEnvironment.builtIn.benchDeclarations(Self.hardware))
    #expect(reading.bench.boards.count == boards)
    #expect(reading.bench.meters.count == meters)
    #expect(reading.warnings.isEmpty)
  }

  @Test(.timeLimit(.minutes(1)))
  func aDraftOfNothingIsABenchFileToo() throws {
    let scratch = try Scratch()
    let path = try scratch.write("bench.yaml", BenchDraft.text(Equipment(items: [])))
    let reading = try BenchReader.read(
      BenchRequest(paths: [path], profileNames: []), declarations: BenchDeclarations([]))
    #expect(reading.bench == Bench())
  }

  @Test(arguments: ["it's", "a: b # c", "\u{1b}[0m\n", "", " x ", "\"", "@x", "\u{85}\u{202e}"])
  func textReadsBackAsItWas(text: String) throws {
    let scratch = try Scratch()
    let path = try scratch.write(
      "bench.yaml",
      "boards: {b: {profile: p, connection: {local: {}}, "
        + "labels: {x: \(YAMLText.quoted(text))}}}\n")
    let reading = try BenchReader.read(
      BenchRequest(paths: [path], profileNames: ["p"]),
      declarations: CommandEnvironment.builtIn.benchDeclarations(Self.hardware))
    #expect(reading.bench.board(named: "b")?.labels["x"] == text)
  }

  /// Profiles say what a meter is, the table who may open it: neither knows a meter alone.
  @Test func profilesAndTheTableKnowTheSameMeters() {
    let (profiles, diagnostics) = Self.hardware.meters()
    #expect(diagnostics.isEmpty)
    #expect(profiles.count > 10)
    for profile in profiles {
      for model in profile.usb {
        let known = KnownDevices.all.filter { $0.id == model.id }
        #expect(known.count == 1, "\(model.id) of \(profile.name)")
        #expect(known.first?.driver == (model.isMeter ? profile.driver : nil))
      }
    }
    for known in KnownDevices.all where known.kind == .meter {
      guard let driver = known.driver else { continue }
      let profile = profiles.first { $0.driver == driver }
      #expect(profile != nil, "\(driver)")
      #expect(profile?.usb.contains { $0.id == known.id } == true || driver == "scpi")
    }
  }
}
