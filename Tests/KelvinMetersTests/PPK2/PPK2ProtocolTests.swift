import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What a PPK2 is told, and what it says of itself.
struct PPK2ProtocolTests {
  /// Shaped as pc-nrfconnect-ppk reads it; the numbers are made up.
  static let answer = Array(
    """
    Calibrated: 0
    R0: 1003.3506
    R1: 101.5865
    R2: 10.3027
    R3: 0.9636
    R4: 0.0564
    GS0: 1.0000
    GS1: 20.0000
    GS2: 1.0000
    GS3: 1.0000
    GS4: 1.0000
    GI0: 0.9695
    GI1: 0.9609
    GI2: 0.9519
    GI3: 0.9582
    GI4: -nan
    O0: 112.9420
    O1: 75.4627
    O2: 64.6020
    O3: 50.4983
    O4: 88.2057
    VDD: 3700
    HW: 9173
    mode: 2
    S0: 0.000000048
    IA: 56
    END

    """.utf8)

  @Test func commandsAreTheBytesThatTheApplicationSends() {
    #expect(PPK2Command.start.bytes == [0x06])
    #expect(PPK2Command.stop.bytes == [0x07])
    #expect(PPK2Command.output(true).bytes == [0x0c, 0x01])
    #expect(PPK2Command.output(false).bytes == [0x0c, 0x00])
    #expect(PPK2Command.voltage(millivolts: 3300).bytes == [0x0d, 0x0c, 0xe4])
    #expect(PPK2Command.mode(.ampere).bytes == [0x11, 0x01])
    #expect(PPK2Command.mode(.source).bytes == [0x11, 0x02])
    #expect(PPK2Command.metadata.bytes == [0x19])
  }

  @Test func readsWhatItSays() throws {
    let metadata = try #require(PPK2Metadata(Self.answer))
    #expect(metadata.hardware == 9173 && metadata.voltage == 3700 && metadata.mode == .source)
    #expect(metadata.isCalibrated == false)
    #expect(metadata.numbers["R0"] == 1003.3506 && metadata.numbers["S0"] == 4.8e-8)
    // What is no number is not there.
    #expect(metadata.numbers["GI4"] == nil)
  }

  @Test func whatIsMissingIsAsInTheApplication() throws {
    let metadata = try #require(PPK2Metadata(Self.answer))
    let calibration = try #require(PPK2Calibration(metadata, volts: 3.7))
    let k = 1.8 / 163_840 / 0.0564
    #expect(calibration.ranges[4].slope == k && calibration.ranges[4].square == k * k)
    #expect(calibration.ranges[4].origin == 88.2057)
    let constant = 4.8e-8 * 3.7
    #expect(abs(calibration.ranges[0].constant - constant) < 1e-18)
    let bare = try #require(PPK2Calibration(nil, volts: 0))
    for (range, resistance) in bare.ranges.indices.map({ ($0, PPK2Calibration.resistances[$0]) }) {
      // Half of the converter's steps.
      let r = 8192.0 * 4 * 1.8 / 163_840 / resistance
      #expect(abs(bare.ranges[range].current(8192 * 4) - r * (r + 1)) < 1e-12 * r)
    }
  }

  @Test func aCalibrationOfNoSenseIsNone() throws {
    for line in ["R2: 1e-30", "GS0: 1e300", "O1: 1e200", "UG3: 1e30", "I4: 1e9"] {
      let text = Array((line + "\nR0: 1000\nEND\n").utf8)
      let metadata = try #require(PPK2Metadata(text))
      #expect(PPK2Calibration(metadata, volts: 3) == nil, "\(line)")
    }
  }

  @Test func nothingIsReadBeforeItsEnd() {
    // The last line may lack its end.
    for length in 0..<Self.answer.count - 2 {
      #expect(PPK2Metadata(Array(Self.answer[..<length])) == nil, "\(length)")
    }
  }

  @Test func survivesAnyByteAnywhere() {
    for place in Self.answer.indices {
      for byte: UInt8 in [0, 10, 0x3a, 0x80, 0xff] {
        var bytes = Self.answer
        bytes[place] = byte
        guard let metadata = PPK2Metadata(bytes) else { continue }
        let isFinite = metadata.numbers.values.allSatisfy { $0.isFinite }
        #expect(isFinite)
      }
    }
    var random = SeededGenerator(seed: 5)
    for _ in 0..<2000 {
      let count = Int.random(in: 0..<400, using: &random)
      #expect(PPK2Metadata(random.bytes(count)) == nil)
    }
  }

  @Test func samplesThatWereOnTheirWayDoNotHurt() throws {
    var random = SeededGenerator(seed: 9)
    let plain = try #require(PPK2Metadata(Self.answer))
    for count in [1, 4, 63, 3001] {
      let stale = random.bytes(count)
      let metadata = try #require(PPK2Metadata(stale + Self.answer), "\(count)")
      // The first line may have gone with them.
      for (name, value) in plain.numbers where name != "Calibrated" {
        #expect(metadata.numbers[name] == value, "\(count) \(name)")
      }
    }
    // A flood is not read for ever.
    #expect(PPK2Metadata([UInt8](repeating: 65, count: 1 << 20) + Self.answer) == nil)
  }

  @Test func optionsAreCheckedBeforeAnythingIsSent() throws {
    func code(_ options: [String: Value]) -> MeterFailure.Code? {
      do throws(MeterFailure) {
        _ = try PPK2Options(options, of: "ppk2")
        return nil
      } catch { return error.code }
    }
    #expect(code([:]) == nil)
    #expect(code(["mode": .text("source")]) == .invalid)
    #expect(code(["mode": .text("source"), "voltage": .text("3.3 V")]) == nil)
    for voltage in ["0.7 V", "5.1 V", "-1 V", "3.3 A", "many", "1e300 V", ""] {
      #expect(code(["mode": .text("source"), "voltage": .text(voltage)]) == .invalid, "\(voltage)")
    }
    let tooHigh: [String: Value] = ["voltage": .text("3.3 V"), "max-voltage": .number(1.8)]
    #expect(code(tooHigh) == .invalid)
    // Another supply may give more than this meter's own.
    #expect(code(["voltage": .text("12 V")]) == nil)
    for input in ["D8", "X1", "D", "D10"] {
      #expect(code(["inputs": .list([.text(input)])]) == .invalid, "\(input)")
    }
    let inputs = try PPK2Options(["inputs": .list([.text("d3"), .text("D0")])], of: "ppk2").inputs
    #expect(inputs == [0, 3])
  }
}
