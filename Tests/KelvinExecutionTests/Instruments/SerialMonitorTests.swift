import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// The console's part of a job, from a log of the form that the owner of ports writes.
@Suite struct SerialMonitorTests {
  /// Segments are named by the position of their first byte.
  private static func name(_ position: Int) -> String {
    let digits = String(position)
    return String(repeating: "0", count: 20 - digits.count) + digits + ".bytes"
  }

  @Test(.timeLimit(.minutes(1))) func keepsWhatWasSaidDuringEachJobAlone() async throws {
    let log = try TemporaryDirectory()
    let file = log.path + "/" + SerialMonitorTests.name(0)
    let said = BoardConfined(Array("before the run\r\n".utf8))
    try HostFile.write(said.value, to: file)
    var bench = InstrumentBench(LocalConnection())
    bench.consoleLog = log.path
    bench.iterations = 2
    bench.during = { job in
      let text =
        job.iteration == 1
        ? "[1.0] fine\r\n\u{1b}[31m[2.0] BUG: soft lockup\u{1b}[0m\r\n[2.1] Oops: 0002 [#1]\r\n"
        : "\u{0}\u{fffd} quiet"
      said.value += Array(text.utf8)
      try HostFile.write(said.value, to: file)
    }
    let record = try await bench.run([SerialMonitor.self])
    try #require(record.jobs.count == 2)
    let first = record.jobs[0]
    #expect(first.outcome == .ok, "\(first.outcome)")
    #expect(try first.value("console_alarms") == 2)
    let artifact = try #require(first.artifacts.first { $0.name == "console.log" })
    let content = try record.content(artifact)
    #expect(content.starts(with: Array("[1.0] fine\r\n".utf8)))
    #expect(try first.value("console_bytes") == Double(content.count))
    let warning = try #require(first.messages(.warning).first)
    #expect(warning.contains("BUG: soft lockup") && !warning.contains("\u{1b}"), "\(warning)")
    let second = record.jobs[1]
    #expect(try second.value("console_alarms") == 0)
    #expect(second.messages(.warning).isEmpty)
    let quiet = try #require(second.artifacts.first { $0.name == "console.log" })
    #expect(try record.content(quiet) == Array("\u{0}\u{fffd} quiet".utf8))
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutAConsole() async throws {
    let record = try await InstrumentBench(LocalConnection()).run([SerialMonitor.self])
    #expect(record.log.contains("serialmon: unavailable on this target: the run holds no console"))
    #expect(record.jobs.first?.metrics.isEmpty == true)
  }

  /// What the owner has deleted is told, and so is what is beyond the limit; alarms are looked for
  /// in all that is left.
  @Test(.timeLimit(.minutes(1))) func tellsWhatIsGoneAndWhatWasLeftOut() async throws {
    let log = try TemporaryDirectory()
    try HostFile.write(Array("0123456789".utf8), to: log.path + "/" + SerialMonitorTests.name(0))
    var bench = InstrumentBench(LocalConnection())
    bench.consoleLog = log.path
    bench.settings = ["serialmon": ["max_size": 8]]
    let path = log.path
    bench.during = { _ in
      unlink(path + "/" + SerialMonitorTests.name(0))
      try HostFile.write(
        Array("later text\nKernel panic - not syncing".utf8),
        to: path + "/" + SerialMonitorTests.name(100))
    }
    let job = try #require(try await bench.run([SerialMonitor.self]).jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("console_alarms") == 1)
    #expect(try job.value("console_bytes") == 127)
    let warnings = job.messages(.warning).joined(separator: "\n")
    #expect(warnings.contains("90 bytes are no longer in the console's log"), "\(warnings)")
    #expect(warnings.contains("29 bytes beyond max_size were left out"), "\(warnings)")
  }

  /// The board says why it died, and then it no longer answers.
  @Test(.timeLimit(.minutes(1))) func tellsOfThePanicThatEndedTheJob() async throws {
    let log = try TemporaryDirectory()
    let file = log.path + "/" + SerialMonitorTests.name(0)
    try HostFile.write([], to: file)
    let connection = FaultyConnection(base: LocalConnection())
    var bench = InstrumentBench(connection)
    bench.consoleLog = log.path
    bench.during = { _ in
      try HostFile.write(Array("Kernel panic - not syncing: x\n".utf8), to: file)
      connection.isLost.value = true
      _ = try await connection.read("/proc/loadavg", until: .after(seconds: 5))
    }
    let job = try #require(try await bench.run([SerialMonitor.self]).jobs.first)
    #expect(job.outcome.verdict != .ok)
    #expect(try job.value("console_alarms") == 1)
  }
}
