// What Benchmarks/bench.py times in Kelvin's libraries, each mode the counterpart of a C program in
// Benchmarks/C or of a part of a run. The last line printed is one JSON object.

import Glibc
import KelvinConnections
import KelvinDevices
import KelvinExecution
import KelvinModel
import KelvinStore
import KelvinTargets
import Synchronization

func fail(_ message: String) -> Never {
  let line = "kelvin-benchmarks: \(message)\n"
  write(2, line, line.utf8.count)
  exit(2)
}

func number(_ index: Int) -> Int {
  guard CommandLine.arguments.count > index, let number = Int(CommandLine.arguments[index]) else {
    fail(
      "usage: spawn COUNT | pread PATH COUNT | sample SECONDS PERIOD_NS FILE..."
        + " | board-sample keep|stream|shell SECONDS PERIOD_NS LIST CONNECTION | store SAMPLES DIR"
        + " | ingest SAMPLES DIR | zoom DIR COUNT | samples DIR"
        + " | usb VENDOR PRODUCT ENDPOINT SECONDS | command script|program|whole COUNT CONNECTION"
        + " | values read|write|settle LIST COUNT CONNECTION | copy push|pull LIST CONNECTION"
        + " | console PTY BAUD SIZE COUNT | ppk2 write|decode|live PATH COUNT"
        + " | energy-probe write|decode|live PATH COUNT | joulescope write|decode PATH COUNT"
    )
  }
  return number
}

/// Launches of /bin/true, one after the other: this process's own CPU time.
func spawn(count: Int) async throws {
  let connection = LocalConnection()
  let command = Command(["/bin/true"])
  let begin = MonotonicTime.processCPUNanoseconds
  for _ in 0..<count {
    let result = try await connection.execute(command, until: .after(seconds: 10))
    guard result.isSuccess else { fail("/bin/true failed") }
  }
  let cpu = MonotonicTime.processCPUNanoseconds - begin
  print(#"{"count": \#(count), "cpu_ns": \#(cpu)}"#)
}

/// Samples of one file without waiting in between.
func pread(path: String, count: Int) {
  var file = SampledFile(path: path, channel: 0)
  var sum: Int64 = 0
  var cpu: Int64 = 0
  let ring = UnsafeMutablePointer<Sample>.allocate(capacity: 4096)
  ring.initialize(repeating: Sample(nanoseconds: 0, mantissa: 0, channel: 0), count: 4096)
  withUnsafeTemporaryAllocation(byteCount: 256, alignment: 8) { buffer in
    let begin = MonotonicTime.processCPUNanoseconds
    for index in 0..<count { ring[index & 4095] = file.sample(buffer) }
    cpu = MonotonicTime.processCPUNanoseconds - begin
  }
  for index in 0..<min(count, 4096) {
    guard ring[index].status == .ok else { fail("\(path): no number") }
    sum &+= ring[index].mantissa
  }
  print(#"{"count": \#(count), "cpu_ns": \#(cpu), "sum": \#(sum)}"#)
}

/// Samples of six slowly changing channels at 1 kHz into a run's database.
func store(samples: Int, directory: String) throws {
  let path = "\(directory)/store-\(getpid())"
  let plan = Plan(
    settings: RunSettings(), specs: [JobSpec(id: "wk1", label: "x", workload: "x")],
    jobs: [PlannedJob(spec: 0, iteration: 1)])
  let store = try RunStore.create(
    at: path,
    run: RunRecord(
      id: "x", name: "x", kelvinVersion: "0", commandLine: [], board: "local",
      createdWallNanoseconds: 0, sources: []),
    plan: plan, life: try .current())
  let capture = try store.beginCapture(
    attempt: nil, source: "bench",
    channels: (0..<6).map { Channel(name: "c\($0)", unit: "mA") })
  let perBlock = 1000
  var time: Int64 = 1_000_000_000
  var state: UInt64 = 1
  var written = 0
  let begin = MonotonicTime.processCPUNanoseconds
  while written < samples {
    var blocks: [SampleBlock] = []
    for channel in 0..<6 {
      var times: [Int64] = []
      var codes: [Int64] = []
      times.reserveCapacity(perBlock)
      codes.reserveCapacity(perBlock)
      for index in 0..<perBlock {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let jitter = Int64(state >> 50) & 0xFFF
        times.append(time + Int64(index) * 1_000_000 + jitter)
        codes.append(1000 * Int64(channel + 1) + Int64((state >> 33) & 15))
      }
      blocks.append(SampleBlock(channel: channel, times: times, codes: codes))
    }
    try store.append(capture: capture, blocks: blocks)
    time += Int64(perBlock) * 1_000_000
    written += perBlock * 6
  }
  try store.endCapture(capture, summary: [:])
  let cpu = MonotonicTime.processCPUNanoseconds - begin
  store.close()
  var status = stat()
  guard stat(path + "/run.db", &status) == 0 else { fail("\(path): no run.db") }
  print(#"{"samples": \#(written), "cpu_ns": \#(cpu), "bytes": \#(status.st_size)}"#)
}

/// A bulk IN endpoint through a stream, as a meter's driver reads it; hexadecimal but for the time.
func usb(_ words: [String], seconds: Int) throws {
  let numbers = words.compactMap { UInt16($0, radix: 16) }
  let found = USBDeviceInfo.all().first {
    $0.vendorID == numbers[0] && $0.productID == numbers[1]
  }
  guard let found else { fail("no such device") }
  let interface = try USBContext().open(found).claim(interface: 0)
  let bytes = Atomic<Int>(0)
  let cpu = MonotonicTime.processCPUNanoseconds
  let begin = MonotonicTime.now
  var options = USBStream.Options()
  options.transfers = 16
  let stream = try USBStream(interface, UInt8(numbers[2]), options: options) { batch in
    var sum = 0
    batch.forEach { span, _ in sum += span.byteCount }
    bytes.wrappingAdd(sum, ordering: .relaxed)
  }
  sleep(UInt32(seconds))
  let summary = stream.stop()
  let wall = MonotonicTime.now - begin
  let used = MonotonicTime.processCPUNanoseconds - cpu
  guard summary.failure == nil, summary.bytes == bytes.load(ordering: .relaxed) else {
    fail("\(summary)")
  }
  print(
    #"{"bytes": \#(summary.bytes), "lost": \#(summary.lostBytes), "wall_ns": \#(wall), "#
      + #""cpu_ns": \#(used)}"#)
}

let arguments = CommandLine.arguments
do {
  switch arguments.dropFirst().first {
  case "spawn": try await spawn(count: number(2))
  case "pread" where arguments.count > 3: pread(path: arguments[2], count: number(3))
  case "sample" where arguments.count > 4:
    try await SamplingBenchmarks.local(
      seconds: number(2), period: number(3), files: Array(arguments[4...]))
  case "board-sample" where arguments.count > 6:
    try await SamplingBenchmarks.board(
      arguments[2], seconds: number(3), period: number(4), list: arguments[5], arguments[6...])
  case "store" where arguments.count > 3: try store(samples: number(2), directory: arguments[3])
  case "ingest" where arguments.count > 3:
    try CaptureBenchmarks.ingest(samples: number(2), directory: arguments[3])
  case "zoom" where arguments.count > 3:
    try CaptureBenchmarks.zoom(directory: arguments[2], count: number(3))
  case "samples" where arguments.count > 2: try CaptureBenchmarks.read(directory: arguments[2])
  case "usb" where arguments.count > 5: try usb(Array(arguments[2...4]), seconds: number(5))
  case "command" where arguments.count > 4:
    try await ConnectionBenchmarks.commands(arguments[2], number(3), arguments[4...])
  case "values" where arguments.count > 5:
    try await ConnectionBenchmarks.values(
      arguments[2], arguments[3], number(4), arguments[5...])
  case "copy" where arguments.count > 4:
    try await ConnectionBenchmarks.copy(arguments[2], arguments[3], arguments[4...])
  case "console" where arguments.count > 5:
    try await ConnectionBenchmarks.console(arguments[2], number(3), number(4), number(5))
  case "ppk2" where arguments.count > 4:
    try await MeterBenchmarks.ppk2(arguments[2], arguments[3], number(4))
  case "energy-probe" where arguments.count > 4:
    try await MeterBenchmarks.energyProbe(arguments[2], arguments[3], number(4))
  case "joulescope" where arguments.count > 4:
    try MeterBenchmarks.joulescope(arguments[2], arguments[3], number(4))
  default: _ = number(99)
  }
} catch {
  fail("\(error)")
}
