import KelvinModel
import Testing

@testable import KelvinMeters

/// sigrok-cli's lines, without sigrok-cli.
struct SigrokReadingTests {
  static func line(_ text: String) -> SigrokLine? {
    let bytes = Array(text.utf8)
    return SigrokLine(bytes.span)
  }

  @Test func readsLines() {
    let current = Self.line("I1: 141.0 mA DC")
    #expect(current?.channel == "I1" && current?.value == 141 && current?.unit == "mA")
    let (milli, micro) = (SigrokLine.quantity("mA"), SigrokLine.quantity("µV"))
    #expect(milli?.kind == .current && milli?.factor == 1e-3)
    #expect(micro?.kind == .voltage && micro?.factor == 1e-6)
    #expect(SigrokLine.quantity("Ω") == nil && SigrokLine.quantity("") == nil)
    let over = Self.line("P1: inf V AC RMS")
    #expect(over?.isOverload == true && over?.value == nil)
    #expect(Self.line("A4: -2.3400 V DC")?.value == -2.34)
    for text in ["", "FRAME-BEGIN", "; Samplerate: 10 Hz", "A0:", "A0: V", ": 1 V", "V1 1.0 V"] {
      #expect(Self.line(text) == nil, "\(text)")
    }
  }

  @Test func survivesWhatIsBroken() {
    let text = "I1: 141.0 mA DC"
    let bytes = Array(text.utf8)
    for count in 0..<bytes.count { _ = Self.line(String(decoding: bytes[..<count], as: UTF8.self)) }
    for index in bytes.indices {
      for value: UInt8 in [0, 32, 58, 45, 0xff] {
        var damaged = bytes
        damaged[index] = value
        if let value = SigrokLine(damaged.span)?.value { #expect(value.isFinite) }
      }
    }
  }

  @Test func readsWhatADeviceIs() throws {
    let device = try #require(
      SigrokDevice(
        shown: """
          Driver functions:
              Power supply
          scpi-pps - Rigol DP832 00.01.16 [S/N: DP8C1] with 4 channels: V1 I1 V2 I2
          Channel groups:
              1: channels V1 I1
              2: channels V2 I2
          """))
    #expect(device.title == "Rigol DP832 00.01.16 [S/N: DP8C1]" && device.serial == "DP8C1")
    #expect(device.channels == ["V1", "I1", "V2", "I2"])
    #expect(device.site("I1") == "1" && device.site("V2") == "2")
    #expect(SigrokDevice(shown: "Driver functions:\n    Multimeter\n") == nil)
    let one = SigrokDevice(shown: "demo - Demo device with 1 channel: A0\n    A0: channel A0\n")
    #expect(one?.channels == ["A0"] && one?.site("A0") == "")
  }

  /// Samples have their arrival; the newest is left out at the end, since it may be of a broken answer.
  @Test func linesBecomeSamples() {
    let sink = CollectingSink()
    let channels = [
      Channel(name: "V1", unit: "V", scale: 1e-7, kind: .voltage),
      Channel(name: "I1", unit: "A", scale: 1e-10, kind: .current)
    ]
    var stream = SigrokStream(
      channels, names: ["V1", "I1"], delay: 1e8, name: "x", into: sink)
    func take(_ text: String, _ arrival: Int64) {
      let bytes = Array(text.utf8)
      stream.take(bytes.span, arrival: arrival)
    }
    take("V1: 5.0000 V DC\nI1: 141.0 m", 100)
    take("A DC\nV1: 4.9 V DC\nI1: inf A DC\nP1: 3 W\n", 200)
    take("V1: 12 mA DC\nI1: 2.5 A DC\nV1: 5 V DC\nI1: 0.0 mA DC\n", 300)
    let fit = stream.finish()
    #expect(sink.codes(0) == [50_000_000, 49_000_000, 50_000_000])
    #expect(sink.times(0) == [100, 200, 301])
    #expect(sink.codes(1) == [1_410_000_000, 25_000_000_000])
    #expect(stream.samples == [3, 2] && stream.lost == 2 && stream.failure == nil)
    #expect(sink.events.map(\.kind) == [.saturation, .error])
    #expect(sink.events.last?.note.contains("'mA'") == true)
    #expect(fit.residual == 1e8 && fit.offset == -50_000_000)
  }

  @Test func whatHoldsNoValuesEndsIt() {
    let sink = CollectingSink()
    var stream = SigrokStream([], names: [], delay: 0, name: "x", into: sink)
    let bytes = Array(String(repeating: "0101\n", count: 100).utf8)
    stream.take(bytes.span, arrival: 1)
    #expect(stream.failure?.code == .malfunction)
  }

  @Test func optionsThatSigrokWouldMisreadAreRefused() {
    for options in [
      ["device": "scpi-pps", "conn": "a:b"], ["device": "-x"], ["device": "a b"],
      ["device": "demo", "channels": .list(["A0", "A0"])],
      ["device": "demo", "channels": .list(["A0=x"])]
    ] as [[String: Value]] {
      #expect(throws: MeterFailure.self) { try SigrokOptions(options, of: "x") }
    }
  }
}
