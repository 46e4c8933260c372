import KelvinModel
import KelvinSimulators
import Testing

@testable import KelvinConnections

/// The bytes of fastboot, without a wire.
@Suite struct FastbootProtocolTests {
  @Test(
    arguments: [
      ("OKAY0.4", .okay(Array("0.4".utf8))), ("OKAY", .okay([])),
      ("FAILUnknown variable", .fail(Array("Unknown variable".utf8))),
      ("INFOerasing flash", .info(Array("erasing flash".utf8))),
      ("TEXTas it is\n\0rest", .text(Array("as it is\n".utf8))),
      ("DATA00001234", .data(0x1234)), ("DATAffffffff", .data(.max)),
      ("DATA1234", nil), ("DATA000012345", nil), ("DATA+0001234", nil), ("DATA0000123g", nil),
      ("DATA", nil), ("OKA", nil), ("", nil), ("okay", nil), ("HELO", nil)
    ] as [(String, FastbootReply?)])
  func readsReplies(packet: String, reply: FastbootReply?) {
    #expect(FastbootReply(Array(packet.utf8)) == reply)
  }

  @Test func takesNoReplyBeyondTheLimit() {
    let longest = Array("INFO".utf8) + [UInt8](repeating: 65, count: 252)
    #expect(FastbootReply(longest) != nil)
    #expect(FastbootReply(longest + [65]) == nil)
  }

  @Test func survivesAnyBytes() {
    var numbers = SeededGenerator(seed: 7)
    for _ in 0..<20_000 {
      var packet = numbers.bytes(Int(numbers.next() % 20))
      if numbers.next() % 2 == 0 { packet = Array("DATA".utf8) + packet }
      switch FastbootReply(packet) {
      case .okay(let rest)?, .fail(let rest)?, .info(let rest)?:
        #expect(Array(packet[4...]) == rest)
      case .text(let rest)?: #expect(packet[4...].starts(with: rest))
      case .data(let count)?:
        let digits = String(decoding: packet[4...], as: UTF8.self)
        #expect(packet.count == 12 && UInt32(digits, radix: 16) == count)
      case nil: break
      }
      if let read = FastbootUDPPacket(packet) {
        #expect(read.bytes.count == packet.count && read.bytes[2...] == packet[2...])
      } else {
        #expect(packet.count < 4 || packet[0] > 3)
      }
      #expect(FastbootTCPFraming.version(packet) == nil)
      let text = FastbootText.printable(packet)
      #expect(text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 })
    }
  }

  @Test(
    arguments: [
      ("FB01", 1), ("FB42", 42), ("FB00", nil), ("FB0", nil), ("FBxx", nil), ("HTTP", nil)
    ]
      as [(String, Int?)])
  func readsGreetings(text: String, version: Int?) {
    #expect(FastbootTCPFraming.version(Array(text.utf8)) == version)
  }

  /// The documented example: 14 bytes of `getvar:version`.
  @Test func writesLengths() {
    #expect(FastbootTCPFraming.header(14) == [0, 0, 0, 0, 0, 0, 0, 14])
    #expect(FastbootTCPFraming.length([0, 0, 0, 1, 0, 0, 2, 3]) == 0x1_0000_0203)
    #expect(FastbootTCPFraming.length([UInt8](repeating: 255, count: 8)) == .max)
  }

  /// The documented examples.
  @Test func writesPackets() {
    #expect(FastbootUDPPacket(.query, sequence: 0).bytes == [1, 0, 0, 0])
    #expect(
      FastbootUDPPacket(.initialize, sequence: 0x55aa, data: [0, 1, 8, 0]).bytes
        == [2, 0, 0x55, 0xaa, 0, 1, 8, 0])
    let packet = FastbootUDPPacket([3, 1, 0xff, 0xfe, 9])
    #expect(packet?.isContinued == true)
    #expect(packet?.sequence == 0xfffe)
    #expect(packet?.data == [9])
    #expect(FastbootUDPPacket([1, 0, 0, 0, 0x55, 0xaa])?.number(at: 0) == 0x55aa)
    #expect(FastbootUDPPacket([1, 0, 0, 0, 0x55])?.number(at: 0) == nil)
    #expect(FastbootUDPPacket([4, 0, 0, 0]) == nil)
    #expect(FastbootUDPPacket([3, 0, 0]) == nil)
  }

  @Test func writesCommands() throws {
    #expect(FastbootCommand.download(0x1234).text == "download:00001234")
    #expect(FastbootCommand.download(.max).text == "download:ffffffff")
    let longest = String(repeating: "x", count: 64)
    #expect(try FastbootCommand(longest).text == longest)
    for text in [longest + "x", "", "getvar:a\nreboot", "flash:\u{e4}", "a\0"] {
      #expect(throws: ConnectionFailure.self) { try FastbootCommand(text) }
    }
  }

  @Test(
    arguments: [
      ("10.0.0.7", "10.0.0.7:5554"), ("10.0.0.7:99", "10.0.0.7:99"),
      ("board.lan", "board.lan:5554"),
      ("[::1]:7", "[::1]:7"), ("[::1]", "[::1]:5554"), ("fe80::1", "[fe80::1]:5554"), ("", nil),
      (":5554", nil), ("host:", nil), ("host:0", nil), ("host:65536", nil), ("host:+1", nil),
      ("ho st", nil), ("[::1]x", nil)
    ] as [(String, String?)])
  func readsPlaces(text: String, place: String?) {
    #expect(HostAndPort(text, defaultPort: 5554)?.description == place)
  }

  @Test(
    arguments: [
      ("version:0.4", "version", "0.4"), ("version: 0.4", "version", "0.4"),
      ("partition-size:boot:0x400", "partition-size:boot", "0x400"),
      ("partition-size:boot: 0x 400", "partition-size:boot", "0x 400"),
      ("product:", "product", "")
    ])
  func readsVariables(line: String, name: String, value: String) {
    #expect(FastbootVariable(line: line) == FastbootVariable(name, value))
  }

  @Test(arguments: ["", ":", "finished", ": x"]) func otherLinesAreNoVariables(line: String) {
    #expect(FastbootVariable(line: line) == nil)
  }

  @Test func readsChoices() throws {
    let location = SourceLocation(file: "bench.yaml", line: 4)
    let address = { (options: [String: Value]) in
      try FastbootAddress(DriverChoice("fastboot", options: options, location: location))
    }
    #expect(try address(["tcp": "h"]) == .tcp(HostAndPort(host: "h", port: 5554)))
    #expect(try address(["udp": "h:1"]) == .udp(HostAndPort(host: "h", port: 1)))
    #expect(
      try address(["usb": ["match": ["ID_SERIAL_SHORT": "1"]]])
        == .usb(DeviceMatch([.init("ID_SERIAL_SHORT", "1")])))
    let failure = #expect(throws: PlainFailure.self) { try address(["tcp": "h:x"]) }
    #expect(failure?.message == "bench.yaml:4: fastboot: tcp: 'h:x' is no HOST:PORT")
    #expect(throws: PlainFailure.self) { try address([:]) }
  }
}

/// CRC-32 of IEEE 802.3.
@Suite struct CRC32Tests {
  private func crc(_ bytes: [UInt8]) -> UInt32 {
    var crc = CRC32()
    bytes.withUnsafeBytes { crc.add($0) }
    return crc.value
  }

  /// The check value of the catalog of CRC algorithms.
  @Test func hasTheCheckValue() {
    #expect(crc(Array("123456789".utf8)) == 0xcbf4_3926)
    #expect(crc([]) == 0)
  }

  @Test func doesNotDependOnThePieces() {
    var numbers = SeededGenerator(seed: 3)
    let bytes = numbers.bytes(1000)
    var inPieces = CRC32()
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = Array(rest.prefix(Int(numbers.next() % 23)))
      piece.withUnsafeBytes { inPieces.add($0) }
      rest = rest.dropFirst(piece.count)
    }
    #expect(inPieces.value == crc(bytes))
  }

  @Test(arguments: [0, 1, 2, 3, 7, 64, 1000, 1025])
  func repeatsWordsWithoutGoingThroughThem(times: Int) {
    let word: [UInt8] = [1, 0x80, 0, 0xfe]
    var repeated = CRC32()
    [9, 8, 7].withUnsafeBytes { repeated.add(UnsafeRawBufferPointer(rebasing: $0[..<3])) }
    repeated.add(word, times: UInt64(times))
    var plain = CRC32()
    [9, 8, 7].withUnsafeBytes { plain.add(UnsafeRawBufferPointer(rebasing: $0[..<3])) }
    for _ in 0..<times { word.withUnsafeBytes { plain.add($0) } }
    #expect(repeated.value == plain.value)
  }
}
