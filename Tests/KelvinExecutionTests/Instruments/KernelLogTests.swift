import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

@Suite struct KernelLogTests {
  /// Whether this process may write to the kernel's log.
  private static let isWritable = access("/dev/kmsg", W_OK | R_OK) == 0

  @Test(
    .timeLimit(.minutes(1)),
    .enabled(if: isWritable, "needs root: /dev/kmsg cannot be written"), arguments: Way.allCases)
  func keepsWhatThisKernelLogsMeanwhile(way: Way) async throws {
    var bench = InstrumentBench(way.connection)
    let word = "kelvin test \(getpid()) \(MonotonicTime.now.nanoseconds)"
    // A record without a line feed is not shown until another one comes.
    @Sendable func say(_ text: String) throws {
      try HostFile.write(Array("<6>\(word) \(text)\n".utf8), to: "/dev/kmsg")
    }
    try say("before")
    bench.during = { _ in try say("during") }
    let record = try await bench.run([KernelLog.self])
    try say("after")
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let artifact = try #require(job.artifacts.first { $0.name == "dmesg.log" })
    let text = String(decoding: try record.content(artifact), as: UTF8.self)
    #expect(text.contains("\(word) during\n"), "\(text)")
    #expect(!text.contains("\(word) before") && !text.contains("\(word) after"))
    #expect(try job.value("dmesg_lines") >= 1)
  }

  /// A kernel's trouble, which nobody wants for real.
  @Test(.timeLimit(.minutes(1))) func countsAlarmsAndTellsOfATurn() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path
    try directory.write("#!/bin/sh\nexec cat \(path)/log\n", to: "bin/dmesg")
    try #require(chmod(path + "/bin/dmesg", 0o755) == 0)
    try directory.write("[1.0] a\n[2.0] b\n", to: "log")
    var bench = InstrumentBench(
      ShellConnection(argv: ["env", "PATH=\(path)/bin:/usr/bin:/bin", "sh"]))
    bench.iterations = 2
    bench.during = { job in
      let text = job.iteration == 1 ? "[2.0] b\n[3.0] BUG: x\n" : "[9.0] all is new\n"
      try HostFile.write(Array(text.utf8), to: path + "/log")
    }
    let record = try await bench.run([KernelLog.self])
    try #require(record.jobs.count == 2)
    let artifact = try #require(record.jobs[0].artifacts.first { $0.name == "dmesg.log" })
    #expect(try record.content(artifact) == Array("[3.0] BUG: x\n".utf8))
    #expect(try record.jobs[0].value("dmesg_alarms") == 1)
    #expect(!record.jobs[0].messages(.warning).contains { $0.contains("turned over") })
    #expect(try record.jobs[1].value("dmesg_alarms") == 0)
    #expect(record.jobs[1].messages(.warning).contains { $0.contains("turned over") })
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWhereTheLogIsForbidden() async throws {
    let directory = try TemporaryDirectory()
    try directory.write(
      "#!/bin/sh\necho 'read kernel buffer failed: Operation not permitted' >&2; exit 1\n",
      to: "bin/dmesg")
    try #require(chmod(directory.path + "/bin/dmesg", 0o755) == 0)
    let bench = InstrumentBench(
      ShellConnection(argv: ["env", "PATH=\(directory.path)/bin:/usr/bin:/bin", "sh"]))
    let record = try await bench.run([KernelLog.self])
    #expect(
      record.log.contains("dmesg: unavailable on this target: dmesg exited with 1: read kernel"))
    #expect(record.log.contains("Operation not permitted"))
  }

  @Test(arguments: [
    ("", "", "", true), ("", "a\nb\n", "a\nb\n", true), ("a\nb\n", "a\nb\n", "", true),
    ("a\nb\n", "a\nb\nc\n", "c\n", true), ("a\nb\nc\n", "c\nd\n", "d\n", true),
    ("a\nb\n", "c\nd", "c\nd", false), ("a\nb\n", "", "", false),
    // The same line again and again: the longest that both can have.
    ("a\na\n", "a\na\na\n", "a\n", true), ("x\na\nb\na\nb\n", "a\nb\na\nb\na\n", "a\n", true),
    ("a\nb\na\nb\nc\n", "a\nb\nc\nd\n", "d\n", true), ("a\n\n\u{0}\n", "\n\u{0}\nz", "z", true),
    // The whole second reading stands in the middle of the first.
    ("a\nb\nc\n", "b\n", "b\n", false)
  ])
  func findsWhatCame(before: String, after: String, new: String, isContinuous: Bool) {
    let difference = KernelLogDifference(before: Array(before.utf8), after: Array(after.utf8))
    #expect(difference.new == Array(new.utf8))
    #expect(difference.isContinuous == isContinuous)
    #expect(difference.lineCount == Array(KernelText(Array(new.utf8))).count)
  }

  /// Any cut of one text into two overlapping readings is put together again.
  @Test func putsAnyTwoReadingsTogether() {
    let lines = (0..<60).map { "\($0 % 7 == 0 ? "same" : "[\($0)] line")\n" }
    for begin in 0..<20 {
      for end in 30..<60 {
        let before = Array(lines[..<end].joined().utf8)
        let after = Array(lines[begin...].joined().utf8)
        let difference = KernelLogDifference(before: before, after: after)
        #expect(difference.new == Array(lines[end...].joined().utf8))
        #expect(difference.isContinuous)
      }
    }
  }

  @Test(.timeLimit(.minutes(1))) func isQuickWithManyEqualLines() {
    let before = [UInt8](repeating: UInt8(ascii: "\n"), count: 300_000)
    let difference = KernelLogDifference(before: before, after: before + Array("x\n".utf8))
    #expect(difference.new == Array("x\n".utf8))
  }
}
