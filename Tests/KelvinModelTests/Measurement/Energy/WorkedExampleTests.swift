import Foundation
import KelvinModel
import Testing

/// The worked example of docs/measurement.md.
struct WorkedExampleTests {
  @Test func theNumbersOfTheDocumentAreThoseOfTheCode() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "docs/measurement.md"), encoding: .utf8)
    let section = try #require(text.components(separatedBy: "## Worked example").last)
    var stated: [String: Double] = [:]
    for line in section.split(separator: "\n") where line.hasPrefix("| ") {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      if cells.count == 2, let value = Double(cells[1]) { stated[cells[0]] = value }
    }
    let channel = Channel(
      name: "i", unit: "uA", scale: 10, kind: .current,
      accuracy: Accuracy(gain: 0.005, offset: 50))
    let source = try PowerSource(
      .assumed(.init(3.7, uncertainty: 0.02), current: 0), of: [channel],
      meter: MeterIdentity(name: "m", driver: "d"))
    var integrator = EnergyIntegrator(
      source, spacing: .every(1e6), intervals: [0...10_000_000_000])
    try integrator.take([
      SampleBlock(
        channel: 0, times: .regular(first: 0, step: 1e6, count: 10_001),
        codes: (0...10_000).map { $0 <= 5000 ? 10_000 : 30_000 })
    ])
    integrator.finish()
    let figure = integrator.figure(of: 0, under: FigureConditions(alignment: 1e6))
    #expect(abs(figure.energy - 7.39963) < 1e-9)
    var computed: [String: Double] = [:]
    for component in figure.budget.components { computed[component.name] = component.value }
    computed["combined"] = figure.budget.standard
    computed["expanded, k = 2"] = figure.budget.expanded
    #expect(Set(stated.keys) == Set(computed.keys))
    for (name, value) in stated {
      #expect(abs(value / (computed[name] ?? 0) - 1) < 1e-4, "\(name): \(computed[name] ?? 0)")
    }
  }
}
