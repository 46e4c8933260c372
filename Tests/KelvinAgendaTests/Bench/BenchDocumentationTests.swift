import Foundation
import KelvinAgenda
import KelvinConnections
import KelvinModel
import Testing

/// docs/bench.md against the declarations.
@Suite struct BenchDocumentationTests {
  private static func page() throws -> String {
    try String(contentsOfFile: SourceTree.path + "/docs/bench.md", encoding: .utf8)
  }

  private static func examples() throws -> [String] {
    try page().components(separatedBy: "```yaml\n").dropFirst()
      .map { $0.components(separatedBy: "```")[0] }
  }

  @Test func namesEveryKey() throws {
    let page = try BenchDocumentationTests.page()
    let options =
      BenchKeys.board + BenchKeys.lease + BenchKeys.meter + ProfileKeys.board + ProfileKeys.cluster
      + ProfileKeys.meter + ProfileKeys.channel
    for option in options { #expect(page.contains("`\(option.name)`"), "\(option.name)") }
    for platform in BoardProfile.Platform.allCases {
      #expect(page.contains("`\(platform.rawValue)`"))
    }
    for kind in MeterChannel.Kind.allCases { #expect(page.contains("`\(kind.rawValue)`")) }
  }

  @Test func namesEveryRungWithItsOptions() throws {
    let lines = try BenchDocumentationTests.page().components(separatedBy: "\n")
    for rung in Rung.allCases {
      let options = RecoveryKeys.options(of: rung).map(\.name).filter {
        !["count", "timeout"].contains($0)
      }
      // Some rungs are named as the keys of what they need.
      let isThere = lines.contains { line in
        line.hasPrefix("| `\(rung.rawValue)` | ") && line.contains("once") != line.contains("twice")
          && options.allSatisfy { line.contains("`\($0)`") }
      }
      #expect(isThere, "\(rung.rawValue): \(options)")
    }
  }

  @Test func namesEveryConnectionWithItsOptions() throws {
    let lines = try BenchDocumentationTests.page().components(separatedBy: "\n")
    for declaration in ConnectionDeclarations.connections {
      let line = try #require(
        lines.first { $0.hasPrefix("| `\(declaration.name)` | yes |") }, "\(declaration.name)")
      for option in declaration.options {
        #expect(line.contains("`\(option.name)`"), "\(declaration.name): \(option.name)")
      }
      let isConsole = ConnectionDeclarations.consoles.contains { $0.name == declaration.name }
      #expect(line.hasPrefix("| `\(declaration.name)` | yes | \(isConsole ? "yes " : "")|"))
    }
  }

  @Test func itsBenchIsValid() throws {
    let folder = Folder(["bench.yaml": try BenchDocumentationTests.examples()[0]])
    let hardware = HardwareProfiles(roots: [SourceTree.path + "/hardware"])
    let power = BenchDeclarations.sample.drivers(of: .power)
    let declarations = BenchDeclarations(
      ConnectionDeclarations.all + power + hardware.meters().profiles.map(\.declaration))
    let read = try BenchReader.read(
      BenchRequest(paths: [folder["bench.yaml"]], profileNames: hardware.names(.board)),
      declarations: declarations)
    #expect(read.bench.boards.map(\.name) == ["rock", "here"])
    #expect(read.bench.boards[0].console?.options["baud"] == 1_500_000)
    #expect(read.warnings == [])
  }

  @Test func itsConsoleBoardsAreValid() throws {
    let folder = Folder(["bench.yaml": try BenchDocumentationTests.examples()[1]])
    let read = try BenchReader.read(
      BenchRequest(
        paths: [folder["bench.yaml"]],
        profileNames: HardwareProfiles(roots: [SourceTree.path + "/hardware"]).names(.board)),
      declarations: BenchDeclarations(ConnectionDeclarations.all))
    #expect(read.bench.boards.map(\.name) == ["rock", "far"])
    #expect(read.bench.boards.allSatisfy { $0.console?.options["login"] == "root" })
  }

  @Test func itsProfileIsValid() throws {
    let folder = Folder(["boards/my-board.yaml": try BenchDocumentationTests.examples()[2]])
    let board = try HardwareProfiles(roots: [folder.path]).board(named: "my-board")
    #expect(board.cpus.count == 6)
  }
}
