// Connections as Benchmarks/connections.py times them: each mode opens one, does one thing many
// times, and prints how long each time took, and what it cost this process.

import CLinux
import Glibc
import KelvinConnections
import KelvinModel

/// How long each of many rounds took.
struct Rounds {
  private var times: [Int64] = []
  private let cpu = MonotonicTime.processCPUNanoseconds

  mutating func time<T>(_ body: () async throws -> T) async throws -> T {
    let begin = MonotonicTime.now
    let result = try await body()
    times.append(MonotonicTime.now - begin)
    return result
  }

  /// Prints the times, in nanoseconds, and this process's own CPU time for all of them.
  func report(_ more: [(String, Int)] = []) {
    let fields = more.map { ", \"\($0.0)\": \($0.1)" }.joined()
    let used = MonotonicTime.processCPUNanoseconds - cpu
    print("{\"ns\": \(times), \"cpu_ns\": \(used)\(fields)}")
  }
}

enum ConnectionBenchmarks {
  /// A connection by the words of a bench file: `ssh host=127.0.0.1 port=22`, or `sh dash` for shells
  /// of this machine.
  static func connection(_ words: ArraySlice<String>) throws -> any Connection {
    guard let driver = words.first else { fail("no connection was named") }
    if driver == "sh" { return ShellConnection(argv: Array(words.dropFirst())) }
    var options: [String: Value] = [:]
    for word in words.dropFirst() {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else { fail("'\(word)' is no NAME=VALUE") }
      options[parts[0]] = parts[0] == "port" ? .integer(Int64(parts[1]) ?? 0) : .text(parts[1])
    }
    return try Connections.make(
      DriverChoice(driver, options: options, location: SourceLocation(file: "bench")))
  }

  /// Commands: a program that is started, or a script for the persistent shell alone.
  static func commands(_ kind: String, _ count: Int, _ words: ArraySlice<String>) async throws {
    let connection = try connection(words)
    let command = Command(["true"], endsDescendants: kind == "whole")
    func once() async throws {
      switch kind {
      case "script":
        guard try await connection.findExecutables(["/bin/sh"], until: soon())[0] != nil else {
          fail("no sh")
        }
      default:
        guard try await connection.execute(command, until: soon()).isSuccess else { fail("true") }
      }
    }
    for _ in 0..<5 { try await once() }
    var rounds = Rounds()
    for _ in 0..<count { try await rounds.time { try await once() } }
    rounds.report()
    await connection.close()
  }

  /// Values read, or written, or settled, where every other one differs, all in one call.
  ///
  /// - Parameter list: a file that names theirs, one a line.
  static func values(
    _ kind: String, _ list: String, _ count: Int, _ words: ArraySlice<String>
  ) async throws {
    let connection = try connection(words)
    let paths = try await lines(of: list).map { TargetPath($0) }
    // Its last word is the last process id that was given.
    let counter: TargetPath = "/proc/loadavg"
    func last() async throws -> Int {
      let word = try await connection.read(counter, until: soon()).split(separator: 32).last ?? []
      return Int(String(decoding: word.filter { $0 != 10 }, as: UTF8.self)) ?? 0
    }
    let first = try await last()
    let own = try await last() - first
    var started = 0
    var rounds = Rounds()
    for round in 0..<count {
      let before = try await last()
      if kind == "settle" {
        let steps = paths.enumerated().map { index, path in
          ValueStep(path, line: index % 2 == 0 ? "0" : "\(round % 10)")
        }
        let outcomes = try await rounds.time { try await connection.settle(steps, until: soon()) }
        for (step, outcome) in zip(steps, outcomes) {
          guard step.isMet(by: try outcome.after.get()) else { fail("\(step.path) is not settled") }
        }
      } else if kind == "write" {
        let written = try await rounds.time {
          try await connection.write(
            paths.map { ($0, Array("\(round % 10)\n".utf8)) }, until: soon())
        }
        for result in written { try result.get() }
      } else {
        let results = try await rounds.time { try await connection.read(paths, until: soon()) }
        for result in results { _ = try result.get() }
      }
      started = try await last() - before - own
    }
    rounds.report([("started", started)])
    await connection.close()
  }

  /// The lines of a file of this machine.
  static func lines(of path: String) async throws -> [String] {
    let bytes = try await LocalConnection().read(TargetPath(path), until: soon())
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Files to the target or from it, as `kelvin target push` and `pull` do.
  ///
  /// - Parameters:
  ///   - list: a file with lines `SOURCE<tab>DESTINATION`.
  static func copy(_ kind: String, _ list: String, _ words: ArraySlice<String>) async throws {
    let connection = try connection(words)
    guard
      case .success(let text) = try await LocalConnection().read([TargetPath(list)], until: soon())[
        0]
    else { fail("\(list) cannot be read") }
    let pairs = String(decoding: text, as: UTF8.self).split(separator: "\n").map {
      $0.split(separator: "\t").map(String.init)
    }
    let groups = FileCopy.groups(
      pairs.map { pair in
        var status = stat()
        stat(pair[0], &status)
        return FileCopy(
          hostPath: pair[kind == "push" ? 0 : 1], path: TargetPath(pair[kind == "push" ? 1 : 0]),
          size: Int64(status.st_size))
      })
    guard try await connection.findExecutables(["sh"], until: soon())[0] != nil else { fail("sh") }
    var rounds = Rounds()
    try await rounds.time {
      for group in groups {
        switch (kind, group.count) {
        case ("push", 1):
          try await connection.push(
            group[0].hostPath, to: group[0].path, mode: 0o644, until: soon(), progress: { _, _ in })
        case ("push", _): try await connection.push(group, until: soon())
        case (_, 1):
          try await connection.pull(
            group[0].path, to: group[0].hostPath, until: soon(), progress: { _, _ in })
        default: try await connection.pull(group, until: soon())
        }
      }
    }
    rounds.report()
    await connection.close()
  }

  /// Commands over a console whose terminal is named.
  ///
  /// - Parameter size: bytes of output of each command.
  static func console(_ path: String, _ baud: Int, _ size: Int, _ count: Int) async throws {
    let descriptor = kelvin_open(path, O_RDWR | O_NOCTTY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { fail("\(path) cannot be opened") }
    kelvin_terminal_raw(descriptor)
    let channel = ConsoleChannel(
      DescriptorLink(descriptor, name: path, bitsPerSecond: baud))
    try channel.open(until: .after(seconds: 60))
    // Text as commands print it: lines of digits.
    let script = "seq 100000 | head -c \(size)"
    let payload = script.utf8.count + size
    var output = 0
    _ = try channel.run(script, until: soon())
    let before = channel.counts
    var rounds = Rounds()
    for _ in 0..<count {
      let reply = try await rounds.time { try channel.run(script, until: soon()) }
      guard reply.status == 0 else { fail("status \(reply.status)") }
      output = reply.output.count
    }
    guard output == size else { fail("\(output) bytes instead of \(size)") }
    rounds.report([
      ("payload", payload), ("queries", channel.counts.queries - before.queries),
      ("damaged", channel.counts.damagedFrames - before.damagedFrames),
      ("sent", (channel.counts.bytesSent - before.bytesSent) / count),
      ("received", (channel.counts.bytesReceived - before.bytesReceived) / count)
    ])
    channel.close(until: .after(seconds: 5))
  }

  private static func soon() -> Deadline { .after(seconds: 300) }
}
