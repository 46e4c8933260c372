import Testing

@testable import KelvinMeters

/// What a POWER-Z is asked, and how its replies are taken apart.
struct KM003CProtocolTests {
  private func parts(_ bytes: [UInt8]) throws -> [KM003CReply.Part] {
    try KM003CReply(bytes.span).parts
  }

  private func number(_ bytes: [UInt8], at place: Int) -> UInt16 {
    KM003CSample(bytes.span.bytes, at: place).number
  }

  private func values(_ bytes: [UInt8], _ range: Range<Int>) -> [Int32]? {
    KM003CValues(bytes.span.bytes, range).map { values in (0..<7).map { values.codes[$0] } }
  }

  private func codes(_ bytes: [UInt8], at place: Int) -> [Int32] {
    let sample = KM003CSample(bytes.span.bytes, at: place)
    return (0..<6).map { sample.codes[$0] }
  }

  @Test func requestsAreThoseThatWereRecorded() throws {
    #expect(KM003CRequest.connect.bytes(number: 1) == [2, 1, 0, 0])
    #expect(KM003CRequest.data(.values).bytes(number: 5) == [0x0c, 5, 2, 0])
    #expect(KM003CRequest.data([.values, .queue]).bytes(number: 6) == [0x0c, 6, 6, 0])
    #expect(KM003CRequest.startGraph(.fifty).bytes(number: 3) == [0x0e, 3, 4, 0])
    #expect(KM003CRequest.startGraph(.thousand).bytes(number: 3) == [0x0e, 3, 6, 0])
    #expect(KM003CRequest.stopGraph.bytes(number: 255) == [0x0f, 255, 0, 0])
    let memory = try #require(KM003CRequest.memory(.device))
    #expect(memory.bytes(number: 2) == KM003CFrames.memoryRequest)
    // Its checksum is in the confirmation, in the clear.
    let plain = Array(KM003CFrames.memoryReply[4..<16])
    #expect(
      KM003CFrames.little(Int(KM003CCipher.checksum(plain)), 4)
        == Array(KM003CFrames.memoryReply[16...]))
    #expect(KM003CCipher.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
  }

  @Test func theQueueIsOpenedByWhatTheHardwareIs() throws {
    let filling = [UInt8](repeating: 9, count: 12)
    let request = try #require(
      KM003CRequest.authenticate(
        hardware: KM003CFrames.hardware, milliseconds: 0x0102_0304_0506, filling: filling))
    let bytes = request.bytes(number: 6)
    #expect(bytes.count == 36 && Array(bytes[..<4]) == [0x4c, 6, 0, 2])
    // Block by block: what differs in the second block leaves the first as it is.
    let other = try #require(
      KM003CRequest.authenticate(
        hardware: KM003CFrames.hardware, milliseconds: 0x0102_0304_0506,
        filling: [UInt8](repeating: 8, count: 12)))
    #expect(other.payload[..<16] == request.payload[..<16])
    #expect(other.payload[16...] != request.payload[16...])
    #expect(
      KM003CRequest.authenticate(hardware: [1, 2], milliseconds: 0, filling: filling) == nil)
    #expect(KM003CCipher.memory([UInt8](repeating: 0, count: 15)) == nil)
  }

  @Test func recordedRepliesHoldWhatTheirRecorderReads() throws {
    let values = KM003CFrames.values
    let part = try #require(try parts(values).first)
    #expect(part.attribute == 1 && part.range == 8..<52)
    #expect(self.values(values, part.range) == [5_053_509, -90_450, 4234, 14, 0, 0, 3273])

    let queue = KM003CFrames.queue
    let samples = try #require(try parts(queue).first)
    #expect(samples.attribute == 2 && samples.range == 8..<48)
    #expect(codes(queue, at: 8) == [9_225_173, -1_536_935, 16_604, 287, 5979, 5976])
    #expect(number(queue, at: 8) == 59_405)
    #expect(number(queue, at: 28) == 59_905)
    // That is one step at 2 Hz, where lines are in tenths of a millivolt: 1.66 V.
    #expect(KM003CRate.two.step == 500 && KM003CRate.two.lineScale == 1e-4)
    #expect(KM003CRate.thousand.step == 1 && KM003CRate.thousand.lineScale == 1e-3)
  }

  /// Who takes what follows the first header for the rest, or the first header's size for the samples' size,
  /// reads something else.
  @Test func chainedRepliesAreWalked() throws {
    let frame = KM003CFrames.chained
    #expect(try parts(frame).map(\.attribute) == [2, 16])
    #expect(try parts(frame).map(\.range) == [8..<48, 52..<64])
    #expect(codes(frame, at: 28) == [19_983_536, 1_625_456, 494, 1734, 197, 186])
    // As they come when values and queue are asked for at once, and with another part in front.
    let samples = [1, 2, 3].map { KM003CFrames.sample($0, volts: $0, amperes: 10 * $0) }
    let both = KM003CFrames.reply(
      number: 1,
      KM003CFrames.values(volts: 5, amperes: 6, temperature: 7, follows: true)
        + KM003CFrames.part(0x10, follows: true, size: 12, [UInt8](repeating: 0xee, count: 12))
        + KM003CFrames.samples(samples))
    let parts = try parts(both)
    #expect(parts.map(\.attribute) == [1, 16, 2] && parts[2].range.count == 60)
    #expect(codes(both, at: parts[2].range.lowerBound + 40)[1] == 30)
  }

  @Test func nothingIsAReplyToo() throws {
    #expect(try parts([0x41, 1, 0, 0]).isEmpty)
    let none = KM003CFrames.reply(number: 1, KM003CFrames.part(2, size: 0, []))
    #expect(try parts(none).map(\.range) == [8..<8])
  }

  @Test func eachTruncationIsTold() throws {
    for frame in [KM003CFrames.values, KM003CFrames.queue, KM003CFrames.chained] {
      for count in 0..<frame.count where count != 4 {
        let short = Array(frame[..<count])
        #expect(throws: KM003CReply.Mistake.truncated, "\(count)") { try parts(short) }
        let length = try KM003CReply.length(short.span)
        #expect(length > count && length <= frame.count)
      }
      for count in [1, 4, 44] {
        let long = frame + [UInt8](repeating: 0, count: count)
        #expect(throws: KM003CReply.Mistake.tail(count)) { try parts(long) }
      }
    }
  }

  /// Whatever comes, no part lies outside of it.
  @Test func damagedAndRandomRepliesStayWithinThemselves() {
    var generator = SystemRandomNumberGenerator()
    var frames: [[UInt8]] = (0..<3000).map { index in
      (0..<(index % 90)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }
    for frame in [KM003CFrames.values, KM003CFrames.queue, KM003CFrames.chained] {
      for place in frame.indices {
        for value in [UInt8(0), 0x55, 0xff, frame[place] ^ 0x80] {
          var damaged = frame
          damaged[place] = value
          frames.append(damaged)
        }
      }
    }
    for frame in frames {
      guard let found = try? parts(frame) else { continue }
      #expect(found.allSatisfy { $0.range.upperBound <= frame.count }, "\(frame)")
      for part in found where part.attribute == 2 { #expect(part.range.count % 20 == 0) }
      for part in found { _ = values(frame, part.range) }
    }
  }

  @Test func hostileSizesAreRefused() {
    // A queue of 63 samples of 1,023 bytes; one of samples of 4.
    for size in [1023, 4] {
      let frame = KM003CFrames.reply(number: 1, KM003CFrames.part(2, chunk: 63, size: size, []))
      #expect(throws: KM003CReply.Mistake.sampleSize(size)) { try parts(frame) }
    }
    let short = KM003CFrames.reply(
      number: 1, KM003CFrames.part(1, size: 43, [UInt8](repeating: 1, count: 43)))
    #expect(values(short, 8..<51) == nil)
  }

  @Test func memorySaysWhoItIs() {
    func block(_ texts: [(Int, String)]) -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: 64)
      for (place, text) in texts {
        bytes.replaceSubrange(place..<place + text.utf8.count, with: text.utf8)
      }
      return bytes
    }
    var says = KM003CIdentity()
    says.take(.device, block([(0x10, "KM003C"), (0x1c, "2.1"), (0x28, "2022.11.7")]))
    says.take(.firmware, block([(0x10, "KM003C"), (0x1c, "1.9.9")]))
    says.take(.calibration, block([(0, "007965 CDFDDF28")]))
    #expect(says.model == "KM003C" && says.hardware == "2.1")
    #expect(says.firmware == "1.9.9" && says.serial == "007965")
    // What is no text is no name; what is too short, nothing.
    var other = KM003CIdentity()
    other.take(.device, [UInt8](repeating: 0xff, count: 64))
    other.take(.firmware, [UInt8](repeating: 0xff, count: 64))
    for count in 0..<64 { other.take(.calibration, [UInt8](repeating: 0x41, count: count)) }
    #expect(other == KM003CIdentity())
  }
}
