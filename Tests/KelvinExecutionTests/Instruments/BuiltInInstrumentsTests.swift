import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct BuiltInInstrumentsTests {
  @Test func eachNameAndAliasIsThereOnce() {
    let names = Registry.builtInInstruments.flatMap {
      [$0.declaration.name] + $0.declaration.aliases
    }
    #expect(Set(names).count == names.count)
  }

  @Test(arguments: Registry.builtInInstruments.map { $0.declaration.name })
  func isDeclaredWhole(name: String) throws {
    let declaration = try #require(
      Registry.builtInInstruments.first { $0.declaration.name == name }
    ).declaration
    #expect(declaration.kind == .instrument)
    #expect(declaration.summary.hasSuffix("."))
    #expect(!declaration.description.isEmpty)
    #expect(!declaration.metrics.isEmpty)
    #expect(!declaration.description.contains("  "))
    for option in declaration.options {
      #expect(!option.isRequired || option.defaultValue == nil)
      #expect(!option.documentation.isEmpty)
      #expect(!option.documentation.contains("  "))
      if let range = option.range, let value = option.defaultValue?.number {
        #expect(range.contains(value), "\(option.name)")
      }
    }
  }

  @Test(arguments: Registry.builtInInstruments.map { $0.declaration.name })
  func isMadeFromItsDefaults(name: String) throws {
    let type = try #require(
      Registry.builtInInstruments.first { $0.declaration.name == name })
    var settings = type.declaration.options.withDefaults([:])
    for option in type.declaration.options where option.isRequired {
      settings[option.name] = ["/proc/loadavg"]
    }
    #expect(!(try type.init(settings: settings)).hooks.isEmpty)
  }

  /// docs/instruments.md has a row for each, and says where it has been verified.
  @Test func isInTheDocumentation() throws {
    let tests = "/Tests/KelvinExecutionTests/"
    let root = try #require(#filePath.ranges(of: tests).last)
    let path = #filePath[..<root.lowerBound] + "/docs/instruments.md"
    let text = String(decoding: try HostFile.read(String(path)), as: UTF8.self)
    for type in Registry.builtInInstruments {
      let declaration = type.declaration
      let aliases =
        declaration.aliases.isEmpty ? "" : " (\(declaration.aliases.joined(separator: ", ")))"
      let row = try #require(
        text.split(separator: "\n").first { $0.hasPrefix("| \(declaration.name)\(aliases) |") },
        "\(declaration.name)")
      let isOpen = row.contains("recorded trees only") || row.contains("never run on")
      #expect(isOpen == (declaration.verified != nil))
    }
  }

  @Test func refusesUnknownFieldsWithTheNearestName() throws {
    let failure = #expect(throws: PlainFailure.self) {
      try DiskCounters(settings: ["fields": ["read_byte"]])
    }
    #expect(failure?.kind == .configuration)
    #expect(failure?.hint == "did you mean 'read_bytes'?")
  }

  @Test func refusesLabelsThatDoNotMatchTheFiles() {
    #expect(throws: PlainFailure.self) {
      try FilePoller(settings: ["files": ["/a", "/b"], "labels": ["one"]])
    }
  }
}
