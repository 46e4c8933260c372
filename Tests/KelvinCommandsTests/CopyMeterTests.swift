import KelvinModel
import Testing

@testable import KelvinCommands

struct CopyMeterTests {
  @Test func aLineSaysHowFarItIs() {
    var summary = CopyMeter.Summary()
    summary.files = 1
    summary.bytes = 3 << 20
    summary.nanoseconds = 1_000_000_000
    #expect(
      CopyMeter.line(summary, total: 4 << 20, files: 2, path: "/data/b", columns: 80)
        == "[2/2]  75 %  3.0 MiB/s  /data/b")
    #expect(
      CopyMeter.line(summary, total: 0, files: 1, path: "/x", columns: 80)
        == "[1/1]  3.0 MiB/s  /x")
    #expect(
      CopyMeter.line(summary, total: 0, files: 1, path: "/long/path", columns: 16).count == 15)
  }

  @Test func aSummaryCountsWhatWasCopied() {
    let meter = CopyMeter(total: 10, files: 2)
    meter.begin("/a")
    meter.tell(3, 4)
    meter.end(size: 4)
    meter.begin("/b")
    meter.end(size: 6)
    #expect(meter.summary.files == 2 && meter.summary.bytes == 10)
    #expect(meter.summary.value.map?["bytes"]?.integer == 10)
  }
}
