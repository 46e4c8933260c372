import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// A program named logcat on the search path of a shell; none of this has met Android.
@Suite struct LogcatTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A way to this machine whose shells find `logcat` first.
  private func connection(logcat script: String) async throws -> any Connection {
    try directory.write("#!/bin/sh\n" + script, to: "bin/logcat")
    guard chmod(directory.path + "/bin/logcat", 0o755) == 0 else { throw Errno.current }
    return ShellConnection(argv: ["env", "PATH=\(directory.path)/bin:/usr/bin:/bin", "sh"])
  }

  private static func wait(_ what: String, _ condition: () throws -> Bool) async throws {
    let deadline = Deadline.after(seconds: 20)
    while try !condition() {
      try #require(!deadline.hasPassed, "\(what): not within 20 s")
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  private static func size(_ path: String) -> Int {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : -1
  }

  @Test(.timeLimit(.minutes(1))) func keepsWhatIsLoggedWhileTheJobRuns() async throws {
    let path = directory.path
    try directory.write("", to: "log")
    var bench = InstrumentBench(
      try await connection(
        logcat: """
          echo $$ > \(path)/pid
          printf '%s\\n' "$@" > \(path)/arguments
          exec tail -n +1 -f \(path)/log
          """))
    bench.settings = ["logcat": ["buffers": ["main", "crash"], "filters": ["*:W"]]]
    let text = """
      --------- beginning of main
      11-26 07:26:37.123  1234  1250 W Tag     : a warning
      11-26 07:26:37.124  1234  1250 E Tag     : an error
      11-26 07:26:37.125  1234  1250 F DEBUG   : \u{1}\u{fffd} fatal

      """
    bench.during = { job in
      try HostFile.write(Array(text.utf8), to: path + "/log")
      let artifact = try job.directory() + "/logcat.log"
      try await LogcatTests.wait("the log") { LogcatTests.size(artifact) == text.utf8.count }
    }
    let record = try await bench.run([Logcat.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let artifact = try #require(job.artifacts.first { $0.name == "logcat.log" })
    #expect(try record.content(artifact) == Array(text.utf8))
    #expect(try job.value("logcat_lines") == 3)
    #expect(try job.value("logcat_errors") == 2)
    #expect(
      String(decoding: try HostFile.read(path + "/arguments"), as: UTF8.self)
        == "-v\nthreadtime\n-T\n1\n-b\nmain\n-b\ncrash\n*:W\n")
    let pid = KernelText(try HostFile.read(path + "/pid")).integer
    #expect(kill(pid_t(try #require(pid)), 0) == -1 && errno == ESRCH)
  }

  /// More than pipes hold, and more than may be kept: neither the workload nor logcat waits.
  @Test(.timeLimit(.minutes(1))) func takesAFloodUpToItsLimit() async throws {
    let path = directory.path
    var bench = InstrumentBench(
      try await connection(
        logcat: """
          i=0
          while [ $i -lt 40000 ]; do
            echo "11-26 07:26:37.123  1234  1250 I Tag     : line $i"; i=$((i+1))
          done
          : > \(path)/done
          exec sleep 60
          """))
    bench.settings = ["logcat": ["max_size": 100_000]]
    bench.argv = [
      "sh", "-c", "while ! test -e \(path)/done && test -d \(path); do sleep 0.02; done"
    ]
    let record = try await bench.run([Logcat.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    let artifact = try #require(job.artifacts.first { $0.name == "logcat.log" })
    #expect(try record.content(artifact).count == 100_000)
    #expect(job.messages(.warning).contains { $0.contains("bytes beyond max_size,") })
  }

  /// As over a console: the line is the workload's until the end.
  @Test(.timeLimit(.minutes(1))) func fetchesOutputAtTheEndWhereItStaysOnTheTarget() async throws {
    let path = directory.path
    var bench = InstrumentBench(
      FaultyConnection(
        base: try await connection(
          logcat: "echo '11-26 07:26:37.123  1  2 E Tag: text'; : > \(path)/said; exec sleep 60"),
        keepsOutput: true))
    bench.during = { job in
      try await LogcatTests.wait("logcat") { LogcatTests.size(path + "/said") == 0 }
      #expect(LogcatTests.size(try job.directory() + "/logcat.log") == -1)
    }
    let job = try #require(try await bench.run([Logcat.self]).jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    #expect(try job.value("logcat_errors") == 1)
  }

  @Test(.timeLimit(.minutes(1))) func marksAJobWhoseLogcatEndedByItself() async throws {
    var bench = InstrumentBench(
      try await connection(logcat: "echo 'read: unexpected EOF!' >&2; exit 1"))
    let path = directory.path
    bench.argv = ["sh", "-c", "test -d \(path) && sleep 0.5"]
    let job = try #require(try await bench.run([Logcat.self]).jobs.first)
    #expect(job.outcome.verdict == .partial)
    #expect(job.outcome.reason.contains("ended by itself"), "\(job.outcome.reason)")
    #expect(job.outcome.reason.contains("unexpected EOF!"), "\(job.outcome.reason)")
  }

  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func isUnavailableWithoutTheProgram(way: Way) async throws {
    let connection = FaultyConnection(base: way.connection, missing: ["logcat"])
    let record = try await InstrumentBench(connection).run([Logcat.self])
    #expect(record.log.contains("logcat: unavailable on this target: logcat: not found"))
  }

  @Test func countsLinesWhateverTheyHold() {
    let log = Array(
      """
      --------- beginning of crash
      11-26 07:26:37.125  1  2 E A: b
      11-26 07:26:37.125  1  2 A A: b
      11-26 07:26:37.125  1  2 EE A: b
      11-26 07:26:37.125 E

      \u{0}\u{ff}
      """.utf8)
    var whole = LogcatTally()
    whole.take(log)
    #expect(whole.lines == 6 && whole.errors == 2)
    // A cut may make an E of EE.
    for length in 0..<log.count {
      var tally = LogcatTally()
      tally.take(Array(log[..<length]))
      #expect(tally.lines <= whole.lines && tally.errors <= whole.errors + 1)
    }
  }
}
