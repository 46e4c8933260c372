import KelvinModel
import KelvinPatterns
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

  @Test(.timeLimit(.minutes(1)), arguments: ["(a+)+$", "(a|aa)*$", "(?:a*)*b", "^(a|b|ab)*c"])
  func everyCatastrophicPatternEndsInALimitOrAnAnswer(pattern: String) throws {
    // What matters is that it ends, within the test's time, a thousand times in a row.
    let line = [UInt8](repeating: UInt8(ascii: "a"), count: 64) + [UInt8(ascii: "!")]
    var gaveUp = 0
    for _ in 0..<1000 {
      do {
        #expect(try match(pattern, line) == nil)
      } catch is Pattern.LimitFailure { gaveUp += 1 }
      if gaveUp == 20 { break }
    }
  }

  @Test func aLongLineDoesNotOverflowTheMachineCodesStack() throws {
    // Each turn takes stack: 32 KiB of the JIT's are used up after some thousand.
    let line = [UInt8](repeating: UInt8(ascii: "a"), count: 20_000) + Array("x7".utf8)
    #expect(try match("(?:a|b(c))*+x([0-9])", line, group: 2) == "7")
    #expect(try match("^(?:(a)|b)*x([0-9])", line, group: 2) == "7")
  }

  @Test func utfModeCannotBeAskedFor() {
    #expect(Pattern.problem(with: "(*UTF)a") != nil)
  }

  @Test func binaryGarbageOfAnyKindIsOnlyBytes() throws {
    var random = SplitMix(state: 7)
    let pattern = try Pattern("rate[^0-9]*([0-9.]+)\\s*(ops)?")
    for _ in 0..<2000 {
      let line = (0..<Int(random.next() % 300)).map { _ in
        UInt8(truncatingIfNeeded: random.next())
      }
      _ = try line.withUnsafeBytes { try pattern.firstMatch(in: $0, group: 1) }
    }
    #expect(try match("rate ([0-9]+)", [0xff, 0xfe] + Array("rate 5".utf8), group: 1) == "5")
  }

  @Test func aGroupThatTookNoPartIsNoMatch() throws {
    #expect(try match("a(b)?", Array("a".utf8), group: 1) == nil)
    #expect(try match("a(b)?(c)", Array("ac".utf8), group: 1) == nil)
    #expect(try match("a(b)?(c)", Array("ac".utf8), group: 2) == "c")
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

  @Test(arguments: [1 << 17, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
  func linesOfEveryLengthKeepTheirNeighbours(length: Int) throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/out"
    let long = [UInt8](repeating: UInt8(ascii: "x"), count: length)
    try HostFile.write(Array("a\n".utf8) + long + Array("\nb\n".utf8) + long, to: path)
    var lines: [Int] = []
    let cut = try LineReader.forEachLine(in: path) { lines.append($0.count) }
    #expect(lines == [1, min(length, 1 << 20), 1, min(length, 1 << 20)])
    #expect(cut == (length > 1 << 20 ? 2 : 0))
  }

  private func scan(
    _ scan: OutputScan, _ output: String, _ error: String, until deadline: Deadline = .never
  ) throws -> OutputScan.Findings {
    let directory = try TemporaryDirectory()
    try HostFile.write(Array(output.utf8), to: directory.path + "/stdout")
    try HostFile.write(Array(error.utf8), to: directory.path + "/stderr")
    return try scan.run(
      standardOutput: directory.path + "/stdout", standardError: directory.path + "/stderr",
      source: "test", until: deadline)
  }

  @Test func theLastMatchCountsAndEachFileIsReadOnce() throws {
    var rules = OutputScan()
    rules.metrics = [
      MetricPattern(name: "rate", pattern: try Pattern("rate ([0-9]+)"), unit: "1/s")
    ]
    rules.pass = [try Pattern("^rate"), try Pattern("never")]
    rules.fail = [try Pattern("ERROR.*")]
    let findings = try scan(rules, "rate 1\nrate 2\n\u{1b}[1mERROR later\n", "rate x\n")
    #expect(findings.metrics.first??.value == .integer(2))
    #expect(findings.missing == ["never"])
    // What a terminal would act on is not passed on.
    #expect(findings.failing?.line == "?[1mERROR later")
  }

  @Test(arguments: [("stdout", 1), ("stderr", 2), ("both", 2)] as [(String, Int64)])
  func aMetricIsSearchedInItsStream(stream: String, value: Int64) throws {
    var rules = OutputScan()
    rules.metrics = try MetricPattern.from([
      "x": ["pattern": "x (\\d+)", "stream": .text(stream)]
    ])
    #expect(try scan(rules, "x 1\n", "x 2\n").metrics[0]?.value == .integer(value))
  }

  @Test func aMetricIsTheGroupThatWasAskedFor() throws {
    var rules = OutputScan()
    rules.metrics = try MetricPattern.from([
      "a": ["pattern": "(\\d+) of (\\d+)", "group": 2],
      "b": ["pattern": "(\\d+) of (\\d+)", "group": 0],
      "c": ["pattern": "(\\d+) of (\\d+)"],
      "d": ["pattern": "\\d+ of"]
    ])
    let values = try scan(rules, "3 of 8\n", "").metrics.map { $0?.value }
    #expect(values == [.integer(8), .text("3 of 8"), .integer(3), .text("3 of")])
    do {
      _ = try MetricPattern.from(["a": ["pattern": "(x)", "group": 2]])
      Issue.record("a group that is not there was accepted")
    } catch {
      #expect("\(error)".contains("has no group 2"))
    }
  }

  @Test func textOfAMetricIsBounded() throws {
    var rules = OutputScan()
    rules.metrics = [MetricPattern(name: "t", pattern: try Pattern(".*"))]
    let findings = try scan(rules, String(repeating: "y", count: 500_000), "")
    guard case .text(let text) = findings.metrics[0]?.value else {
      Issue.record("no text")
      return
    }
    #expect(text.utf8.count == MetricPattern.textLimit)
  }

  @Test func aScanEndsAtItsDeadline() throws {
    var rules = OutputScan()
    rules.pass = [try Pattern("never")]
    do {
      _ = try scan(
        rules, String(repeating: "line\n", count: 1000), "", until: .after(seconds: 0))
      Issue.record("the deadline was passed over")
    } catch let failure as PlainFailure {
      #expect(failure.kind == .timeout)
      #expect(failure.hint.contains("extract_timeout"))
    }
  }

  @Test func evidenceIsPrintable() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/stderr"
    try HostFile.write(Array("a\nb\n\u{1b}[31mred\u{7}\nlast\n".utf8), to: path)
    #expect(Tail.text(of: path) == "b | ?[31mred? | last")
    #expect(Tail.text(of: path + ".missing") == "")
  }
}
