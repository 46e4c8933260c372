import KelvinConnections
import KelvinModel
import KelvinStore
import KelvinTargets
import Testing

@testable import KelvinExecution

@Suite struct FilePollerTests {
  private func bench(
    _ connection: any Connection, _ settings: [String: Value]
  ) -> InstrumentBench {
    var bench = InstrumentBench(connection)
    bench.argv = ["sleep", "0.2"]
    bench.settings = ["file_poller": settings]
    return bench
  }

  @Test(.timeLimit(.minutes(1))) func keepsEverySampleOfTheWindow() async throws {
    let tree = try RecordedTree(["/sys/a": "12\n", "/sys/b": "-0.5 x\n"])
    let record = try await bench(
      LocalConnection(root: tree.root),
      ["files": ["/sys/a", "/sys/b"], "labels": ["current", "level"], "period": 0.002]
    ).run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("file_mean", ["file": "current"]) == 12)
    #expect(try job.value("file_min", ["file": "level"]) == -0.5)
    let ticks = try job.value("sampling_ticks")
    #expect(ticks >= 2)
    let taken = ticks - (try job.value("sampling_overruns"))
    let lost = try job.value("sampling_lost")

    let capture = try #require(job.captures.first)
    #expect(capture.source == "file_poller")
    #expect(capture.channels.map(\.name) == ["current", "level"])
    #expect(capture.channels.map(\.scale) == [1, 1e-6])
    let reader = try RunReader(directory: record.directory.path + "/run")
    let window = try #require(job.attempt.stages.run)
    for (channel, code) in [(0, Int64(12)), (1, -500_000)] {
      let blocks = try reader.blocks(ofCapture: capture.id, channel: channel)
      let times = blocks.flatMap(\.times)
      #expect(abs(Double(times.count) + lost / 2 - taken) <= 1)
      #expect(blocks.flatMap(\.codes).allSatisfy { $0 == code })
      #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
      let first = try #require(times.first)
      let last = try #require(times.last)
      #expect(window.contains(first) && window.contains(last))
    }
    #expect(job.messages(.info).contains { $0.hasPrefix("sampled ") && $0.contains("SCHED_FIFO") })
  }

  @Test(arguments: [
    (Int64(1_000_000), 6, 65_536), (10_000, 6, 240_024), (10_000, 1000, 1 << 20),
    (1, 65_535, 1 << 20)
  ])
  func hasRoomForWhatComesBetweenDrains(period: Int64, files: Int, capacity: Int) {
    #expect(SamplerSession.capacity(period: period, files: files) == capacity)
  }

  @Test(.timeLimit(.minutes(1))) func keepsUpWithTenThousandSamplesASecond() async throws {
    let tree = try RecordedTree(["/sys/a": "12\n"])
    var bench = bench(
      LocalConnection(root: tree.root), ["files": ["/sys/a"], "period": 0.0001])
    bench.argv = ["sleep", "0.3"]
    let record = try await bench.run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(try job.value("sampling_lost") == 0)
    #expect(try job.value("sampling_ticks") >= 3000)
    let capture = try #require(job.captures.first)
    let reader = try RunReader(directory: record.directory.path + "/run")
    let count = try reader.blocks(ofCapture: capture.id, channel: 0).map(\.times.count)
      .reduce(0, +)
    let taken = try job.value("sampling_ticks") - (try job.value("sampling_overruns"))
    #expect(abs(Double(count) - taken) <= 1)
  }

  @Test(.timeLimit(.minutes(1))) func aFileThatDisappearsKeepsTheOthers() async throws {
    let tree = try RecordedTree(["/sys/dir/a": "1\n", "/sys/b": "2\n"])
    var bench = bench(
      FaultyConnection(base: LocalConnection(root: tree.root)),
      ["files": ["/sys/dir/a", "/sys/b"], "period": 0.002])
    bench.iterations = 2
    bench.during = { _ in try await tree.remove("/sys/dir") }
    let record = try await bench.run([FilePoller.self])
    #expect(record.jobs.count == 2)
    for job in record.jobs {
      #expect(try job.value("file_mean", ["file": "/sys/b"]) == 2)
    }
    // Gone before the second job began: it says so.
    let second = try #require(record.jobs.last)
    #expect(
      second.messages(.warning).contains {
        $0.hasPrefix("/sys/dir/a: ") && $0.contains("not readable")
      })
  }

  @Test(.timeLimit(.minutes(1))) func resolvesPatternsAndLeavesOutWhatIsNoNumber() async throws {
    let tree = try RecordedTree([
      "/sys/class/hwmon/hwmon0/temp1_input": "40000\n",
      "/sys/class/hwmon/hwmon0/temp2_input": "41000\n",
      "/sys/class/hwmon/hwmon1/temp1_input": "none\n",
      "/sys/class/hwmon/hwmon2/name": "x\n"
    ])
    let record = try await bench(
      LocalConnection(root: tree.root),
      [
        "files": ["/sys/class/hwmon/hwmon*/temp?_input", "/sys/nosuch", "/sys/no*"],
        "labels": ["temp", "x", "y"]
      ]
    ).run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(
      Set(job.metrics.compactMap { $0.classifiers["file"] }) == [
        "temp /sys/class/hwmon/hwmon0/temp1_input", "temp /sys/class/hwmon/hwmon0/temp2_input"
      ])
    for reason in [
      "/sys/class/hwmon/hwmon1/temp1_input (is not a number; 'text: true' keeps it whole)",
      "/sys/nosuch (No such file or directory)", "/sys/no* (nothing matches)"
    ] {
      #expect(record.log.contains(reason), "\(reason)")
    }
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutAnyFile() async throws {
    let tree = try RecordedTree(["/sys/text": "abc\n"])
    let record = try await bench(
      LocalConnection(root: tree.root), ["files": ["/sys/text"]]
    ).run([FilePoller.self])
    #expect(
      record.log.contains("file_poller: unavailable on this target: no file can be sampled"))
  }

  @Test(.timeLimit(.minutes(1))) func keepsTextExactly() async throws {
    let text = "state: \"on\",\nlevel: 3\n\n"
    let tree = try RecordedTree(["/sys/state": text, "/sys/b": "7\n"])
    let record = try await bench(
      LocalConnection(root: tree.root),
      [
        "files": ["/sys/state", "/sys/b"], "labels": ["state", "b"], "text": true,
        "period": 0.01
      ]
    ).run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(job.captures.isEmpty)
    let ticks = Int(try job.value("sampling_ticks") - (try job.value("sampling_overruns")))
    #expect(ticks >= 2)
    let artifact = try #require(job.artifacts.first { $0.name == "file_poller.csv" })
    let rows = try parseCSV(try record.content(artifact))
    #expect(rows.first == ["time_ns", "file", "error", "content"])
    #expect(rows.count == 1 + 2 * ticks)
    for row in rows.dropFirst() {
      #expect(row[3] == (row[1] == "state" ? text : "7\n"))
      #expect(row[2] == "")
    }
    let times = rows.dropFirst().filter { $0[1] == "b" }.compactMap { Int64($0[0]) }
    #expect(times.count == ticks)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  @Test(.timeLimit(.minutes(1))) func textEndsAtItsLimitAndSaysSo() async throws {
    let tree = try RecordedTree(["/sys/big": String(repeating: "x", count: 1000)])
    let record = try await bench(
      LocalConnection(root: tree.root),
      ["files": ["/sys/big"], "text": true, "period": 0.01, "max_size": 2500]
    ).run([FilePoller.self])
    let job = try #require(record.jobs.first)
    let artifact = try #require(job.artifacts.first { $0.name == "file_poller.csv" })
    #expect(try record.content(artifact).count < 2600)
    #expect(job.messages(.warning).contains { $0.contains("beyond max_size were left out") })
  }

  @Test(.timeLimit(.minutes(1))) func textThatFailsIsCounted() async throws {
    let tree = try RecordedTree(["/sys/a": "1", "/sys/b": "2"])
    var bench = bench(
      LocalConnection(root: tree.root),
      ["files": ["/sys/a", "/sys/b"], "text": true, "period": 0.01])
    bench.iterations = 2
    bench.during = { _ in try await tree.remove("/sys/a") }
    let record = try await bench.run([FilePoller.self])
    let job = try #require(record.jobs.last)
    #expect(job.messages(.warning).contains { $0.contains("reading(s) of a file failed") })
    let artifact = try #require(job.artifacts.first { $0.name == "file_poller.csv" })
    let rows = try parseCSV(try record.content(artifact))
    #expect(rows.contains { $0[1] == "/sys/a" && $0[2] == "No such file or directory" })
    #expect(rows.contains { $0[1] == "/sys/b" && $0[3] == "2" })
  }

  @Test(.timeLimit(.minutes(1))) func textNeedsDirectReading() async throws {
    let record = try await bench(
      ShellConnection(), ["files": ["/proc/loadavg"], "text": true]
    ).run([FilePoller.self])
    #expect(
      record.log.contains(
        "unavailable on this target: text: whole files cannot be polled through shell 'sh'"))
  }

  @Test(.timeLimit(.minutes(1))) func samplesThroughAShell() async throws {
    var bench = bench(
      ShellConnection(),
      ["files": ["/proc/uptime", "/proc/loadavg"], "period": 0.02, "on_board": "never"])
    bench.argv = ["sleep", "0.3"]
    let record = try await bench.run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("file_max", ["file": "/proc/uptime"]) > 0)
    #expect(try job.value("sampling_realtime") == 0)
    #expect(job.messages(.info).contains { $0.contains("sampled through a shell") })
  }

  /// By its own program there, whose samples stay there until the window has ended.
  @Test(.timeLimit(.minutes(1))) func samplesOnABoardWithASilentLink() async throws {
    var bench = bench(
      ShellConnection(),
      ["files": ["/proc/uptime", "/proc/loadavg"], "period": 0.002, "buffer": 1_048_576])
    bench.argv = ["sleep", "0.3"]
    let record = try await bench.run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    let isOnBoard = job.metrics.contains { $0.name == "sampling_link_bytes" }
    guard isOnBoard else {
      // Where scripts/build-sampler was not run, the job says what to do.
      #expect(job.messages(.info).contains { $0.contains("scripts/build-sampler") })
      return
    }
    #expect(try job.value("sampling_link_bytes") == 0)
    #expect(try job.value("sampling_lost") == 0)
    #expect(try job.value("sampling_clock_bound") > 0)
    #expect(try job.value("sampling_wakeups") <= (try job.value("sampling_ticks")) + 10)
    let capture = try #require(job.captures.first)
    #expect(capture.summary?["clock bound"]?.integer ?? 0 > 0)
    #expect(capture.summary?["probe bytes out"]?.integer == 0)
    let reader = try RunReader(directory: record.directory.path + "/run")
    let times = try reader.blocks(ofCapture: capture.id, channel: 0).flatMap(\.times)
    let taken = try job.value("sampling_ticks") - (try job.value("sampling_overruns"))
    #expect(Double(times.count) == taken)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  /// The threads end although the window never came.
  @Test(.timeLimit(.minutes(1)), arguments: [false, true])
  func endsWhenTheWorkloadFails(text: Bool) async throws {
    let tree = try RecordedTree(["/sys/a": "1\n"])
    var bench = bench(
      LocalConnection(root: tree.root),
      ["files": ["/sys/a"], "period": 0.01, "text": .boolean(text)])
    bench.during = { _ in throw PlainFailure(.workload, "broken") }
    let record = try await bench.run([FilePoller.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome.verdict == .failed(.workload))
    #expect(try job.value("sampling_ticks") >= 1)
    if !text { #expect(job.captures.first?.summary != nil) }
  }

  @Test(.timeLimit(.minutes(1))) func samplesThisKernel() async throws {
    let record = try await bench(
      LocalConnection(), ["files": ["/proc/uptime"], "period": 0.005]
    ).run([FilePoller.self])
    let job = try #require(record.jobs.first)
    let low = try job.value("file_min")
    #expect(try job.value("file_max") >= low)
    #expect(low > 0)
  }
}

/// Reads RFC 4180.
func parseCSV(_ bytes: [UInt8]) throws -> [[String]] {
  var rows: [[String]] = []
  var row: [String] = []
  var field: [UInt8] = []
  var isQuoted = false
  var rest = bytes[...]
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "\"") where isQuoted && rest.first == UInt8(ascii: "\""):
      field.append(byte)
      rest.removeFirst()
    case UInt8(ascii: "\""): isQuoted.toggle()
    case UInt8(ascii: ",") where !isQuoted:
      row.append(String(decoding: field, as: UTF8.self))
      field = []
    case UInt8(ascii: "\n") where !isQuoted:
      rows.append(row + [String(decoding: field, as: UTF8.self)])
      row = []
      field = []
    default: field.append(byte)
    }
  }
  try #require(row.isEmpty && field.isEmpty && !isQuoted)
  return rows
}
