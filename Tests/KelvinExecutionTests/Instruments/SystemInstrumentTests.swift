import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// meminfo, vmstat, diskstats and net.
@Suite struct SystemInstrumentTests {
  private func job(
    _ instrument: any Instrument.Type, _ settings: [String: Value],
    machine: String = "aarch64", _ before: [String: String], then after: [String: String]
  ) async throws -> (InstrumentBench.Record, InstrumentBench.Record.Job) {
    let tree = try RecordedTree(machine: machine, before)
    var bench = InstrumentBench(LocalConnection(root: tree.root))
    bench.argv = nil
    bench.settings = [instrument.declaration.name: settings]
    bench.during = { _ in try tree.write(after) }
    let record = try await bench.run([instrument])
    return (record, try #require(record.jobs.first))
  }

  @Test(.timeLimit(.minutes(1))) func memoryIsReadBeforeAndAfter() async throws {
    let (record, job) = try await job(
      MemoryInfo.self, ["fields": ["MemFree", "HugePages_Total", "MemFre"]],
      ["/proc/meminfo": "MemFree: 100 kB\nHugePages_Total: 3\n"],
      then: ["/proc/meminfo": "MemFree: 90 kB\n"])
    #expect(try job.value("MemFree", ["reading": "before"]) == 102_400)
    #expect(try job.value("MemFree", ["reading": "after"]) == 92_160)
    #expect(try job.value("HugePages_Total") == 3)
    #expect(
      job.messages(.warning)
        == ["/proc/meminfo after the window: has no number for HugePages_Total"])
    #expect(
      record.log.contains("this kernel has no MemFre (did you mean 'MemFree'?)"))
  }

  @Test(.timeLimit(.minutes(1))) func allTakesEveryField() async throws {
    let text = ["/proc/meminfo": "A: 1 kB\nB: 2\nC: 3 kB\n"]
    let (_, job) = try await job(MemoryInfo.self, ["fields": ["all"]], text, then: text)
    #expect(job.metrics.map(\.name) == ["A", "B", "C", "A", "B", "C"])
  }

  @Test(.timeLimit(.minutes(1))) func noneOfTheFieldsMakesItUnavailable() async throws {
    let text = ["/proc/vmstat": "pgfault 1\n"]
    let (record, job) = try await job(VMStat.self, ["fields": ["x", "y"]], text, then: text)
    #expect(record.log.contains("vmstat: unavailable on this target: /proc/vmstat: has none of"))
    #expect(job.metrics.isEmpty)
  }

  @Test(.timeLimit(.minutes(1))) func vmstatTellsCountersFromLevels() async throws {
    let (_, job) = try await job(
      VMStat.self, ["fields": ["pgfault", "pgpgin", "nr_dirty", "oom_kill"]],
      ["/proc/vmstat": "nr_dirty 50\npgfault 1000\npgpgin 10\noom_kill 3\n"],
      then: ["/proc/vmstat": "nr_dirty 20\npgfault 1500\npgpgin 14\noom_kill 1\n"])
    #expect(try job.value("pgfault") == 500)
    #expect(try job.value("nr_dirty") == -30)
    #expect(job.metrics.first { $0.name == "pgpgin" }?.unit == "KiB")
    #expect(!job.metrics.contains { $0.name == "oom_kill" })
    #expect(
      job.messages(.warning) == ["went back, so were reset, and are left out: oom_kill"])
  }

  @Test(.timeLimit(.minutes(1))) func disksAreComparedByDevice() async throws {
    let (_, job) = try await job(
      DiskCounters.self, ["fields": ["reads", "read_bytes", "io_time", "flushes"]],
      [
        "/proc/diskstats": """
        7 0 loop0 1 0 0 0 0 0 0 0 0 0 0
        254 0 vda 10 0 80 0 0 0 0 0 0 4294967290 0
        254 16 vdb 0 0 0 0 0 0 0 0 0 0 0
        8 0 sda 5 0 0 0 0 0 0 0 0 0 0
        8 16 sdb 9 0 0 0 0 0 0 0 0 0 0

        """
      ],
      then: [
        "/proc/diskstats": """
        7 0 loop0 2 0 0 0 0 0 0 0 0 0 0
        254 0 vda 14 0 100 0 0 0 0 0 0 4 0
        254 16 vdb 0 0 0 0 0 0 0 0 0 0 0
        8 32 sda 6 0 0 0 0 0 0 0 0 0 0
        8 48 sdc 6 0 0 0 0 0 0 0 0 0 0

        """
      ])
    #expect(Set(job.metrics.compactMap { $0.classifiers["device"] }) == ["vda"])
    #expect(try job.value("disk_reads") == 4)
    #expect(try job.value("disk_read_bytes") == 20 * 512)
    #expect(try job.value("disk_io_time") == 10)
    #expect(
      job.messages(.warning) == [
        "went back and were taken as wrapped at 32 bits: disk_io_time of vda",
        "block devices that appeared in the measured window are left out: sda (8:32), sdc (8:48)",
        "block devices that went away in the measured window are left out: sda (8:0), sdb (8:16)"
      ])
  }

  @Test(.timeLimit(.minutes(1))) func namedDevicesAreReportedEvenWhenIdle() async throws {
    let text = ["/proc/diskstats": "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n"]
    let (_, job) = try await job(
      DiskCounters.self, ["devices": ["loop*"], "fields": ["reads"]], text, then: text)
    #expect(try job.value("disk_reads", ["device": "loop0"]) == 0)
  }

  private static func interface(_ name: String, rx: UInt64, tx: UInt64) -> String {
    "\(name): \(rx) 1 0 0 0 0 0 0 \(tx) 1 0 0 0 0 0 0\n"
  }

  @Test(
    .timeLimit(.minutes(1)),
    arguments: [("armv7l", 1400, "taken as wrapped"), ("aarch64", nil, "were reset")])
  func anInterfaceThatGoesBackIsFlagged(
    machine: String, bytes: Double?, warning: String
  ) async throws {
    let (_, job) = try await job(
      NetworkCounters.self, ["fields": ["rx_bytes", "tx_bytes"]], machine: machine,
      ["/proc/net/dev": Self.interface("eth0", rx: 4_294_966_296, tx: 5)],
      then: ["/proc/net/dev": Self.interface("eth0", rx: 400, tx: 25)])
    #expect(try job.value("net_tx_bytes") == 20)
    #expect(job.metrics.first { $0.name == "net_rx_bytes" }?.value.double == bytes)
    #expect(job.messages(.warning).count == 1)
    #expect(job.messages(.warning).first?.contains(warning) == true)
    #expect(job.messages(.warning).first?.contains("net_rx_bytes of eth0") == true)
  }

  @Test(.timeLimit(.minutes(1))) func interfacesComeAndGo() async throws {
    let (_, job) = try await job(
      NetworkCounters.self, ["fields": ["rx_bytes"]],
      [
        "/proc/net/dev": Self.interface("eth0", rx: 1, tx: 1) + Self.interface("usb0", rx: 1, tx: 1)
      ],
      then: [
        "/proc/net/dev": Self.interface("eth0", rx: 2, tx: 1)
          + Self.interface("wlan0", rx: 1, tx: 1)
      ])
    #expect(Set(job.metrics.compactMap { $0.classifiers["interface"] }) == ["eth0"])
    #expect(job.messages(.warning).count == 2)
  }

  @Test(.timeLimit(.minutes(1)), arguments: ["/proc/diskstats", "/proc/net/dev"])
  func withoutItsFileItIsUnavailable(path: String) async throws {
    let tree = try RecordedTree([:])
    let instrument: any Instrument.Type =
      path == "/proc/diskstats" ? DiskCounters.self : NetworkCounters.self
    let record = try await InstrumentBench(LocalConnection(root: tree.root)).run([instrument])
    #expect(record.log.contains("unavailable on this target: \(path)"))
  }
}
