import Glibc
import KelvinModel
import Testing

@testable import KelvinExecution

@Suite struct TraceFileTests {
  private func content(_ layout: RingBufferLayout, cpus: Int = 2) -> TraceContent {
    TraceContent(
      layout: layout, headerPage: Array("HP".utf8), headerEvent: Array("HEV".utf8), cpuCount: cpus)
  }

  /// The file of the manual page, section by section.
  @Test func isLaidOutAsTheManualSays() throws {
    let layout = try #require(RingBufferLayout.test())
    var content = content(layout)
    content.ownFormats = [[1], [2, 3]]
    content.eventFormats = [("irq", [[4]]), ("sched", [[5], [6]])]
    content.symbols = [7]
    content.printkFormats = [8, 9]
    content.commandLines = [10]
    content.clock = Array("[mono]".utf8)
    content.options = [.system("x")]
    content.secondBuffer = "m"
    #expect(
      TraceContent.Option.statistics(cpu: 0, Array("a: 1\n".utf8)).bytes.count
        == TraceContent.Option.statistics(cpu: 12, Array("a: 12345\nb: 1\n\n".utf8)).bytes.count)
    func long(_ number: UInt8) -> [UInt8] { [number, 0, 0, 0, 0, 0, 0, 0] }
    func word(_ number: UInt8) -> [UInt8] { [number, 0, 0, 0] }
    var expected: [UInt8] = [0x17, 0x08, 0x44]
    expected += Array("tracing6".utf8) + [0, 0, 8, 0, 16, 0, 0]
    expected += Array("header_page".utf8) + [0] + long(2) + Array("HP".utf8)
    expected += Array("header_event".utf8) + [0] + long(3) + Array("HEV".utf8)
    expected += word(2) + long(1) + [1] + long(2) + [2, 3]
    expected += word(2) + Array("irq".utf8) + [0] + word(1) + long(1) + [4]
    expected += Array("sched".utf8) + [0] + word(2) + long(1) + [5] + long(1) + [6]
    expected += word(1) + [7] + word(2) + [8, 9] + long(1) + [10] + word(2)
    expected += Array("options  ".utf8) + [0]
    expected += [5, 0] + word(2) + Array("x".utf8) + [0] + [4, 0] + word(0)
    expected += [3, 0] + word(10)
    let second = expected.count
    expected += long(0) + Array("m".utf8) + [0] + [0, 0]
    expected += Array("flyrecord".utf8) + [0]
    let table = expected.count
    expected += [UInt8](repeating: 0, count: 32) + long(6) + Array("[mono]".utf8)
    let head = content.head()
    #expect(head.bytes == expected)
    #expect(head.table == table && head.secondBuffer == second)
    #expect(head.options == [second - 6 - 6 - 2, second - 6])
  }

  /// A process may call itself anything.
  @Test func keepsTheNamesOfProcesses() {
    let text = "1 init\n77 a) R 1\n(65265\n\n78 \n79\n-5 x\n99999999999 y\n80 b c\n81 d"
    #expect(
      TraceContent.commandLines(Array(text.utf8)) == Array("1 init\n77 a) R 1\n80 b c\n81 d\n".utf8)
    )
    withDamage(text) { damaged in
      for line in KernelText(TraceContent.commandLines(damaged.bytes)) {
        #expect(line.first.map { (48...57).contains($0) } == true)
      }
    }
  }

  @Test func writesNumbersInTheTargetsOrder() throws {
    let layout = try #require(RingBufferLayout.test(headerPage32, isBigEndian: true))
    let bytes = content(layout).head().bytes
    #expect(
      Array(bytes[..<18]) == [0x17, 0x08, 0x44] + Array("tracing6".utf8) + [0, 1, 4, 0, 0, 16, 0])
    #expect(Array(bytes[30..<40]) == [0, 0, 0, 0, 0, 0, 0, 2] + Array("HP".utf8))
  }

  @Test func putsPagesAtMultiplesOfTheirSize() throws {
    let layout = try #require(RingBufferLayout.test())
    let directory = try TemporaryDirectory()
    let path = directory.path + "/trace.dat"
    let pages = [1, 2, 3].map { [UInt8](repeating: $0, count: 4096) }
    var content = content(layout, cpus: 3)
    content.secondBuffer = "m"
    let writer = try TraceFileWriter(path, content)
    try writer.append(pages[0][...], cpu: 0)
    try writer.append(pages[1][...], cpu: 2)
    try writer.append([], cpu: 2)
    try writer.append(pages[2][...], cpu: 2)
    try writer.beginSecondBuffer()
    try writer.append(pages[1][...], cpu: 1)
    try writer.finish()
    let size = writer.size
    let file = try HostFile.read(path)
    #expect(file.count == size && size == 6 * 4096)
    let head = content.head()
    func number(_ place: Int) -> Int {
      Int(layout.long(file[...], at: place))
    }
    #expect(
      (0..<6).map { number(head.table + 8 * $0) } == [4096, 4096, 16384, 0, 8192, 8192])
    #expect(Array(file[4096..<16384]) == pages.flatMap(\.self))
    let second = try number(#require(head.secondBuffer))
    #expect(second == 16384)
    #expect((0..<6).map { number(second + 10 + 8 * $0) } == [24576, 0, 20480, 4096, 24576, 0])
    #expect(Array(file[20480...]) == pages[1])
  }

  @Test func leavesNoFileThatIsNotWhole() throws {
    let layout = try #require(RingBufferLayout.test())
    let directory = try TemporaryDirectory()
    let path = directory.path + "/trace.dat"
    do {
      let writer = try TraceFileWriter(path, content(layout))
      try writer.append([UInt8](repeating: 0, count: 4096)[...], cpu: 1)
      #expect(access(path, F_OK) == 0)
    }
    #expect(access(path, F_OK) != 0)
    let failure = #expect(throws: PlainFailure.self) {
      _ = try TraceFileWriter(directory.path + "/no/trace.dat", content(layout))
    }
    #expect(failure?.message.contains("No such file") == true)
  }

  /// A trace that was put together here, as the real program reads it: markers on both CPUs and in a
  /// second buffer, losses with and without a number.
  @Test(
    .timeLimit(.minutes(1)), .enabled(if: TraceCmd.isThere, "trace-cmd is not installed"),
    arguments: [headerPage64, headerPage32], [false, true])
  func isReadByTraceCmd(headerPage: String, isBigEndian: Bool) async throws {
    let layout = try #require(RingBufferLayout.test(headerPage, isBigEndian: isBigEndian))
    let directory = try TemporaryDirectory()
    let path = directory.path + "/trace.dat"
    var content = content(layout)
    content.headerPage = Array(headerPage.utf8)
    content.headerEvent = Array(headerEvent.utf8)
    content.ownFormats = [Array(TraceCmd.printFormat(layout).utf8)]
    content.commandLines = Array("77 worker\n".utf8)
    content.clock = Array("local [mono]".utf8)
    content.options = [.statistics(cpu: 0, Array("entries: 2\n".utf8)), .system("Linux test")]
    content.secondBuffer = "markers"
    func marker(_ text: String) -> [UInt8] {
      var bytes = TraceBytes(isBigEndian: isBigEndian)
      bytes.append(UInt16(5))
      bytes.append(UInt16(0))
      bytes.append(UInt32(77))
      if layout.commitSize == 8 { bytes.append(UInt64(0)) } else { bytes.append(UInt32(0)) }
      bytes.append(text: text + "\n")
      return bytes.bytes
    }
    var first = PageBuilder(layout)
    first.record(marker("alpha"))
    first.longRecord(marker(String(repeating: "b", count: 200)))
    var late = PageBuilder(layout)
    late.timestamp = 3_000_000
    late.record(marker("omega"))
    late.flags = 3 << 30
    late.stored = 4711
    var other = PageBuilder(layout)
    other.timestamp = 2_000_000
    other.record(marker("other"))
    let writer = try TraceFileWriter(path, content)
    try writer.append((first.page + late.page)[...], cpu: 0)
    try writer.replaceOption(0, with: .statistics(cpu: 0, Array("entries: 0\n".utf8)))
    try writer.append(other.page[...], cpu: 1)
    try writer.beginSecondBuffer()
    other.timestamp = 4_000_000
    other.data = []
    other.record(marker("apart"))
    try writer.append(other.page[...], cpu: 1)
    try writer.finish()
    let report = try await TraceCmd.report("-R", path)
    let text = try await TraceCmd.report(path)
    #expect(TraceCmd.records(text) == 5, "\(text)")
    for word in ["alpha", "other", "omega", "apart", String(repeating: "b", count: 200), "worker"] {
      #expect(text.contains(word), "\(word): \(text)\(report)")
    }
    let stats = try await TraceCmd.report("--stat", path)
    #expect(stats.contains("CPU: 0\nentries: 0  ") && !stats.contains("entries: 2"), "\(stats)")
    #expect(text.contains("4711 EVENTS DROPPED"), "\(text)")
    #expect(text.contains("0.002001"), "\(text)")
  }
}

/// The real trace-cmd.
enum TraceCmd {
  static let isThere = ["/usr/bin", "/usr/local/bin", "/bin"].contains {
    access($0 + "/trace-cmd", X_OK) == 0
  }

  /// What it makes of a file.
  ///
  /// Addresses are not randomized: version 3.1.6 prints one report in 140 of one and the same file with
  /// times in nanoseconds, without a point, and none in 700 so.
  static func report(_ arguments: String...) async throws -> String {
    try await output(of: ["setarch", "-R", "trace-cmd", "report"] + arguments, in: "/")
  }

  /// How many records a report has: lines with a CPU in brackets and a time.
  static func records(_ report: String) -> Int {
    report.split(separator: "\n").count { $0.contains(#/\[\d{3,}\].* \d+\.\d+: /#) }
  }

  /// events/ftrace/print/format, as Linux has it.
  static func printFormat(_ layout: RingBufferLayout) -> String {
    let (long, text) = (layout.commitSize, 8 + layout.commitSize)
    return """
      name: print
      ID: 5
      format:
      \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
      \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
      \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
      \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

      \tfield:unsigned long ip;\toffset:8;\tsize:\(long);\tsigned:0;
      \tfield:char buf[];\toffset:\(text);\tsize:0;\tsigned:0;

      print fmt: "%ps: %s", (void *)REC->ip, REC->buf

      """
  }
}
