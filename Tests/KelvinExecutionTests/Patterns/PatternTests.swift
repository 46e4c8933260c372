import KelvinModel
import Testing

@testable import KelvinExecution

/// Users' patterns on bytes, with limits.
@Suite struct PatternTests {
  private func match(_ pattern: String, _ line: [UInt8], group: Int = 0) throws -> String? {
    let pattern = try Pattern(pattern)
    return try line.withUnsafeBytes { bytes in
      try pattern.firstMatch(in: bytes, group: group).map {
        String(decoding: bytes[$0], as: UTF8.self)
      }
    }
  }

  @Test func findsGroupsInBytesThatAreNoText() throws {
    let line: [UInt8] = [0, 255, 254] + Array("rate 12.5k".utf8) + [0, 128]
    #expect(try match("rate ([0-9.]+)k", line, group: 1) == "12.5")
    #expect(try match("nothing", line) == nil)
    #expect(try match("^", [], group: 0)?.isEmpty == true)
  }

  @Test func aSyntaxErrorSaysWhereItIs() {
    #expect(throws: Pattern.SyntaxFailure.self) { _ = try Pattern("a(b") }
    #expect(Pattern.problem(with: "a(b")?.contains("column 4") == true)
    #expect(Pattern.problem(with: "[0-9]+") == nil)
  }

  @Test(.timeLimit(.minutes(1)))
  func aCatastrophicPatternEndsAtItsLimit() {
    let line = [UInt8](repeating: UInt8(ascii: "a"), count: 5000) + [UInt8(ascii: "!")]
    #expect(throws: Pattern.LimitFailure.self) { _ = try match("(a+)+$", line) }
  }

  @Test func linesComeOneByOneAndLongOnesAreCut() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/out"
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: (1 << 20) + 5)
    try HostFile.write(Array("one\r\n\ntwo\n".utf8) + long + Array("\nlast".utf8), to: path)
    var lines: [Int] = []
    let cut = try LineReader.forEachLine(in: path) { lines.append($0.count) }
    #expect(lines == [3, 0, 3, 1 << 20, 4])
    #expect(cut == 1)
    #expect(try LineReader.forEachLine(in: path + ".missing") { _ in } == 0)
  }

  @Test func theLastMatchCountsAndEachFileIsReadOnce() throws {
    let directory = try TemporaryDirectory()
    try HostFile.write(
      Array("rate 1\nrate 2\nERROR later\n".utf8), to: directory.path + "/stdout")
    try HostFile.write(Array("rate x\n".utf8), to: directory.path + "/stderr")
    var scan = OutputScan()
    scan.metrics = [MetricPattern(name: "rate", pattern: try Pattern("rate ([0-9]+)"), unit: "1/s")]
    scan.pass = [try Pattern("^rate"), try Pattern("never")]
    scan.fail = [try Pattern("ERROR.*")]
    let findings = try scan.run(
      over: [directory.path + "/stdout", directory.path + "/stderr"], source: "test")
    #expect(findings.metrics.first??.value == .integer(2))
    #expect(findings.missing == ["never"])
    #expect(findings.failing?.line == "ERROR later")
  }

  @Test func evidenceIsPrintable() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/stderr"
    try HostFile.write(Array("a\nb\n\u{1b}[31mred\u{7}\nlast\n".utf8), to: path)
    #expect(Tail.text(of: path) == "b | ?[31mred? | last")
    #expect(Tail.text(of: path + ".missing") == "")
  }
}
