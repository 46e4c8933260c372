import Foundation
import KelvinModel
import Testing

@testable import KelvinAgenda

/// docs/agenda.md against the declarations.
@Suite struct DocumentationTests {
  private static func page() throws -> String {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: root.appendingPathComponent("docs/agenda.md"), encoding: .utf8)
  }

  @Test func namesEveryKeyAndAlias() throws {
    let page = try DocumentationTests.page()
    let keys =
      AgendaKeys.run.map(\.name) + JobKey.allCases.flatMap { [$0.rawValue] + $0.aliases }
      + LegacyKey.unused.keys
    for key in keys { #expect(page.contains("`\(key)`"), "\(key)") }
  }

  @Test func namesEveryOrder() throws {
    let page = try DocumentationTests.page()
    for order in ExecutionOrder.allCases { #expect(page.contains("`\(order.rawValue)`")) }
  }

  @Test func declaresEveryJobKeyThatTakesAValue() {
    let structural: Set<JobKey> = [.id, .group, .workloads, .name]
    for key in JobKey.allCases where !structural.contains(key) {
      let option = AgendaKeys.declaration(of: key)
      #expect(option != nil, "\(key.rawValue)")
      #expect(option?.aliases == key.aliases)
    }
  }

  @Test func itsExamplesAreValid() throws {
    let parts = try DocumentationTests.page().components(separatedBy: "```yaml\n").dropFirst()
    #expect(parts.count >= 2)
    for part in parts {
      let text = part.components(separatedBy: "```")[0]
      let document = try YAMLDocument(text: text, file: "example", limits: .init())
      #expect(document.diagnostics == [])
      #expect(document.root?.map != nil)
    }
  }
}
