import KelvinModel
import Testing

@testable import KelvinExecution

/// docs/workloads.md and the list of Debian packages, against what the code has.
@Suite struct WorkloadDocumentationTests {
  static let top = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

  private func text(_ path: String) throws -> String {
    String(decoding: try HostFile.read(Self.top + "/" + path), as: UTF8.self)
  }

  @Test func documentationNamesEveryWorkloadAndItsParameters() throws {
    let page = try text("docs/workloads.md")
    for type in Registry.builtInWorkloads {
      #expect(page.contains("| `\(type.declaration.name)` |"), "\(type.declaration.name)")
      for option in type.declaration.options {
        #expect(page.contains("`\(option.name)`"), "\(type.declaration.name): \(option.name)")
      }
    }
  }

  @Test func theSetUpInstallsEveryPackageThatAWorkloadNames() throws {
    let list = try text("scripts/packages.sh")
    let registry = Registry(
      workloads: Registry.builtInWorkloads, instruments: Registry.builtInInstruments)
    #expect(registry.debianPackages.count >= 7)
    for package in registry.debianPackages {
      #expect(
        list.split(whereSeparator: { $0.isWhitespace || $0 == "(" || $0 == ")" })
          .contains(Substring(package)), "\(package)")
    }
  }
}
