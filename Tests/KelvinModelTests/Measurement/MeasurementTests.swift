import KelvinModel
import Testing

struct MeasurementTests {
  @Test(arguments: [1.0, 1e9 / 3, 500.25, 10_000_000])
  func countsRegularTimes(step: Double) {
    let times = SampleTimes.regular(first: 1_000, step: step, count: 1001)
    #expect(times.array.count == 1001)
    #expect(times.first == 1_000)
    #expect(times.last == 1_000 + Int64((1000 * step).rounded()))
    #expect(times.array == (0..<1001).map { times[$0] })
    #expect(SampleTimes.regular(first: 5, step: 1, count: 0).last == nil)
  }

  @Test func mapsTimesThereAndBack() {
    let fit = ClockFit(
      origin: 5_000_000_000, offset: -1_234_567, skew: 23e-6, uncertainty: 1, residual: 1, count: 9)
    for time: Int64 in [0, 1, 5_000_000_000, 86_400_000_000_000] {
      #expect(abs(fit.meter(fit.host(time)) - time) <= 1)
    }
    #expect(fit.host(5_000_000_000) == 4_998_765_433)
    // 23 ppm of 10 s.
    #expect(fit.host(15_000_000_000) - fit.host(5_000_000_000) == 10_000_230_000)
    #expect(ClockFit.host.host(42) == 42)
  }

  @Test func givesValuesOfCodes() {
    let channel = Channel(name: "v", unit: "V", scale: 0.00125, offset: -1)
    #expect(channel.value(of: 4000) == 4)
  }
}
