import Glibc
import KelvinModel
import KelvinTargets
import Testing

@testable import KelvinConnections

/// Processes of a board, and the directory for a run's files, by every way to a board.
@Suite(.timeLimit(.minutes(5))) struct TargetConformanceTests {
  private func target(_ kind: ConformanceKind) throws -> Target {
    Target(
      name: kind.rawValue, connection: try kind.connection(),
      runID: "conformance-\(UInt64.random(in: 0...UInt64.max))")
  }

  /// A process of this machine with a name of its own, whose words hold what breaks listings.
  private func victim(_ scratch: Scratch, _ script: String) throws -> (LocalProcess, String) {
    let name = "a) R 1\n(" + String(UInt16.random(in: 0...UInt16.max))
    try scratch.write(name, Array(LocalFile.read("/bin/sh")))
    chmod(scratch.path + "/" + name, 0o755)
    let process = try ProcessLauncher(environment: [:]).start(
      Command(
        [scratch.path + "/" + name, "-c", script, "it's\n$x", ""], standardOutput: .discard,
        // Else it would be the end of what this process has adopted: the shells of test lines.
        standardError: .discard, endsDescendants: false))
    return (process, name)
  }

  @Test(arguments: ConformanceKind.allCases)
  func findsSignalsAndEndsProcesses(kind: ConformanceKind) async throws {
    let scratch = try Scratch()
    let (process, name) = try victim(
      scratch, "trap '' TERM; while :; do read x </dev/null; sleep 0.05; done")
    defer { process.abandon() }
    let target = try target(kind)
    let deadline = Deadline.after(seconds: 120)
    let found = try await target.waitForProcess(.name(name), until: deadline)
    #expect(found.processID == process.processID)
    #expect(found.parentID == getpid() && found.userID == geteuid())
    #expect(found.startTicks == process.startTicks)
    #expect(found.arguments.first == scratch.path + "/" + name)
    #expect(found.arguments.suffix(2) == ["it's\n$x", ""])
    #expect(found.residentBytes > 4096)
    if geteuid() == 0 { #expect(found.user == "root") }

    // Another process with that number is another process.
    var stat = "\(found.processID) (x) R 1"
    stat += String(repeating: " 1", count: 18) + " 0\n"
    let status = "Pid:\t\(found.processID)\nUid:\t0\n"
    let other = try #require(
      TargetProcess(stat: Array(stat.utf8), status: Array(status.utf8), commandLine: []))
    #expect(try await target.signal([other], SIGKILL, until: deadline).gone == [other])
    let stopped = try await target.signal([found], SIGCONT, until: deadline)
    #expect(stopped.sent == [found])

    // It does not listen to SIGTERM.
    let report = try await target.end([found], grace: 0.2, until: deadline)
    #expect(report.sent == [found] && report.refused.isEmpty)
    let result = try await process.wait(until: deadline)
    #expect(result.termination == .signaled(SIGKILL))
    #expect(try await target.processes(.id(found.processID), until: deadline).isEmpty)
    #expect(try await target.signal([found], SIGTERM, until: deadline).gone == [found])
    await target.disconnect(until: deadline)
  }

  /// Kelvin's own shells, and all that they were started by, are left alone. Commands of a console have
  /// left its shell.
  @Test(arguments: ConformanceKind.allCases.filter { !$0.isConsole })
  func neverEndsWhatItWorksBy(kind: ConformanceKind) async throws {
    let target = try target(kind)
    let deadline = Deadline.after(seconds: 60)
    // What is above one command and above the next.
    let script =
      "p=$$; while [ $p -gt 1 ]; do echo $p; "
      + "p=$(sed 's/.*) . //; s/ .*//; 1!d' /proc/$p/stat); done"
    var above: [[Int32]] = []
    for _ in 0..<2 {
      let told = try await target.connection.execute(Command(["sh", "-c", script]), until: deadline)
      above.append(
        told.standardOutput.text.split(separator: "\n").compactMap { Int32($0) })
    }
    let shell = try #require(above[0].first { above[1].contains($0) }, "\(above)")
    let found = try await target.processes(.id(shell), until: deadline)
    #expect(found.count == 1)
    // For a process of this machine that is the test itself.
    let report = try await target.signal(found, SIGCONT, until: deadline)
    #expect(report.spared == found && report.sent.isEmpty)
    await target.disconnect(until: deadline)
  }

  @Test(arguments: ConformanceKind.allCases)
  func waitsForAnEnd(kind: ConformanceKind) async throws {
    let scratch = try Scratch()
    let (process, name) = try victim(scratch, "read x </dev/null; sleep 0.3")
    defer { process.abandon() }
    let target = try target(kind)
    let deadline = Deadline.after(seconds: 120)
    let found = try await target.processes(.pattern("*\(name)*"), until: deadline)
    #expect(found.count <= 1)
    #expect(try await target.waitForEnd(of: found, until: deadline).isEmpty)
    await #expect {
      try await target.waitForProcess(.name(name), until: .after(seconds: 0.3))
    } throws: {
      ($0 as? ConnectionFailure)?.code == .timedOut
    }
    await target.disconnect(until: deadline)
  }

  @Test(arguments: ConformanceKind.allCases)
  func makesADirectoryForARun(kind: ConformanceKind) async throws {
    let scratch = try Scratch()
    let target = Target(
      name: kind.rawValue, connection: try kind.connection(), runID: "it",
      directories: ["/no/such", "/proc", TargetPath(scratch.path)])
    let deadline = Deadline.after(seconds: 60)
    let place = try await target.workingDirectory(until: deadline)
    #expect(place.string == scratch.path + "/kelvin-it")
    #expect(access(place.string, F_OK) == 0)
    await target.disconnect(until: deadline)
    #expect(access(place.string, F_OK) != 0)
  }

  /// Debian's own, which has hundreds.
  @Test(
    .enabled(if: access("/usr/bin/dpkg-query", X_OK) == 0, "needs dpkg"),
    arguments: [ConformanceKind.local, .dash, .adbDirect])
  func listsPackages(kind: ConformanceKind) async throws {
    let target = try target(kind)
    let deadline = Deadline.after(seconds: 60)
    let packages = try await target.packages(until: deadline)
    let told = try await LocalConnection().execute(
      Command(["dpkg-query", "-W", "-f=${db:Status-Status}\\n"]), until: deadline)
    let count = told.standardOutput.text.split(separator: "\n").count { $0 == "installed" }
    #expect(packages.count == count && count > 10)
    let dpkg = try #require(try await target.package(named: "dpkg", until: deadline))
    #expect(dpkg.version?.contains(".") == true)
    #expect(try await target.package(named: "no-such-package", until: deadline) == nil)
    await target.disconnect(until: deadline)
  }

  /// Behind Android's own adbd there is a Linux here: it has facts where an Android has properties.
  @Test(arguments: ConformanceKind.allCases)
  func tellsFactsWhereThereAreNoProperties(kind: ConformanceKind) async throws {
    let target = try target(kind)
    let deadline = Deadline.after(seconds: 60)
    let properties = try await target.properties(until: deadline)
    let release = try LocalFile.read("/proc/sys/kernel/osrelease").dropLast()
    #expect(properties["kernel"] == String(decoding: release, as: UTF8.self))
    #expect(properties["uptime"].flatMap { Double($0) }.map { $0 > 0 } == true)
    await #expect {
      try await target.setProperty("debug.x", to: "1", until: deadline)
    } throws: {
      ($0 as? ConnectionFailure)?.code == .unsupported
    }
    await target.disconnect(until: deadline)
  }

  /// The end of the time ends what follows on the board.
  @Test(
    .enabled(if: geteuid() == 0, "needs root to read the kernel's log"),
    arguments: [ConformanceKind.local, .dash, .sshd, .adbDirect, .adbdDirect].filter {
      ConformanceKind.allCases.contains($0)
    })
  func followsTheKernelsLog(kind: ConformanceKind) async throws {
    let target = try target(kind)
    let mark = "kelvin log test \(UInt64.random(in: 0...UInt64.max))"
    // Again and again, so that it is written while the log is followed, too.
    let script = "while :; do echo '\(mark)' >/dev/kmsg; sleep 0.1; done"
    let writer = try ProcessLauncher(environment: [:]).start(
      Command(["sh", "-c", script], endsDescendants: false))
    defer { writer.abandon() }
    let command = Command(
      TargetLog.kernel.following(), standardOutput: .capture(limit: 64 << 20))
    do {
      _ = try await target.connection.execute(command, until: .after(seconds: 1.5))
      Issue.record("it ended by itself")
    } catch {
      #expect(error.code == .timedOut)
      let text = error.partial?.standardOutput.text ?? ""
      #expect(text.split(separator: "\n").count { $0.hasSuffix(mark) } > 1)
    }
    await target.disconnect(until: .after(seconds: 10))
  }
}
