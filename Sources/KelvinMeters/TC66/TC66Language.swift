internal import KelvinModel

/// What a TC66C answers: 192 bytes, hidden by ``TC66Cipher``, of which each 64 begin with 'pac1', 'pac2' or 'pac3' and
/// end with a checksum of what is before it.
///
/// Source: sigrokproject/libsigrok, src/hardware/rdtech-tc/protocol.c: the question, places, steps and checksums.
/// Its temperature is left out: whether it is in °C or °F depends on what the tester displays, and it does not say
/// (PyPI's tc66-serial 1.0.1). Its own power and counters of charge and energy are not read.
struct TC66Language: TesterLanguage {
  let title = "a TC66C"
  let question: [UInt8]? = Array("getva".utf8)
  let size = 192
  let witness = "three checksums of 16 bits"

  let channels = [
    Channel.tester("voltage", .voltage, "V", 1e-4),
    Channel.tester("current", .current, "A", 1e-5),
    Channel.tester("data-plus", .voltage, "V", 1e-2),
    Channel.tester("data-minus", .voltage, "V", 1e-2)
  ]

  /// Of the three parts, in bytes; the last four are the checksum, as a number of 32 bits.
  private static let part = 64

  func read(_ frame: ArraySlice<UInt8>) throws(TesterFault) -> TesterReading {
    guard frame.count == size else {
      throw TesterFault("\(frame.count) bytes of \(size) came")
    }
    guard let plain = TC66Cipher.plain(frame) else { throw TesterFault("it cannot be deciphered") }
    let bytes = TesterBytes(plain[...])
    for number in 0..<3 {
      let begin = number * Self.part
      guard bytes.text(begin..<(begin + 4)) == "pac\(number + 1)" else {
        throw TesterFault("part \(number + 1) does not begin with 'pac\(number + 1)'")
      }
      let sum = CRC16Modbus.of(plain[begin..<(begin + Self.part - 4)])
      guard bytes.little32(begin + Self.part - 4) == UInt32(sum) else {
        throw TesterFault("the checksum of part \(number + 1) is wrong")
      }
    }
    return TesterReading(
      codes: [48, 52, 96, 100].map { Int64(bytes.little32($0)) }, model: bytes.text(4..<8),
      serial: "\(bytes.little32(12))", firmware: bytes.text(8..<12))
  }
}

/// The checksum that Modbus has on a serial line: of polynomial 0x8005, lowest bit first, from all ones.
///
/// Source: Modbus over serial line, specification and implementation guide V1.02, section 6.2.2.
enum CRC16Modbus {
  static func of(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    var sum: UInt16 = 0xffff
    for byte in bytes {
      sum ^= UInt16(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xa001 : sum >> 1 }
    }
    return sum
  }
}
