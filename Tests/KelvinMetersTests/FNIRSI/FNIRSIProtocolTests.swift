import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What a FNIRSI tester sends, byte by byte, and when it did.
struct FNIRSIProtocolTests {
  /// A report as it is sent: sample `number` and the three behind it. D+ is the number of the sample.
  static func report(_ number: Int, kind: UInt8 = 4) -> [UInt8] {
    var bytes: [UInt8] = [0xaa, kind]
    func put(_ value: Int, _ width: Int) {
      for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
    }
    for sample in number..<(number + 4) {
      put(510_000 - sample, 4)
      put(30_000 + 7 * sample, 4)
      put(sample, 2)
      put(580, 2)
      put(1, 1)
      put(311, 2)
    }
    bytes.append(0x5a)
    // The remainder by long division, bit by bit.
    var remainder = 0x42
    for byte in bytes[1...] {
      remainder ^= Int(byte)
      for _ in 0..<8 {
        remainder <<= 1
        if remainder > 255 { remainder ^= 0x139 }
      }
    }
    return bytes + [UInt8(remainder)]
  }

  static func read(_ bytes: [UInt8], isChecked: Bool = true) -> FNIRSIReport.Kind {
    FNIRSIReport.read(bytes.span.bytes, isChecked: isChecked)
  }

  /// As fnirsi_logger.py has them, digit by digit.
  @Test func commandsAreThePublishedOnes() {
    for (command, first, last) in [
      (FNIRSICommand.begin, 0x81, 0x8e), (.sample, 0x82, 0x96), (.goOn, 0x83, 0x9e)
    ] as [(FNIRSICommand, UInt8, UInt8)] {
      #expect(command.bytes == [0xaa, first] + [UInt8](repeating: 0, count: 61) + [last])
    }
    #expect(FNIRSIModel.fnb58.start == [.begin, .sample, .sample])
    #expect(FNIRSIModel(vendor: 0x0483, product: 0x003b) == .c1)
    #expect(FNIRSIModel(vendor: 0x2e3c, product: 0x003b) == nil)
  }

  @Test func aReportIsFourSamples() throws {
    guard case .samples(let report) = Self.read(Self.report(100)) else {
      Issue.record("no samples")
      return
    }
    #expect(report.codes[0] == [509_900, 509_899, 509_898, 509_897])
    #expect(report.codes[1] == [30_700, 30_707, 30_714, 30_721])
    #expect(report.codes[2] == [100, 101, 102, 103] && report.codes[3] == [580, 580, 580, 580])
    #expect(report.codes[4] == [311, 311, 311, 311])
    let volts = FNIRSIReport.channels[0].value(of: report.codes[0][0])
    #expect(abs(volts - 5.099) < 1e-9)
    #expect(Set(FNIRSIReport.channels.prefix(2).map(\.site)) == ["usb"])
  }

  @Test func everyOtherLengthIsForeign() {
    let bytes = Self.report(1)
    for count in 0..<64 { #expect(Self.read(Array(bytes[..<count])) == .foreign) }
    #expect(Self.read(bytes + [0]) == .foreign)
  }

  @Test func eachDamagedByteIsFound() {
    let bytes = Self.report(9)
    for place in 0..<64 {
      for change in [1, 0x10, 0x80, 0xff] as [UInt8] {
        var damaged = bytes
        damaged[place] ^= change
        let kind = Self.read(damaged)
        #expect(kind == (place == 0 ? .foreign : place == 1 ? .other : .damaged), "\(place)")
      }
    }
    var damaged = bytes
    damaged[63] ^= 1
    #expect(Self.read(damaged, isChecked: false) == Self.read(bytes))
    #expect(Self.read(Self.report(1, kind: 3)) == .other)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<2000 {
      if case .samples = Self.read(random.bytes(64)) { Issue.record("samples of nothing") }
    }
  }

  // MARK: when

  /// Reports as they come, from number 0 on: when each was sent, and how much later it came; nil: it did not.
  private static func run(
    step: Double = 40e6, count: Int = 100, late: (Int) -> Double?
  ) -> (sink: CollectingSink, summary: CaptureSummary) {
    let sink = CollectingSink()
    var worker = FNIRSIWorker("f", isChecked: true, into: sink)
    var before = 0.0
    for number in 0..<count {
      guard let late = late(number) else { continue }
      // In order, however late.
      before = max(before, 1e9 + Double(number) * step + late)
      let bytes = report(4 * number)
      worker.take(bytes.span.bytes, at: Int64(before))
    }
    worker.finish()
    return (sink, worker.summary(nil, cpu: nil))
  }

  /// How far the times of samples are off, at most, in milliseconds: each has its number in D+.
  private static func worst(_ sink: CollectingSink, step: Double = 40e6) -> Double {
    zip(sink.times(2), sink.codes(2)).map { time, number in
      // The last of a report was taken when it was sent.
      abs(Double(time) - (1e9 + (Double(number) - 3) * step / 4)) / 1e6
    }.max() ?? .infinity
  }

  @Test func jitterIsNoLoss() {
    var random = SeededGenerator(seed: 8)
    let (sink, summary) = Self.run { _ in
      random.chance(0.1) ? Double.random(in: 0...150e6, using: &random) : 1e6
    }
    #expect(summary.lost == 0 && sink.events.isEmpty, "\(sink.events)")
    // The first report is passed over.
    #expect(sink.codes(2) == (4..<400).map { Int64($0) })
    #expect(Self.worst(sink) < 8, "\(Self.worst(sink)) ms")
    let times = sink.times(2)
    #expect(zip(times, times.dropFirst()).allSatisfy { $0 < $1 })
  }

  /// This machine stood still for half a second and for two, and then takes what had come.
  @Test(arguments: [12, 50])
  func aStallIsNoLoss(count: Int) {
    let (sink, summary) = Self.run(count: 200) { number in
      (30..<(30 + count)).contains(number) ? Double(30 + count - number) * 40e6 : 1e6
    }
    #expect(summary.lost == 0 && sink.events.isEmpty, "\(sink.events)")
    #expect(Self.worst(sink) < 8 && sink.codes(0).count == 796, "\(Self.worst(sink)) ms")
  }

  @Test(arguments: [1, 2, 25])
  func lossIsToldByTheHostsClock(count: Int) {
    let (sink, summary) = Self.run { (30..<(30 + count)).contains($0) ? nil : 2e6 }
    #expect(summary.lost == Int64(4 * count), "\(sink.events)")
    #expect(sink.events.map(\.kind) == [.gap] && sink.events[0].count == Int64(4 * count))
    #expect(Self.worst(sink) < 5)
    let gap = sink.events[0]
    #expect(abs(Double(gap.to - gap.from) / 1e6 - 10 - 40 * Double(count)) < 3, "\(gap)")
  }

  /// A clock that is fast or slow by more than any true one's.
  @Test(arguments: [0.97, 0.999, 1.001, 1.03])
  func anotherClockIsFollowed(speed: Double) {
    let (sink, summary) = Self.run(step: 40e6 / speed, count: 400) { _ in 1e6 }
    #expect(summary.lost == 0 && sink.codes(0).count == 1596, "\(sink.events)")
    #expect(Self.worst(sink, step: 40e6 / speed) < 20)
  }

  @Test func damagedReportsAreGapsAndNoReportsAnEnd() {
    let sink = CollectingSink()
    var worker = FNIRSIWorker("f", isChecked: true, into: sink)
    for number in 0..<40 {
      var bytes = Self.report(4 * number)
      if number == 20 { bytes[9] ^= 4 }
      worker.take(bytes.span.bytes, at: Int64(number) * 40_000_000 + 5_000_000)
    }
    worker.finish()
    #expect(worker.summary(nil, cpu: nil).counts["damaged reports"] == .integer(1))
    #expect(sink.events.map(\.kind) == [.gap] && worker.summary(nil, cpu: nil).lost == 4)
    for (bytes, hint) in [
      ([UInt8](repeating: 0x41, count: 64), "FNB48S"), (Self.report(1).dropLast() + [0], "checksum")
    ] {
      var other = FNIRSIWorker("f", isChecked: true, into: CollectingSink())
      for number in 0..<60 {
        other.take(bytes.span.bytes, at: Int64(number) * 40_000_000)
      }
      let failure = other.failure
      #expect(failure?.code == .malfunction && failure?.hint.contains(hint) == true)
      #expect(!other.hasBegun)
    }
  }
}
