import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

@Suite struct SysfsExtractorTests {
  private func bench(
    _ connection: any Connection, _ settings: [String: Value]
  ) -> InstrumentBench {
    var bench = InstrumentBench(connection)
    bench.argv = nil
    bench.settings = ["sysfs_extractor": settings]
    return bench
  }

  /// Unpacks the archive beside itself and gives the directory.
  private func unpack(_ record: InstrumentBench.Record) async throws -> String {
    let artifact = try #require(record.jobs.first?.artifacts.first { $0.name == "sysfs.tar" })
    let path = record.directory.path + "/run/" + artifact.path
    let directory = String(path.dropLast("sysfs.tar".count))
    #expect(try await output(of: ["tar", "-xf", path], in: directory) == "")
    return directory
  }

  @Test(.timeLimit(.minutes(1))) func keepsBothTreesAndTheirDifference() async throws {
    let tree = try RecordedTree([
      "/sys/devices/a/level": "1\n", "/sys/devices/a/deep/er/name": "x\n",
      "/sys/devices/b": "2\n", "/sys/devices/gone": "bye\n", "/sys/other": "no\n"
    ])
    var bench = bench(
      LocalConnection(root: tree.root), ["paths": ["/sys/devices", "/proc/cmdline"]])
    bench.during = { _ in
      try tree.write(["/sys/devices/a/level": "7\n", "/sys/devices/new": "hi\n"])
      try await tree.remove("/sys/devices/gone")
    }
    let record = try await bench.run([SysfsExtractor.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(try job.value("sysfs_changed_files") == 3)
    let directory = try await unpack(record)
    func text(_ path: String) throws -> String {
      String(decoding: try HostFile.read(directory + path), as: UTF8.self)
    }
    #expect(try text("before/sys/devices/a/level") == "1\n")
    #expect(try text("after/sys/devices/a/level") == "7\n")
    #expect(try text("after/sys/devices/a/deep/er/name") == "x\n")
    #expect(try text("before/proc/cmdline") == "quiet\n")
    #expect(
      try text("diff.txt") == """
        /sys/devices/a/level
        -1
        +7
        /sys/devices/gone
        -bye
        /sys/devices/new
        +hi

        """)
    #expect(throws: PlainFailure.self) { try text("before/sys/other") }
  }

  @Test(.timeLimit(.minutes(1))) func leavesOutWhatIsTooMuch() async throws {
    let tree = try RecordedTree([
      "/sys/t/1": "1", "/sys/t/2": String(repeating: "2", count: 100), "/sys/t/3": "333",
      "/sys/t/4": "4", "/sys/t/5": "5", "/sys/t/bad": "x", "/sys/t/trace_pipe": "endless"
    ])
    var connection = FaultyConnection(base: LocalConnection(root: tree.root))
    connection.faults["/sys/t/bad"] = .io
    let record = try await bench(
      connection,
      ["paths": ["/sys/t"], "max_file_size": 10, "max_size": 4, "max_files": 4]
    ).run([SysfsExtractor.self])
    let job = try #require(record.jobs.first)
    let directory = try await unpack(record)
    let names = try await output(of: ["ls", "before/sys/t"], in: directory)
    #expect(names == "1\n3\n")
    for reason in [
      "2 (100 bytes)", "4 (beyond max_size)", "5 (beyond max_files)", "bad (beyond max_files)"
    ] {
      #expect(record.log.contains("/sys/t/" + reason), "\(reason)")
    }
    // Said once for the run, not again for the job.
    #expect(job.events.isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func aFileThatFailsLaterIsAWarning() async throws {
    let tree = try RecordedTree(["/sys/t/a": "1", "/sys/t/b": "2"])
    var bench = bench(LocalConnection(root: tree.root), ["paths": ["/sys/t/a", "/sys/t/b"]])
    bench.during = { _ in try await tree.remove("/sys/t/b") }
    let record = try await bench.run([SysfsExtractor.self])
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok)
    #expect(
      job.messages(.warning)
        == ["1 more file(s) were left out: /sys/t/b (No such file or directory)"])
  }

  @Test(.timeLimit(.minutes(1))) func isUnavailableWithoutFiles() async throws {
    let tree = try RecordedTree([:])
    let record = try await bench(
      LocalConnection(root: tree.root), ["paths": ["/sys/nosuch"]]
    ).run([SysfsExtractor.self])
    #expect(
      record.log.contains(
        "sysfs_extractor: unavailable on this target: /sys/nosuch: nothing there can be read: "
          + "/sys/nosuch (No such file or directory)"))
  }

  @Test(.timeLimit(.minutes(1))) func followsALinkThatIsNamedButNoOthers() async throws {
    let tree = try RecordedTree(["/sys/devices/zone/temp": "1\n", "/sys/class/x": ""])
    _ = try await output(
      of: ["sh", "-c", "rm sys/class/x && ln -s ../devices/zone sys/class/zone0"], in: tree.root)
    let named = try await bench(
      LocalConnection(root: tree.root), ["paths": ["/sys/class/zone0"]]
    ).run([SysfsExtractor.self])
    let directory = try await unpack(named)
    #expect(
      try HostFile.read(directory + "before/sys/class/zone0/temp") == Array("1\n".utf8))
    let above = try await bench(
      LocalConnection(root: tree.root), ["paths": ["/sys/class"]]
    ).run([SysfsExtractor.self])
    #expect(above.log.contains("/sys/class: nothing there can be read; links are not followed"))
  }

  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func keepsATreeOfThisKernel(way: Way) async throws {
    let record = try await bench(
      way.connection, ["paths": ["/sys/class/net/lo", "/proc/sys/kernel/random/boot_id"]]
    ).run([SysfsExtractor.self])
    let directory = try await unpack(record)
    for path in ["/sys/class/net/lo/mtu", "/proc/sys/kernel/random/boot_id"] {
      #expect(try HostFile.read(directory + "after" + path) == HostFile.read(path))
    }
    #expect(
      record.log.contains("/sys/class/net/lo/speed (Invalid argument)")
        || record.log.contains("/sys/class/net/lo/speed (Input/output error)"))
  }
}
