import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinMeters

/// What the testers on a serial line say, byte by byte.
struct TesterProtocolTests {
  static let truth = TesterTruth(
    volts: 5.0731, amperes: 1.23456, plus: 2.71, minus: 0.33, celsius: 29)

  static func language(_ model: TesterModel) -> any TesterLanguage {
    switch model {
    case .tc66c: TC66Language()
    case .um24c: UMLanguage(.um24c)
    case .um25c: UMLanguage(.um25c)
    case .um34c: UMLanguage(.um34c)
    case .yzxstudio: YZXLanguage()
    }
  }

  static func read(_ model: TesterModel, _ bytes: [UInt8]) -> Result<TesterReading, TesterFault> {
    Result { () throws(TesterFault) in try language(model).read(bytes[...]) }
  }

  @Test(arguments: [
    (TesterModel.tc66c, [Int64](arrayLiteral: 50_731, 123_456, 271, 33)),
    (.um24c, [507, 1235, 271, 33, 29]), (.um25c, [5073, 12_346, 271, 33, 29]),
    (.um34c, [507, 1235, 271, 33, 29]), (.yzxstudio, [50_731, 12_346, 2710, 330])
  ])
  func aFrameIsRead(model: TesterModel, codes: [Int64]) throws {
    let frame = TesterFrames.frame(model, Self.truth)
    let language = Self.language(model)
    #expect(frame.count == language.size)
    let reading = try Self.read(model, frame).get()
    #expect(reading.codes == codes && codes.count == language.channels.count)
    let values = zip(language.channels, codes).map { $0.value(of: $1) }
    #expect(abs(values[0] - 5.0731) < 0.006 && abs(values[1] - 1.23456) < 0.0006, "\(values)")
    // In the middle of other bytes, too.
    let padded = [1, 2, 3] + frame + [4]
    #expect(try language.read(padded[3..<(3 + frame.count)]) == reading)
  }

  /// A frame that was written by hand: 5.1234 V, 0.5 A, D+ 0.6 V, D- 0.55 V.
  @Test func aFrameOfYZXStudioByHand() throws {
    var frame: [UInt8] = [
      0xab, 0x00, 0x06, 0x22, 0xc8, 0x00, 0x00, 0x88, 0x13, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      0, 0, 0, 0x26, 0x02, 0x58, 0x02
    ]
    frame.append(0xb8)
    #expect(try Self.read(.yzxstudio, frame).get().codes == [51_234, 5000, 600, 550])
    // Against the direction, as it is told by a sign.
    let back = TesterFrames.frame(
      .yzxstudio, TesterTruth(volts: 5, amperes: -0.5, plus: 0, minus: 0, celsius: 0))
    #expect(try Self.read(.yzxstudio, back).get().codes == [50_000, -5000, 0, 0])
  }

  @Test func whatTheySayOfThemselves() throws {
    let tc66 = try Self.read(.tc66c, TesterFrames.frame(.tc66c, Self.truth)).get()
    #expect(tc66.model == "TC66" && tc66.firmware == "1.18" && tc66.serial == "20661234")
    for (model, name) in [(TesterModel.um24c, "UM24C"), (.um25c, "UM25C"), (.um34c, "UM34C")] {
      let frame = TesterFrames.frame(model, Self.truth)
      #expect(try UMLanguage().read(frame[...]).model == name)
    }
    // One model's answer is none of another's.
    let other = Self.read(.um25c, TesterFrames.frame(.um24c, Self.truth))
    #expect(throws: TesterFault("it is a UM24C now, and was a UM25C")) { try other.get() }
  }

  /// The published check value of this checksum.
  @Test func theChecksumIsModbus() {
    #expect(CRC16Modbus.of(Array("123456789".utf8)[...]) == 0x4b37)
  }

  /// Equal blocks are equal when they are hidden, too: there is no chain between them.
  @Test func onlyWholeBlocksAreDeciphered() {
    #expect(TC66Cipher.plain([]) == nil)
    for count in 1..<64 {
      let plain = TC66Cipher.plain([UInt8](repeating: 7, count: count)[...])
      #expect((plain?.count == count) == (count % 16 == 0), "\(count)")
    }
    let twice = TC66Cipher.plain([UInt8](repeating: 9, count: 32)[...]) ?? []
    #expect(twice.prefix(16) == twice.suffix(16) && Set(twice).count > 4)
  }

  @Test(arguments: TesterModel.allCases)
  func everyLengthButTheRightOneIsRefused(model: TesterModel) {
    let frame = TesterFrames.frame(model, Self.truth)
    for count in 0..<frame.count {
      #expect(throws: TesterFault.self) { try Self.read(model, Array(frame[..<count])).get() }
    }
    #expect(throws: TesterFault.self) { try Self.read(model, frame + [0]).get() }
    #expect(throws: TesterFault.self) { try Self.read(model, Array(frame.dropFirst())).get() }
  }

  /// Where there is a checksum over it, each damaged byte is found; where there is none, exactly the values in
  /// it are other ones, and nothing shows it.
  @Test(arguments: TesterModel.allCases)
  func everyByteMayBeDamaged(model: TesterModel) throws {
    let frame = TesterFrames.frame(model, Self.truth)
    let whole = try Self.read(model, frame).get()
    var unseen: [Int] = []
    for place in frame.indices {
      for change in [0x01, 0x80, 0xff] as [UInt8] {
        var bytes = frame
        bytes[place] ^= change
        guard let reading = try? Self.read(model, bytes).get() else { continue }
        if reading.codes != whole.codes { unseen.append(place) }
      }
    }
    switch model {
    case .tc66c, .yzxstudio: #expect(unseen.isEmpty)
    case .um24c, .um25c: #expect(Set(unseen) == [2, 3, 4, 5, 10, 11, 96, 97, 98, 99])
    // Its checksum is over the low bytes of most numbers.
    case .um34c: #expect(Set(unseen) == [2, 4, 5, 10, 11, 96, 98])
    }
  }

  @Test func randomBytesAreNoReading() {
    var random = SeededGenerator(seed: 5)
    for model in TesterModel.allCases {
      let size = Self.language(model).size
      for _ in 0..<500 {
        let bytes = random.bytes(size)
        #expect(throws: TesterFault.self) { try Self.read(model, bytes).get() }
      }
    }
  }

  @Test func onlyTheBeginningOfAFrameMayBeginOne() {
    let language = YZXLanguage()
    let beginning: [UInt8] = [0xab, 0, 6, 99]
    for count in 0...4 { #expect(language.mayBegin(beginning[..<count])) }
    for wrong in [[0xac], [0xab, 1], [0xab, 0, 7], [0xab, 0xab, 0]] as [[UInt8]] {
      #expect(!language.mayBegin(wrong[...]))
    }
  }
}
