import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Packets of a Monsoon, true ones and any others.
struct MonsoonStreamTests {
  typealias Packets = MonsoonPackets

  @Test func measurementsBecomeCurrentsAndVoltages() {
    var stream = Packets.stream(sites: [.main, .usb, .aux])
    #expect(stream.isCalibrated && stream.number == 12 && stream.calibrations == 12)
    // Main: fine, 10 mA · 4000/20,000. USB: its fine input is at 64,000, so 1 A · 10,000/20,000 of the
    // coarse one. Aux: from 30,000 on coarse.
    let codes: [UInt16] = [7777, 5100, 11_200, 64_000, 5400, 30_000, 14_800, 40_000]
    let seen = Packets.feed(&stream, Packets.packet([.init(codes)]))
    #expect(seen.numbers == [12])
    #expect(seen.codes == [[200_000], [14_800], [50_000_000], [40_000], [20_000_000]])
    let below: [UInt16] = [7777, 63_999, 9, 63_999, 9, 29_999, 1, 2]
    let fine = Packets.feed(&stream, Packets.packet([.init(below)]))
    #expect(fine.codes[0] == [3_144_950] && fine.codes[2] == [3_134_950])
    #expect(fine.codes[4] == [1_424_950])
  }

  @Test func theLVPMsCodesAreSigned() {
    var scales = MonsoonScales(.lvpm, [:])
    scales.references = [1000, 10_000, 1000, 10_000, 0, 0]
    var stream = Packets.stream(.lvpm, scales: scales)
    let sinking = UInt16(bitPattern: -900)
    let seen = Packets.feed(
      &stream,
      Packets.packet([
        .init([0, sinking, 0, 0, 0, 0, 29_600, 0]), .init([3000, 30_000, 0, 0, 0, 0, 40_000, 0])
      ]))
    // (−900 − 1100)·10 mA/20,000, and (3000 − 1000)·1 A/20,000.
    #expect(seen.codes == [[-100_000, 10_000_000], [29_600, 40_000]])
  }

  @Test func nothingIsGivenOutBeforeItIsCalibrated() {
    var stream = MonsoonStream(.hvpm, Packets.scales(), sites: [.main])
    stream.isOpen = true
    let measured = Packets.packet(Packets.measurements([10, 20, 30]))
    for packet in Packets.calibrations {
      #expect(Packets.feed(&stream, measured).numbers.isEmpty)
      Packets.feed(&stream, packet)
    }
    #expect(Packets.feed(&stream, measured).numbers == [24, 25, 26])
    #expect(stream.lost == 0)
    // Nor before its time is known.
    var closed = Packets.stream()
    closed.isOpen = false
    #expect(Packets.feed(&closed, measured).numbers.isEmpty)
  }

  @Test func droppedPacketsAreGapsAndPassInTime() {
    var stream = Packets.stream()
    let before = Packets.feed(
      &stream, Packets.packet(Packets.measurements([1, 2, 3]), dropped: 0xfffe))
    #expect(before.numbers == [12, 13, 14])
    // It begins with 65,535 or so, and that says nothing.
    #expect(stream.lost == 0 && before.gaps.isEmpty)
    let number = stream.number
    let after = Packets.feed(
      &stream, Packets.packet(Packets.measurements([4, 5]), dropped: 0x0003))
    #expect(after.numbers == [number + 15, number + 16])
    #expect(after.gaps.count == 1 && after.gaps[0].after == number - 1)
    #expect(after.gaps[0].before == number + 15 && after.gaps[0].count == 15)
    #expect(stream.lost == 15)
    // A count that goes back has begun anew.
    let back = Packets.feed(&stream, Packets.packet(Packets.measurements([6]), dropped: 0))
    #expect(back.numbers == [number + 17] && back.gaps.isEmpty)
    // No more can have passed than time did.
    let wild = Packets.feed(
      &stream, Packets.packet(Packets.measurements([7]), dropped: 0x7000), most: 40)
    #expect(wild.numbers == [number + 58] && wild.gaps.map(\.count) == [40])
  }

  @Test func calibrationsLeaveHolesThatAreNoLosses() {
    var stream = Packets.stream()
    let kinds: [Packets.Observation] =
      [.init(.zero, Packets.zeros), .init(.reference, Packets.references)]
      + Packets.measurements([1])
    Packets.feed(&stream, Packets.packet(Packets.measurements([1, 2, 3])))
    let seen = Packets.feed(&stream, Packets.packet(kinds))
    #expect(seen.numbers == [17] && seen.gaps.isEmpty && stream.lost == 0)
    // Unless it does nothing else.
    let many = Packets.packet([Packets.Observation](repeating: kinds[0], count: 3))
    for _ in 0..<17 { Packets.feed(&stream, many) }
    let late = Packets.feed(&stream, Packets.packet(Packets.measurements([1])))
    #expect(late.gaps.map(\.count) == [51] && stream.lost == 0)
  }

  @Test func invalidObservationsAreMissing() {
    var stream = Packets.stream()
    Packets.feed(&stream, Packets.packet(Packets.measurements([1])))
    var observations = Packets.measurements([1, 2, 3])
    observations[1].kind = .invalid
    let seen = Packets.feed(&stream, Packets.packet(observations))
    #expect(seen.numbers == [13, 15] && seen.gaps.map(\.count) == [1])
    #expect(stream.lost == 1 && stream.invalid == 1)
  }

  @Test func theEndOfTheCoarseInputIsSaturation() {
    var stream = Packets.stream()
    let full: [UInt16] = [65_535, 65_535, 0, 0, 0, 0, 14_800, 0]
    let seen = Packets.feed(
      &stream, Packets.packet([.init(full)] + Packets.measurements([1])))
    #expect(seen.saturations == [12] && stream.saturated == 1)
  }

  @Test func aCalibrationOfNoSenseIsTold() {
    var flat = MonsoonStream(.hvpm, Packets.scales(), sites: [.main])
    flat.isOpen = true
    for packet in Packets.calibrations {
      Packets.feed(&flat, packet)
    }
    for _ in 0..<5 {
      Packets.feed(&flat, Packets.packet([.init(.reference, Packets.zeros)]))
    }
    #expect(flat.senseless != nil)
    #expect(Packets.feed(&flat, Packets.packet(Packets.measurements([1]))).numbers.isEmpty)
    // A scale of 0, as in an empty memory, measures nothing.
    let empty = Packets.stream(scales: MonsoonScales(.hvpm, [:]))
    #expect(empty.senseless != nil)
  }

  // MARK: any bytes

  @Test func aPacketCutAnywhereIsCountedAsLost() {
    let whole = Packets.packet(Packets.measurements([1, 2, 3]))
    for length in 1..<64 {
      var stream = Packets.stream()
      Packets.feed(&stream, whole)
      Packets.feed(&stream, Array(whole[..<length]))
      let next = Packets.feed(&stream, whole)
      #expect(next.numbers == [18, 19, 20], "\(length)")
      // 58 bytes hold all that it claims.
      #expect(stream.damaged == (length < 58 ? 1 : 0) && stream.lost == (length < 58 ? 3 : 0))
    }
    var stream = Packets.stream()
    #expect(Packets.feed(&stream, []).numbers.isEmpty && stream.number == 12)
  }

  @Test func countsThatLieAreNotBelieved() {
    for count in 4...255 as ClosedRange<UInt8> {
      var stream = Packets.stream()
      var bytes = Packets.packet(Packets.measurements([1, 2, 3]))
      bytes[3] = count
      #expect(Packets.feed(&stream, bytes).numbers.isEmpty)
      #expect(stream.damaged == 1 && stream.number == 15)
    }
  }

  @Test func survivesAnyByteAnywhere() {
    let whole = Packets.packet(Packets.measurements([1, 2, 3]))
    for place in whole.indices {
      for byte: UInt8 in [0, 1, 0x10, 0x20, 0x30, 0x7f, 0x80, 0xff] {
        var stream = Packets.stream()
        Packets.feed(&stream, whole)
        var bytes = whole
        bytes[place] = byte
        let first = Packets.feed(&stream, bytes, most: 10_000)
        let next = Packets.feed(&stream, whole, most: 10_000)
        let numbers = first.numbers + next.numbers
        let isOrdered = zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
        #expect(isOrdered && next.numbers.count == 3, "\(place) \(byte)")
        // What is neither given out nor told as missing was a calibration.
        let given = Int64(3 + numbers.count) + stream.lost + stream.calibrations
        #expect(given == stream.number, "\(place) \(byte)")
      }
    }
  }

  @Test func survivesAnything() {
    var random = SeededGenerator(seed: 7)
    var stream = MonsoonStream(.hvpm, Packets.scales(), sites: MonsoonSite.allCases)
    stream.isOpen = true
    var last: Int64 = -1
    for _ in 0..<3000 {
      let count = Int.random(in: 0..<1100, using: &random)
      let seen = Packets.feed(&stream, random.bytes(count), most: 1000)
      for number in seen.numbers {
        #expect(number > last)
        last = number
      }
    }
  }
}
