import KelvinSimulators
import Testing

@testable import KelvinMeters

/// Packets of a JS110, true ones and any others.
struct JS110StreamTests {
  typealias Packets = JS110Packets

  @Test func samplesBecomeCurrentsAndVoltages() {
    var stream = Packets.stream()
    var words = (0..<126).map { Packets.word(3, 3000, 5000, at: $0) }
    words[0] = Packets.word(3, 2001, 1001, at: 0)
    words[125] = Packets.word(3, 1900, 16_000, at: 125)
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    #expect(seen.numbers == (0..<126).map(Int64.init))
    // 1 uA a code, in steps of 0.1 nA; 1 mV a code, in steps of 10 uV.
    #expect(seen.current[0] == 10_000 && seen.current[1] == 10_000_000)
    #expect(seen.current[125] == -1_000_000)
    #expect(seen.voltage[0] == 100 && seen.voltage[1] == 400_000)
    #expect(seen.voltage[125] == 1_500_000)
    let fine = Packets.feed(&stream, Packets.packet(1, words, isFiveVolts: true))
    #expect(fine.voltage[1] == 100_000 && fine.numbers.first == 126)
    #expect(stream.lost == 0 && seen.gaps.isEmpty && seen.marks.isEmpty)
  }

  @Test(arguments: 0..<8)
  func eachRangeHasItsGain(range: Int) {
    var stream = Packets.stream()
    let words = (0..<126).map { Packets.word(range, 3000, 5000, at: $0) }
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    // In the last range nothing flows.
    let codes: [Int64] = [
      10_000_000_000, 1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 20_000, 0
    ]
    #expect(seen.current.count == 126 && Set(seen.current) == [codes[range]])
    #expect(Set(seen.voltage) == [400_000])
  }

  @Test func packetsThatNeverCameLeaveTheirHole() {
    var stream = Packets.stream()
    Packets.feed(&stream, Packets.packets(0..<2))
    let seen = Packets.feed(&stream, Packets.packets(5..<6))
    #expect(seen.numbers.first == 630 && seen.current.first == Packets.code(3630))
    #expect(seen.gaps.map(\.count) == [378] && stream.lost == 378)
    #expect(seen.gaps.first?.after == 251 && seen.gaps.first?.before == 630)
    // Numbers begin again after 65,535.
    var other = Packets.stream()
    Packets.feed(&other, Packets.packets(65_534..<65_536))
    let next = Packets.feed(&other, Packets.packets(65_537..<65_538))
    #expect(next.numbers.first == 378 && next.gaps.map(\.count) == [126])
  }

  @Test func missingSamplesAreGaps() {
    var stream = Packets.stream()
    var words = (0..<126).map(Packets.steady)
    for place in [0, 10, 11, 12, 125] { words[place] = .max }
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    // Before the first sample nothing is missing.
    let numbers = (1...9).map(Int64.init) + (13...124).map(Int64.init)
    #expect(seen.numbers == numbers)
    #expect(seen.gaps.map(\.count) == [3])
    let next = Packets.feed(&stream, Packets.packets(1..<2))
    #expect(next.gaps.map(\.count) == [1] && next.numbers.first == 126 && stream.lost == 4)
    #expect(stream.unsteady == 0)
  }

  @Test func whatCouplesOverAtAChangeOfRangeIsReplaced() {
    // From 1000 uA (range 3) to 20,000 uA (range 2): for seven samples or fewer, anything comes.
    func words(_ number: Int) -> [UInt32] {
      (0..<126).map { place in
        if place < 50 { return Packets.word(3, 3000, 5000, at: place) }
        let spike = place < 55 ? 16_000 : 4000
        return Packets.word(2, spike, 5000, at: place)
      }
    }
    var stream = Packets.stream()
    let seen = Packets.feed(&stream, Packets.packet(0, words(0)))
    // Into range 2 from range 3: seven samples, on a line to the eighth.
    let line = (1...7).map { 10_000_000 + Int64((190_000_000.0 / 8 * Double($0)).rounded()) }
    #expect(Array(seen.current[50..<57]) == line && seen.current[57] == 200_000_000)
    #expect(seen.current[49] == 10_000_000 && stream.replaced == 7 && stream.switched == 1)
    #expect(seen.count(.switched) == 1 && seen.marks.first?.from == 50)
    var unfiltered = Packets.stream(isFiltered: false)
    let raw = Packets.feed(&unfiltered, Packets.packet(0, words(0)))
    #expect(raw.current[50] == 1_400_000_000 && unfiltered.replaced == 0)
    #expect(raw.count(.switched) == 1)
  }

  /// Wherever the change lies in packets and in transfers, the same comes of it.
  @Test func aChangeOfRangeAcrossPacketsIsReplacedAlike() {
    func sample(_ place: Int, _ change: Int) -> UInt32 {
      place < change
        ? Packets.word(3, 3000 + place, 5000, at: place)
        : Packets.word(1, place < change + 5 ? 9000 : 2500, 5000, at: place)
    }
    for change in 110..<140 {
      let bytes = Packets.packets(0..<3) { sample($0, change) }
      var whole = Packets.stream()
      let expected = Packets.feed(&whole, bytes)
      #expect(expected.current.count == 378 && whole.replaced == 7)
      var apart = Packets.stream()
      var seen = Packets.Seen()
      for packet in 0..<3 {
        apart.take(bytes[packet * 512..<packet * 512 + 512].span.bytes) { seen.take($0) }
        apart.flush { seen.take($0) }
        #expect(seen.current.count <= 126 * (packet + 1))
      }
      #expect(seen.current == expected.current && seen.voltage == expected.voltage, "\(change)")
      #expect(seen.numbers == expected.numbers && seen.gaps.isEmpty)
    }
  }

  @Test func samplesThatWaitedForOthersInVainAreMissing() {
    var stream = Packets.stream()
    let words = (0..<126).map {
      $0 < 123 ? Packets.steady($0) : Packets.word(0, 9000, 5000, at: $0)
    }
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    #expect(seen.numbers.last == 122)
    let next = Packets.feed(&stream, Packets.packets(2..<3))
    #expect(next.gaps.map(\.count) == [129] && next.gaps[0].after == 122 && stream.lost == 129)
    // At the end as well, though nobody counts them.
    var other = Packets.stream()
    Packets.feed(&other, Packets.packet(0, words))
    var rest = Packets.Seen()
    other.finish { rest.take($0) }
    #expect(rest.numbers.isEmpty)
  }

  @Test func rangesThatNeverSettleHoldNothingUpForever() {
    var stream = Packets.stream()
    let bytes = Packets.packets(0..<10) { Packets.word($0 % 2 == 0 ? 3 : 4, 3000, 5000, at: $0) }
    let seen = Packets.feed(&stream, bytes)
    #expect(seen.current.count > 1260 - JS110Switches.longest && seen.gaps.isEmpty)
    #expect(stream.switched == 1259)
  }

  @Test func theConvertersEndsAreSaturation() {
    var stream = Packets.stream()
    var words = (0..<126).map(Packets.steady)
    words[3] = Packets.word(3, 16_383, 5000, at: 3)
    words[5] = Packets.word(3, 0, 5000, at: 5)
    words[7] = Packets.word(3, 3000, 16_383, at: 7)
    words[8] = Packets.word(3, 16_382, 1, at: 8)
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    #expect(seen.count(.currentSaturated) == 2 && seen.count(.voltageSaturated) == 1)
    #expect(seen.marks[0].from == 3 && seen.marks[0].to == 5 && stream.saturated == 3)
    // With an input as lowest bit, the ends are two codes each.
    var coarse = Packets.stream(hasInputs: true)
    let both = Packets.feed(&coarse, Packets.packet(0, words))
    #expect(both.count(.currentSaturated) == 3 && both.count(.voltageSaturated) == 2)
  }

  @Test func inputsTakeThePlaceOfTheLowestBits() {
    var stream = Packets.stream(hasInputs: true)
    let words = (0..<126).map { place in
      Packets.word(3, 3000 + place & 1, 5000 + (place >> 1 & 1), at: place)
    }
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    let inputs = (0..<126).map { UInt32($0 & 3) }
    #expect(seen.inputs == inputs)
    // Halfway between both codes, whatever the input is.
    #expect(Set(seen.current) == [10_005_000] && Set(seen.voltage) == [400_050])
  }

  @Test func aBitThatDoesNotAlternateIsTold() {
    var stream = Packets.stream()
    let words = (0..<126).map { Packets.steady($0 < 40 ? $0 : $0 + 1) }
    let seen = Packets.feed(&stream, Packets.packet(0, words))
    #expect(seen.count(.unsteady) == 1 && seen.marks[0].from == 40 && seen.numbers.count == 126)
    // The next packet begins with the bit of the last sample.
    let next = Packets.feed(&stream, Packets.packets(1..<2))
    #expect(next.count(.unsteady) == 1 && stream.unsteady == 2)
  }

  // MARK: any bytes

  @Test func numbersThatLieAreNotBelieved() {
    var stream = Packets.stream()
    Packets.feed(&stream, Packets.packets(0..<1))
    // More than time allows; back.
    for number in [20_000, 40_000, 0] {
      let seen = Packets.feed(&stream, Packets.packets(number..<number + 1), most: 1000)
      #expect(seen.numbers.isEmpty && seen.gaps.isEmpty, "\(number)")
    }
    let next = Packets.feed(&stream, Packets.packets(4..<5), most: 1000)
    #expect(next.gaps.map(\.count) == [378] && stream.damaged == 3 && !stream.isBroken)
    // Two in a row that agree have begun anew.
    Packets.feed(&stream, Packets.packets(1000..<1002), most: 1000)
    #expect(stream.isBroken)
    #expect(Packets.feed(&stream, Packets.packets(5..<6)).numbers.isEmpty)
  }

  @Test func aTransferCutAnywhereIsCountedAsLost() {
    let whole = Packets.packets(0..<1)
    for length in 1..<512 {
      var stream = Packets.stream()
      Packets.feed(&stream, whole)
      let cut = Packets.feed(&stream, Array(Packets.packets(1..<2)[..<length]))
      #expect(cut.numbers.isEmpty)
      let next = Packets.feed(&stream, Packets.packets(2..<3))
      #expect(next.gaps.map(\.count) == [126] && stream.damaged == 1, "\(length)")
    }
    var stream = Packets.stream()
    #expect(Packets.feed(&stream, []).numbers.isEmpty && stream.damaged == 0)
  }

  @Test func survivesAnyByteAnywhere() {
    let first = Packets.packets(0..<1)
    let second = Packets.packets(1..<2)
    let third = Packets.packets(2..<3)
    for place in second.indices where place < 16 || place % 7 == 0 {
      for byte: UInt8 in [0, 1, 2, 3, 0x7f, 0x80, 0x82, 0xff] where byte != second[place] {
        var stream = Packets.stream()
        Packets.feed(&stream, first)
        var bytes = second
        bytes[place] = byte
        let seen = Packets.feed(&stream, bytes, most: 1000)
        let next = Packets.feed(&stream, third, most: 1000)
        let numbers = seen.numbers + next.numbers
        let isOrdered = zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
        #expect(isOrdered && !stream.isBroken, "\(place) \(byte)")
        // All that is not given out is told as missing, or still waits.
        let given = Int64(126 + numbers.count) + stream.lost
        #expect(given <= stream.number && given > stream.number - 16, "\(place) \(byte)")
        if place < 6 { #expect(stream.damaged == 1 || place == 3, "\(place) \(byte)") }
      }
    }
  }

  @Test func survivesAnything() {
    var random = SeededGenerator(seed: 11)
    var stream = Packets.stream(hasInputs: true)
    var last: Int64 = -1
    for round in 0..<400 {
      var bytes = random.bytes(Int.random(in: 0..<2000, using: &random))
      if round % 3 > 0, bytes.count >= 8 {
        bytes.replaceSubrange(0..<6, with: [1, 0, 0, 2, UInt8(round & 0xff), UInt8(round >> 8)])
      }
      let seen = Packets.feed(&stream, bytes, most: 1_000_000)
      #expect(seen.inputs.count == seen.numbers.count)
      for number in seen.numbers {
        #expect(number > last)
        last = number
      }
    }
    #expect(last > 0)
  }
}
