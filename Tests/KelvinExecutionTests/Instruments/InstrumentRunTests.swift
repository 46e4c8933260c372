import Glibc
import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

/// Instruments on this machine's kernel.
@Suite struct InstrumentRunTests {
  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func allOfThemMeasureThisMachineOrSayWhyNot(way: Way) async throws {
    var bench = InstrumentBench(way.connection)
    bench.argv = ["sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]
    bench.settings = [
      "sysfs_extractor": ["paths": ["/sys/kernel/mm", "/proc/loadavg"]],
      "file_poller": ["files": ["/proc/loadavg"], "period": 0.01]
    ]
    let record = try await bench.run(Registry.builtInInstruments)
    let job = try #require(record.jobs.first)
    #expect(job.outcome == .ok, "\(job.outcome)")
    for type in Registry.builtInInstruments {
      let name = type.declaration.name
      let hasMeasured = job.metrics.contains { $0.source == name }
      #expect(
        hasMeasured || record.log.contains("\(name): unavailable on this target: "), "\(name)")
    }
    #expect(try job.value("execution_time") > 0)
    #expect(try job.value("pgfault") > 0)
    #expect(try job.value("MemFree", ["reading": "before"]) > 0)
    #expect(try job.value("interrupts") > 0)
    let busy = try job.value("cpu_busy", ["cpu": "all"])
    #expect(busy > 0 && busy <= 100)
    #expect(job.metrics.allSatisfy { $0.value.double?.isFinite == true })
  }

  @Test(.timeLimit(.minutes(1)), arguments: Way.allCases)
  func countsTrafficOnTheLoopback(way: Way) async throws {
    var bench = InstrumentBench(way.connection)
    bench.argv = nil
    bench.settings = ["net": ["interfaces": ["lo"]]]
    bench.during = { _ in
      let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
      defer { close(descriptor) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(9).bigEndian
      address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
      let payload = [UInt8](repeating: 0, count: 1000)
      for _ in 0..<10 {
        _ = withUnsafePointer(to: &address) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            sendto(
              descriptor, payload, payload.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
          }
        }
      }
    }
    let record = try await bench.run([NetworkCounters.self])
    let job = try #require(record.jobs.first)
    #expect(try job.value("net_tx_packets", ["interface": "lo"]) >= 10)
    #expect(try job.value("net_tx_bytes", ["interface": "lo"]) >= 10_280)
  }

  @Test(.timeLimit(.minutes(1))) func seesAWriteReachTheDisk() async throws {
    let directory = try TemporaryDirectory()
    let device = try await output(of: ["findmnt", "-nro", "SOURCE", "-T", directory.path], in: "/")
    try #require(
      device.hasPrefix("/dev/"), "no block device behind \(directory.path): nothing to see here")
    var bench = InstrumentBench(LocalConnection())
    bench.argv = [
      "dd", "if=/dev/zero", "of=\(directory.path)/x", "bs=64k", "count=16", "conv=fsync",
      "status=none"
    ]
    let record = try await bench.run([DiskCounters.self])
    let job = try #require(record.jobs.first)
    let written = job.metrics.filter { $0.name == "disk_written_bytes" }
      .compactMap(\.value.double).max()
    #expect(try #require(written) >= 1_048_576)
  }
}
