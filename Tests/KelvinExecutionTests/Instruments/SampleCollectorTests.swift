import KelvinConnections
import KelvinModel
import KelvinStore
import Testing

@testable import KelvinExecution

@Suite struct SampleCollectorTests {
  private func sample(
    _ time: Int64, _ mantissa: Int64, channel: UInt16 = 0, decimals: UInt8 = 0,
    status: Sample.Status = .ok
  ) -> Sample {
    Sample(
      nanoseconds: time, mantissa: mantissa, channel: channel, decimals: decimals, status: status)
  }

  @Test func sortsSamplesIntoBlocks() {
    var collector = SampleCollector(files: [
      SampledFile(label: "a", path: "/a"), SampledFile(label: "b", path: "/b")
    ])
    collector.add([sample(1, 10), sample(2, 20, channel: 1), sample(3, 30)])
    #expect(collector.waiting == 2)
    let blocks = collector.takeBlocks()
    #expect(
      blocks == [
        SampleBlock(channel: 0, times: [1, 3], codes: [10, 30]),
        SampleBlock(channel: 1, times: [2], codes: [20])
      ])
    #expect(collector.waiting == 0)
    let rest = collector.takeBlocks()
    #expect(rest.isEmpty)
  }

  @Test func leavesOutWhatNoChannelHas() {
    var collector = SampleCollector(files: [SampledFile(label: "a", path: "/a")])
    collector.add([sample(1, 10, channel: 7)])
    #expect(collector.waiting == 0)
  }

  @Test func keepsOneScaleForAllDecimals() {
    var file = SampledFile(label: "load", path: "/proc/loadavg")
    file.chooseDecimals(for: Array("0.25 0.10 1/99 7\n".utf8))
    #expect(file.decimals == 6)
    #expect(file.channel.scale == 1e-6)
    var collector = SampleCollector(files: [file])
    collector.add([
      sample(1, 25, decimals: 2), sample(2, 3), sample(3, 123_456_789, decimals: 8)
    ])
    let block = collector.takeBlocks().first
    #expect(block?.codes == [250_000, 3_000_000, 1_234_567])
    #expect(collector.statistics[0].rounded == 1)
  }

  @Test func countsWhatDoesNotFitTheCapture() {
    var collector = SampleCollector(files: [
      SampledFile(label: "a", path: "/a", decimals: 6)
    ])
    collector.add([sample(1, .max), sample(2, 1)])
    let block = collector.takeBlocks().first
    #expect(block?.codes == [1_000_000])
    #expect(collector.statistics[0].unstorable == 1)
    #expect(collector.statistics[0].trouble == "1 too large to keep")
  }

  @Test func weighsTheMeanByTime() {
    var statistics = SampleStatistics(scale: 0.001)
    func take(_ sample: Sample, _ isTaken: Bool) {
      let result = statistics.add(sample)
      #expect(result == isTaken)
    }
    #expect(statistics.mean == nil)
    take(sample(0, 10_000), true)
    #expect(statistics.mean == 10)
    take(sample(100, 10_000), true)
    take(sample(400, 40_000), true)
    // (10 * 100 + 25 * 300) / 400
    #expect(statistics.mean == 21.25)
    #expect(statistics.min == 10)
    #expect(statistics.max == 40)
  }

  @Test func keepsValuesBesideFailures() {
    var statistics = SampleStatistics(scale: 1)
    func take(_ sample: Sample, _ isTaken: Bool) {
      let result = statistics.add(sample)
      #expect(result == isTaken)
    }
    take(sample(1, 5, status: .unreadable), false)
    take(sample(2, 0, status: .notNumber), false)
    take(sample(10, 7), true)
    take(sample(9, 8), false)
    #expect(statistics.mean == 7)
    #expect(
      statistics.trouble
        == "1 not readable (Input/output error), 1 not a number, 1 out of order")
  }
}
