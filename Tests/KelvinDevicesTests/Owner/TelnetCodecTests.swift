import Testing

@testable import KelvinDevices

/// Telnet as a console server speaks it.
struct TelnetCodecTests {
  /// Bytes received, in pieces of every size, and the data in them.
  static let streams: [(wire: [UInt8], data: [UInt8])] = [
    ([65, 255, 255, 66], [65, 255, 66]),
    ([255, 251, 1, 255, 253, 0, 65], [65]),
    ([65, 255, 250, 44, 1, 255, 255, 0, 255, 240, 66], [65, 66]),
    ([255, 241, 13, 0, 10, 255, 249, 7], [13, 0, 10, 7]),
    ([255, 250, 1, 2, 255, 251, 3, 65], [65]),
    ([0, 1, 2, 254, 253, 251], [0, 1, 2, 254, 253, 251])
  ]

  @Test(arguments: streams)
  func dataComesOutWhereverTheStreamIsCut(stream: (wire: [UInt8], data: [UInt8])) {
    for size in 1...stream.wire.count {
      var codec = TelnetCodec()
      var data: [UInt8] = []
      var rest = stream.wire[...]
      while !rest.isEmpty {
        Array(rest.prefix(size)).withUnsafeBytes { codec.decode($0, into: &data) }
        rest = rest.dropFirst(size)
      }
      #expect(data == stream.data, "pieces of \(size)")
    }
  }

  @Test func everyByteArrivesThroughBothDirections() {
    let all = (0...255).map { UInt8($0) } + [255, 255, 13, 0, 13, 10, 255]
    var codec = TelnetCodec()
    var data: [UInt8] = []
    codec.encode(all).withUnsafeBytes { codec.decode($0, into: &data) }
    #expect(data == all)
  }

  @Test func aRefusedBinaryBringsTheNULsBehindCRs() {
    var plain: [UInt8] = []
    let wire: [UInt8] = [255, 254, 0, 255, 252, 0, 13, 0, 65, 13, 10]
    var second = TelnetCodec()
    wire.withUnsafeBytes { second.decode($0, into: &plain) }
    #expect(plain == [13, 65, 13, 10])
    #expect(second.encode([13, 65]) == [13, 0, 65])
  }

  /// What the other side says, and what is answered.
  static let negotiations: [(said: [UInt8], answered: [UInt8])] = [
    // What was asked for and is granted needs no answer.
    ([255, 251, 0, 255, 253, 0, 255, 251, 3, 255, 253, 3], []),
    ([255, 251, 1], [255, 253, 1]),
    ([255, 251, 1, 255, 251, 1], [255, 253, 1]),
    ([255, 253, 24], [255, 252, 24]),
    ([255, 251, 44], [255, 254, 44]),
    ([255, 252, 0], [255, 254, 0]),
    ([255, 252, 0, 255, 252, 0], [255, 254, 0]),
    ([255, 254, 5], [])
  ]

  @Test(arguments: negotiations)
  func answersOnlyWhatChangesSomething(talk: (said: [UInt8], answered: [UInt8])) {
    var codec = TelnetCodec()
    _ = codec.takeReplies()
    var data: [UInt8] = []
    talk.said.withUnsafeBytes { codec.decode($0, into: &data) }
    #expect(codec.takeReplies() == talk.answered)
    #expect(data.isEmpty)
  }

  @Test func aFloodOfOffersDoesNotPileUpAnswers() {
    var codec = TelnetCodec()
    var data: [UInt8] = []
    let flood = [[UInt8]](repeating: [255, 251, 200, 255, 250, 1, 2, 3], count: 20_000).flatMap {
      $0
    }
    flood.withUnsafeBytes { codec.decode($0, into: &data) }
    #expect(codec.replies.count < 8192)
  }
}
