import Glibc
import KelvinModel
import Testing

@testable import KelvinExecution

/// Phases by lines of output, and by a file beside the run.
@Suite(.timeLimit(.minutes(1)))
struct PhaseMarkTests {
  @Test(arguments: [
    ("kelvin-phase: decode", "decode"), ("kelvin-phase:x", "x"),
    ("kelvin-phase:  two words  ", "two words"), ("kelvin-phase: a\u{1B}[2Jb", "a [2Jb")
  ])
  func readsNames(line: String, name: String) {
    #expect(PhaseMark.name(inLine: line) == .some(.some(name)))
  }

  @Test func readsEndsAndNothingElse() {
    for line in ["kelvin-phase: end", "kelvin-phase:", "kelvin-phase:   "] {
      #expect(PhaseMark.name(inLine: line) == .some(nil))
    }
    for line in ["", "kelvin-phas", " kelvin-phase: x", "Kelvin-phase: x", "# kelvin-phase: x"] {
      #expect(PhaseMark.name(inLine: line) == nil)
    }
    let long = String(repeating: "x", count: 5000)
    #expect(PhaseMark.name(of: long)?.count == 200)
  }

  private static func mark(_ time: Int64, _ name: String?, limit: Int64 = 0) -> PhaseMark {
    PhaseMark(time: time, limit: limit, name: name)
  }

  @Test func phasesGoFromMarkToMark() {
    let window = EnergyInterval(from: 100, to: 200, ends: 1)
    let phases = [
      Self.mark(150, "b", limit: 3), Self.mark(90, "a"), Self.mark(160, nil),
      Self.mark(170, "a", limit: 6), Self.mark(170, "a"), Self.mark(250, "late")
    ].phases(in: window)
    #expect(phases.map(\.name) == ["a", "b", "a"])
    #expect(phases.map(\.interval.from) == [100, 150, 170])
    #expect(phases.map(\.interval.to) == [150, 160, 200])
    // A mark's limit is rectangular; of the two ends the worse counts.
    #expect(abs(phases[0].interval.ends - 3 / 3.0.squareRoot()) < 1e-12)
    #expect([PhaseMark]().phases(in: window).isEmpty)
    #expect([Self.mark(0, "a"), Self.mark(50, nil)].phases(in: window).isEmpty)
  }

  @Test func aFileKeepsMarksOfThisBoot() throws {
    let directory = try TemporaryDirectory()
    let file = MarkFile(run: directory.path, bootID: "boot")
    #expect(file.read().marks.isEmpty)
    try file.add(Self.mark(5, "a", limit: 7))
    try MarkFile(run: directory.path, bootID: "other").add(Self.mark(6, "b"))
    try file.add(Self.mark(8, nil))
    #expect(file.read().marks == [Self.mark(5, "a", limit: 7), Self.mark(8, nil)])
    #expect(file.read().broken == 0)
    #expect(throws: PlainFailure.self) {
      try MarkFile(run: directory.path + "/none", bootID: "boot").add(Self.mark(1, "a"))
    }
  }

  /// What a power cut or another program makes of the file never costs more than its own line.
  @Test func aFileSurvivesTruncationAndCorruptionAtEachByte() throws {
    let directory = try TemporaryDirectory()
    let file = MarkFile(run: directory.path, bootID: "b")
    let marks = [Self.mark(5, "a", limit: 7), Self.mark(8, "c")]
    for mark in marks { try file.add(mark) }
    let bytes = try HostFile.read(file.path)
    for place in bytes.indices {
      try HostFile.write(Array(bytes[..<place]), to: file.path)
      #expect(file.read().marks.count <= 2)
      var damaged = bytes
      damaged[place] ^= 0x15
      try HostFile.write(damaged, to: file.path)
      let read = file.read().marks
      // A line end that is gone takes both; else one of them is whole.
      #expect(damaged[place] != bytes[place] && read.count <= 2)
      if bytes[place] != UInt8(ascii: "\n") { #expect(read.contains { marks.contains($0) }) }
    }
  }

  @Test func seesLinesAsTheyAreWritten() throws {
    let directory = try TemporaryDirectory()
    let follower = try MarkFollower("stdout", in: directory.path, limit: 9)
    let path = directory.path + "/stdout"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var written: [ClosedRange<Int64>] = []
    func say(_ text: String) {
      let before = MonotonicTime.now.nanoseconds
      _ = write(descriptor, text, text.utf8.count)
      written.append(before...MonotonicTime.now.nanoseconds)
    }
    say("working\nkelvin-ph")
    say("ase: decode\nmore")
    say("kelvin-phase: not at the beginning of a line\n")
    say("kelvin-phase: " + String(repeating: "y", count: 5000) + "\n")
    say("kelvin-phase: end\nkelvin-phase: never ended by a line feed")
    let (marks, leftOut) = follower.stop()
    #expect(marks.map(\.name) == ["decode", nil] && leftOut == 0)
    #expect(marks.allSatisfy { $0.limit == 9 })
    #expect(marks.first.map { $0.time >= written[1].lowerBound } == true)
    #expect(marks.last.map { $0.time >= written[4].lowerBound } == true)
    #expect(follower.stop().marks.count == 2)
  }

  @Test func aWorkloadThatMarksWithoutEndFillsNoMemory() throws {
    let directory = try TemporaryDirectory()
    let line = Array("kelvin-phase: x\n".utf8)
    try HostFile.write(
      Array((0..<12_000).map { _ in line }.joined()), to: directory.path + "/stdout")
    let (marks, leftOut) = try MarkFollower("stdout", in: directory.path, limit: 0).stop()
    #expect(marks.count == 1000 && leftOut == 11_000)
  }
}
