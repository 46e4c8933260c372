@testable import KelvinMeters

/// Messages of a POWER-Z: recorded ones, and others written down anew for tests.
enum KM003CFrames {
  // Recorded by okhsunrog/km003c-rs from a KM003C: km003c-lib/tests/common/mod.rs, adcqueue_tests.rs, roundtrip.rs.
  /// Values of a moment.
  static let values = bytes(
    "41008002 0100000b 451c4d00 ae9efeff db1c4d00 239ffeff e11c4d00 819ffeff"
      + "c90c8a10 0e000000 0000787e 00800200 00000000")
  /// Two samples of the queue at 2 Hz.
  static let queue = bytes(
    "413e0202 02000205 0de80800 d5c38c00 598ce8ff dc401f01 5b175817"
      + "01ea0800 0bac8c00 0255e9ff 92401e01 58175417")
  /// Two samples at 1000 Hz, and behind them the state of USB PD.
  static let chained = bytes(
    "410a4203 02800205 ae3f0600 b0ec3001 70cd1800 ee01c706 c900c500"
      + "af3f0600 b0ec3001 70cd1800 ee01c606 c500ba00 10000003 b43f0600 074e0e08 ef01c606")
  /// A request for 64 bytes of memory at 0x420, with the number 2, and its confirmation.
  static let memoryRequest = bytes(
    "44020101 33f8860c0054288cdc7e52729826872dd18b539a39c407d5c063d91102e36a9e")
  static let memoryReply = bytes("c4020101 20040000 40000000 ffffffff 1b8c1b24")
  /// What that KM003C's memory says of its hardware.
  static let hardware = Array("071KBP\r".utf8) + [0xff, 0x11, 0x0a, 0xff, 0xff]

  static func bytes(_ digits: String) -> [UInt8] {
    let digits = Array(digits.utf8.filter { $0 != UInt8(ascii: " ") })
    return stride(from: 0, to: digits.count, by: 2).map {
      UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) ?? 0
    }
  }

  /// A part: its header's word, and data.
  static func part(
    _ attribute: Int, follows: Bool = false, chunk: Int = 0, size: Int, _ data: [UInt8]
  ) -> [UInt8] {
    little(attribute | (follows ? 0x8000 : 0) | chunk << 16 | size << 22, 4) + data
  }

  static func samples(_ samples: [[UInt8]], follows: Bool = false) -> [UInt8] {
    part(2, follows: follows, chunk: samples.count, size: 20, samples.flatMap(\.self))
  }

  static func sample(
    _ number: Int, volts: Int, amperes: Int, lines: [Int] = [1, 2, 3, 4]
  )
    -> [UInt8]
  {
    little(number, 2) + little(0x3b, 2) + little(volts, 4) + little(amperes, 4)
      + lines.flatMap { little($0, 2) }
  }

  static func values(volts: Int, amperes: Int, temperature: Int, follows: Bool = false) -> [UInt8] {
    let averages = (0..<4).flatMap { _ in little(0x7777, 4) }
    return part(
      1, follows: follows, size: 44,
      little(volts, 4) + little(amperes, 4) + averages + little(temperature, 2)
        + [16_500, 200, 6000, 5900, 33_000].flatMap { little($0, 2) } + [3, 0] + little(0, 6))
  }

  static func reply(number: UInt8, _ parts: [UInt8]) -> [UInt8] {
    [0x41, number, 0x80, 0x02] + parts
  }

  static func little(_ number: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}
