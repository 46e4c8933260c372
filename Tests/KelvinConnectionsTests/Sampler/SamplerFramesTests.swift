import KelvinModel
import Testing

@testable import KelvinConnections

/// The sampler's frames, as the program itself wrote them on an x86_64 board: `-12.50`, a file that is not
/// there and pid_max, each 10 ms.
@Suite struct SamplerFramesTests {
  static let hello = bytes("c54b48120002c6ce0100008080080402a0b0e58fd0ba086c81e09a")
  static let clock = bytes("c54b430f000e9cb7f28fd0ba08e4bbf28fd0ba08d395f089")
  static let data = bytes(
    """
    c54b4484000000d2948088a89d040102c313ab701004ea488080049aa9c50900e078009e4d009682c20900902e00d8\
    460092eec30900c41f00b64d00a2e6c30900bc3a00a25600b091c30900a61e00ba4a00e2fdc30900ce1e00dc4200f2\
    81c40900ae1c008648009e99c409009e2400fe4f00a8e2c40900863900d45600dc9cc20900b21e00904b001fc35273
    """)
  static let end = bytes(
    """
    c54b452700eab3fe8fd0ba08ba97b2efd0ba08161600004200c8cb1bf2b903c8e62e1400000000d0ee080200f6895b\
    55
    """)
  static let all = hello + clock + data + end

  static func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2)
      .map { UInt8(String(digits[$0...($0 + 1)]), radix: 16) ?? 0 }
  }

  private func messages(_ bytes: [UInt8], files: Int = 3) -> [SamplerMessage] {
    var frames = SamplerFrames(files: files)
    return frames.take(bytes)
  }

  @Test func readsWhatTheProgramWrote() throws {
    let messages = messages(Self.all)
    #expect(messages.count == 4)
    #expect(
      messages[0]
        == .hello(.init(processID: 13219, realtimeError: 0, lockError: 0, bufferBytes: 65536)))
    #expect(
      messages[1]
        == .clock(.init(nonce: 7, received: 18_599_372_541_390, sent: 18_599_372_541_682)))
    guard case .data(let data) = messages[2], case .end(let end) = messages[3] else {
      Issue.record("\(messages)")
      return
    }
    #expect(data.first == 0)
    #expect(data.samples.count == 33)
    #expect(
      data.samples[0]
        == Sample(nanoseconds: 18_599_372_655_186, mantissa: -1250, channel: 0, decimals: 2))
    #expect(
      data.samples[1]
        == Sample(
          nanoseconds: 18_599_372_662_375, mantissa: 2, channel: 1, status: .unreadable))
    #expect(
      data.samples[2]
        == Sample(nanoseconds: 18_599_372_667_036, mantissa: 32768, channel: 2))
    #expect(data.samples[3].nanoseconds == 18_599_382_672_105)
    #expect(data.samples[32].mantissa == 32768)
    #expect(data.samples.map(\.nanoseconds) == data.samples.map(\.nanoseconds).sorted())
    #expect(end.begin == 18_599_372_639_477 && end.end == 18_599_472_678_365)
    #expect(end.ticks == 11 && end.taken == 11 && end.overruns == 0 && end.samples == 33)
    #expect(end.cpu == 383_396 && end.switches == 10 && end.bytesOut == 0)
    #expect(end.linkCPU == 72_616 && end.linkRuns == 1 && end.forks == 0)
  }

  /// However the bytes come, and whatever is between the frames.
  @Test func findsFramesInPiecesAndBetweenForeignBytes() {
    let expected = messages(Self.all)
    var frames = SamplerFrames(files: 3)
    #expect(Self.all.flatMap { frames.take([$0]) } == expected)
    let noise = Array("Welcome!\n".utf8) + [0xc5, 0xc5, 0x4b, 0xc5]
    let noisy = [Self.hello, Self.clock, Self.data, Self.end].flatMap { noise + $0 }
    frames = SamplerFrames(files: 3)
    #expect(frames.take(noisy) == expected)
    #expect(frames.skipped > 0)
  }

  @Test func givesWholeFramesAloneWhereverItIsCut() {
    let expected = messages(Self.all)
    let ends = [Self.hello, Self.clock, Self.data, Self.end].map(\.count)
      .reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }.dropFirst()
    for length in 0..<Self.all.count {
      let whole = ends.count { $0 <= length }
      #expect(messages(Array(Self.all[..<length])) == Array(expected[..<whole]))
    }
  }

  /// No changed byte gives another message than what was sent.
  @Test func takesNothingThatWasChangedOnTheWay() {
    let expected = messages(Self.all)
    let tail = [UInt8](repeating: 0, count: SamplerFrames.greatestPayload + 16)
    for index in Self.all.indices {
      for change: UInt8 in [1, 0x80, 0xff] {
        var bytes = Self.all + tail
        bytes[index] ^= change
        let got = messages(bytes)
        #expect(got.allSatisfy(expected.contains))
        #expect(got.count == 3)
      }
    }
  }

  /// Frames whose check is right and whose content is hostile.
  @Test(
    arguments: [
      // Lengths beyond the greatest, and none.
      ("H", []), ("D", []), ("E", [0]), ("C", [2, 2, 2, 2]), ("X", [1]),
      // A channel that there is not, a time of more than 63 bits, an endless number.
      ("D", [0, 3, 1]), ("D", [0, 0] + [UInt8](repeating: 0xff, count: 9) + [1]),
      ("D", [UInt8](repeating: 0xff, count: 40)),
      // Half a sample; a status that there is not; a step beyond the end of time.
      ("D", [0, 0, 5, 4]), ("D", [0, 0, 5, 1, 0x30, 0]),
      ("D", [0, 0] + [UInt8](repeating: 0xff, count: 8) + [0x7f, 2, 0]),
      // Counts whose sums would not fit.
      ("E", [UInt8](repeating: 0, count: 18) + [UInt8](repeating: 0xfe, count: 9) + [1]),
      ("E", [UInt8](repeating: 3, count: 19)),
      // A number of 65 bits.
      ("C", [2, 2] + [UInt8](repeating: 0xff, count: 9) + [2])
    ] as [(Character, [UInt8])])
  func refusesWhatMakesNoSense(type: Character, payload: [UInt8]) {
    var frames = SamplerFrames(files: 3)
    #expect(frames.take(Self.frame(type, payload)).isEmpty)
    #expect(frames.damaged == 1)
    // The next frame is none the worse.
    #expect(frames.take(Self.clock).count == 1)
  }

  /// Signed numbers as the program writes them.
  static func numbers(_ numbers: [Int64]) -> [UInt8] {
    numbers.flatMap { number -> [UInt8] in
      var rest = UInt64(bitPattern: number << 1 ^ number >> 63)
      var bytes: [UInt8] = []
      while rest > 127 {
        bytes.append(UInt8(rest & 127) | 128)
        rest >>= 7
      }
      return bytes + [UInt8(rest)]
    }
  }
  static let suspend = frame(
    "S", numbers([1, 18_599_372_655_186, 18_603_372_655_186, 3_990_000_000]))

  /// Version 1 had neither suspends nor counts of them: told apart by what is there.
  @Test func readsBothVersions() {
    let newer = Self.frame("H", Self.numbers([2, 9, 0, 1, 4096, 3, 1, 77, 1]))
    let blind = Self.frame("H", Self.numbers([2, 9, 0, 1, 4096, 3, 1, 77, 0]))
    func hello(_ notices: Bool) -> SamplerMessage {
      .hello(
        .init(
          processID: 9, realtimeError: 0, lockError: 1, bufferBytes: 4096,
          noticesSuspends: notices))
    }
    #expect(messages(newer + blind) == [hello(true), hello(false)])
    #expect(
      messages(Self.suspend)
        == [
          .suspend(
            .init(
              number: 1, from: 18_599_372_655_186, to: 18_603_372_655_186, asleep: 3_990_000_000))
        ])
    let counts = (0..<19).map { Int64($0) }
    guard case .end(let end)? = messages(Self.frame("E", Self.numbers(counts + [2, 99]))).first,
      case .end(let old)? = messages(Self.frame("E", Self.numbers(counts))).first
    else {
      Issue.record("no end")
      return
    }
    #expect(end.suspends == 2 && end.asleep == 99 && end.forks == 18)
    #expect(old.suspends == -1 && old.asleep == -1 && old.forks == 18)
  }

  @Test(
    arguments: [
      ("H", [2, 9, 0, 1, 4096, 3, 1, 77]), ("H", [1, 9, 0, 1, 4096, 3, 1, 77, 1]),
      ("H", [3, 9, 0, 1, 4096, 3, 1, 77, 1, 0]), ("H", [.max, 9, 0, 1, 4096, 3, 1, 77, 1]),
      // Back in time, longer asleep than it was away, none of a number, beyond the end of time.
      ("S", [1, 5, 4, 0]), ("S", [1, 5, 9, 5]), ("S", [0, 5, 9, 4]), ("S", [1, -5, 9, 4]),
      ("S", [1, 5, 1 << 60, 4]), ("S", [1, .min, .max, 4]), ("S", [1, 5, 9]),
      ("S", [1, 5, 9, 4, 0]), ("E", [Int64](repeating: 1, count: 20)),
      ("E", [Int64](repeating: 1, count: 22)), ("E", [Int64](repeating: -2, count: 21))
    ] as [(Character, [Int64])])
  func refusesFramesOfNoVersion(type: Character, numbers: [Int64]) {
    var frames = SamplerFrames(files: 3)
    #expect(frames.take(Self.frame(type, Self.numbers(numbers))).isEmpty)
    #expect(frames.damaged == 1)
  }

  @Test func aSuspendThatIsCutOrChangedIsNone() {
    for length in Self.suspend.indices {
      #expect(messages(Array(Self.suspend[..<length])).isEmpty)
    }
    for index in Self.suspend.indices {
      for change: UInt8 in [1, 0x10, 0x80, 0xff] {
        var bytes = Self.suspend
        bytes[index] ^= change
        #expect(messages(bytes + [UInt8](repeating: 0, count: 4096)).isEmpty)
      }
    }
  }

  @Test func doesNotWaitForAFrameThatIsTooLong() {
    var frames = SamplerFrames(files: 3)
    #expect(frames.take([0xc5, 0x4b, 0x44, 0xff, 0xff] + Self.clock).count == 1)
  }

  @Test func keepsNumbersOf64Bits() {
    let least: [UInt8] = [UInt8](repeating: 0xff, count: 9) + [1]
    let message = messages(Self.frame("C", least + [0] + least.dropLast() + [0])).first
    #expect(message == .clock(.init(nonce: .min, received: 0, sent: -4_611_686_018_427_387_904)))
  }

  /// A frame made here, with the check by its definition.
  static func frame(_ type: Character, _ payload: [UInt8]) -> [UInt8] {
    let body =
      [type.asciiValue ?? 0, UInt8(payload.count & 255), UInt8(payload.count >> 8)] + payload
    var check = ~UInt32(0)
    for byte in body {
      check ^= UInt32(byte)
      for _ in 0..<8 { check = check & 1 == 0 ? check >> 1 : check >> 1 ^ 0xedb8_8320 }
    }
    return [0xc5, 0x4b] + body + (0..<4).map { UInt8(truncatingIfNeeded: ~check >> ($0 * 8)) }
  }
}
