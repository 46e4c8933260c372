import Testing

@testable import KelvinDevices

/// Telnet's COM-PORT option, byte by byte.
struct ComPortTests {
  private static let willDoSettings: [UInt8] =
    [255, 250, 44, 1, 0, 22, 227, 96, 255, 240]  // 1500000
    + [255, 250, 44, 2, 8, 255, 240, 255, 250, 44, 3, 1, 255, 240, 255, 250, 44, 4, 1, 255, 240]
    + [255, 250, 44, 5, 1, 255, 240, 255, 250, 44, 5, 7, 255, 240, 255, 250, 44, 5, 10, 255, 240]

  private func decode(_ codec: inout TelnetCodec, _ wire: [UInt8]) -> [UInt8] {
    var data: [UInt8] = []
    wire.withUnsafeBytes { codec.decode($0, into: &data) }
    return data
  }

  private func agreed(baud: UInt32 = 1_500_000) -> TelnetCodec {
    var codec = TelnetCodec(baud: baud)
    _ = decode(&codec, [255, 253, 44])
    _ = codec.takeReplies()
    return codec
  }

  @Test func offersTheOptionAndSetsThePortWhenItIsWanted() {
    var codec = TelnetCodec(baud: 1_500_000)
    #expect(codec.takeReplies().suffix(3) == [255, 251, 44])
    #expect(codec.comPort?.agreement == .asked)
    // What ser2net 4.3 says first.
    let data = decode(
      &codec, [255, 251, 3, 255, 253, 3, 255, 251, 1, 255, 254, 1, 255, 253, 0, 255, 251, 0])
    #expect(data.isEmpty)
    _ = codec.takeReplies()
    _ = decode(&codec, [255, 253, 44])
    #expect(codec.takeReplies() == Self.willDoSettings)
    #expect(codec.comPort?.agreement == .agreed)
    // A second wish changes nothing.
    _ = decode(&codec, [255, 253, 44])
    #expect(codec.takeReplies().isEmpty)
  }

  @Test func aRateWith255InItIsEscaped() {
    #expect(
      ComPort.message(.setBaudRate, [0, 255, 255, 0])
        == [255, 250, 44, 1, 0, 255, 255, 255, 255, 0, 255, 240])
  }

  @Test func aRefusalIsKnown() {
    var codec = TelnetCodec(baud: 9600)
    _ = codec.takeReplies()
    _ = decode(&codec, [255, 254, 44])
    #expect(codec.comPort?.agreement == .refused)
    #expect(codec.takeReplies().isEmpty)
  }

  @Test func withoutAPortTheOptionIsRefusedAsEver() {
    var codec = TelnetCodec()
    _ = codec.takeReplies()
    _ = decode(&codec, [255, 253, 44])
    #expect(codec.takeReplies() == [255, 252, 44])
    #expect(codec.comPort == nil)
  }

  /// Notifications and answers between data; the state they leave.
  private static let talk: [UInt8] =
    [65, 255, 250, 44, 107, 176, 255, 240, 66]
    + [255, 250, 44, 106, 16, 255, 240, 67, 255, 255, 68]
    + [255, 250, 44, 101, 0, 22, 227, 96, 255, 240, 255, 250, 44, 105, 8, 255, 240]
    + [255, 250, 44, 105, 12, 255, 240, 255, 250, 44, 107, 255, 255, 255, 240, 69]

  @Test func notificationsAreNoDataWhereverTheStreamIsCut() {
    for size in 1...Self.talk.count {
      var codec = agreed()
      var data: [UInt8] = []
      var rest = Self.talk[...]
      while !rest.isEmpty {
        data += decode(&codec, Array(rest.prefix(size)))
        rest = rest.dropFirst(size)
      }
      #expect(data == [65, 66, 67, 255, 68, 69], "pieces of \(size)")
      #expect(codec.comPort?.modemState == 255)
      #expect(codec.comPort?.lineState == 16)
      #expect(codec.comPort?.servedBaud == 1_500_000)
      #expect(codec.comPort?.lines == ControlLines(dtr: true, rts: false))
      #expect(codec.takeReplies().isEmpty)
    }
  }

  @Test func aStreamThatEndsAnywhereLeavesNoData() {
    let message = Array(Self.talk[..<8])
    for count in 0...message.count {
      var codec = agreed()
      #expect(decode(&codec, Array(message.prefix(count))) == Array([65].prefix(count)))
    }
  }

  /// Messages that mean nothing: too short, not asked for, of another option.
  static let nonsense: [[UInt8]] = [
    [44], [44, 101], [44, 101, 1], [44, 101, 0, 0, 37, 128, 0], [44, 105], [44, 105, 8, 8],
    [44, 105, 200], [44, 107], [44, 1, 0, 0, 37, 128], [44, 5, 8], [24, 101, 0, 0, 37, 128], [],
    [44, 199, 1], [44, 255, 255, 1], [UInt8](repeating: 44, count: 64)
  ]

  @Test(arguments: nonsense)
  func whatIsNotUnderstoodChangesNothing(message: [UInt8]) {
    expectNoChange(by: message)
  }

  @Test func aMessageThatIsTooLongChangesNothing() {
    expectNoChange(by: [44, 101, 0, 0, 37, 128] + [UInt8](repeating: 7, count: 100_000))
  }

  private func expectNoChange(by message: [UInt8]) {
    var codec = agreed()
    let before = codec.comPort
    let data = decode(&codec, [255, 250] + message + [255, 240, 65])
    #expect(data == [65])
    #expect(codec.comPort?.servedBaud == before?.servedBaud)
    #expect(codec.comPort?.lines == ControlLines())
    #expect(codec.comPort?.modemState == nil)
  }

  @Test func aMessageWhoseEndWasLeftOutIsNotTrusted() {
    var codec = agreed()
    let data = decode(
      &codec,
      [255, 250, 44, 101, 0, 0, 37, 128, 255, 250, 44, 105, 8, 255, 240, 65, 255, 250, 44, 107, 1]
        + [255, 251, 3, 66])
    #expect(data == [65, 66])
    #expect(codec.comPort?.servedBaud == nil)
    #expect(codec.comPort?.lines.dtr == true)
    #expect(codec.comPort?.modemState == nil)
  }

  @Test func theServerMayStopUsAndLetUsGoOn() {
    var codec = agreed()
    _ = decode(&codec, [255, 250, 44, 108, 255, 240])
    // The command has no value, and some servers send one.
    #expect(codec.comPort?.isSuspended == true)
    _ = decode(&codec, [255, 250, 44, 109, 0, 255, 240])
    #expect(codec.comPort?.isSuspended == false)
  }

  @Test(arguments: [
    (1_500_000, true), (1_498_000, true), (0, true), (115_200, false), (1_400_000, false)
  ])
  func aRateCountsWhenADividerComesNearIt(served: UInt32, isWanted: Bool) {
    var codec = agreed()
    #expect(codec.comPort?.hasWantedRate == true)
    let rate = ComPort.message(
      .setBaudRate, stride(from: 24, through: 0, by: -8).map { UInt8(served >> $0 & 255) })
    var answer = rate
    answer[3] += 100
    _ = decode(&codec, answer)
    #expect(codec.comPort?.servedBaud == served)
    #expect(codec.comPort?.hasWantedRate == isWanted)
  }

  @Test func linesAreKnownByTheirAnswersOnly() {
    var codec = agreed()
    codec.set(ControlLines(dtr: true, rts: false))
    #expect(codec.takeReplies() == [255, 250, 44, 5, 8, 255, 240, 255, 250, 44, 5, 12, 255, 240])
    #expect(codec.comPort?.lines == ControlLines())
    _ = decode(&codec, [255, 250, 44, 105, 8, 255, 240])
    #expect(ControlLines(dtr: true).agree(with: codec.comPort?.lines ?? .init()) == true)
    #expect(ControlLines(dtr: true, rts: false).agree(with: codec.comPort?.lines ?? .init()) == nil)
    _ = decode(&codec, [255, 250, 44, 105, 11, 255, 240])
    #expect(
      ControlLines(dtr: true, rts: false).agree(with: codec.comPort?.lines ?? .init()) == false)
    codec.setBreak(true)
    codec.setBreak(false)
    #expect(codec.takeReplies() == [255, 250, 44, 5, 5, 255, 240, 255, 250, 44, 5, 6, 255, 240])
  }

  /// Whatever a stream holds: what is kept stays small, and what is sent too.
  @Test(arguments: 1...20)
  func noiseIsSurvived(seed: UInt64) {
    var numbers = SeededNumbers(state: seed)
    var codec = agreed()
    // Bytes that mean something come often.
    let often: [UInt8] = [255, 250, 240, 44, 253, 254, 251, 252, 100, 101, 105, 107, 108, 109]
    for _ in 0..<50 {
      let noise = (0..<4000).map { _ in
        Bool.random(using: &numbers)
          ? often.randomElement(using: &numbers) ?? 0 : UInt8.random(in: 0...255, using: &numbers)
      }
      #expect(decode(&codec, noise).count <= noise.count, "seed \(seed)")
    }
    #expect(codec.replies.count < 4200, "seed \(seed)")
    // Synchronized again: two ends of whatever was begun, then data.
    #expect(decode(&codec, [0, 255, 240, 255, 240, 65]).last == 65, "seed \(seed)")
  }
}
