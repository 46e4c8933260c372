import KelvinModel

@testable import KelvinMeters

/// Packets and answers as a JS110 sends them, written down anew for tests.
enum JS110Packets {
  /// A sample: its range, and the converters' codes.
  static func word(_ range: Int, _ current: Int, _ voltage: Int, at number: Int) -> UInt32 {
    UInt32(range & 3) | UInt32(current) << 2 | UInt32(range >> 2) << 16
      | UInt32(number & 1) << 17 | UInt32(voltage) << 18
  }

  static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(word >> UInt32(8 * $0) & 0xff) } }
  }

  /// A packet of 126 words.
  static func packet(_ number: Int, _ words: [UInt32], isFiveVolts: Bool = false) -> [UInt8] {
    precondition(words.count == 126)
    return [1, 0, 0x00, isFiveVolts ? 0x82 : 0x02, UInt8(number & 0xff), UInt8(number >> 8 & 0xff)]
      + [0x5a, 0xa5] + bytes(words)
  }

  /// Packets from a number on, of what is known for each sample.
  static func packets(
    _ numbers: Range<Int>, _ sample: (Int) -> UInt32 = steady
  ) -> [UInt8] {
    numbers.flatMap { number in
      packet(number, (0..<126).map { sample(126 * number + $0) })
    }
  }

  /// Range 3; codes that go up.
  static func steady(_ sample: Int) -> UInt32 {
    word(3, 3000 + sample % 1000, 5000 + sample % 2000, at: sample)
  }

  /// Round ones: a code more is 1 uA in range 3, ten times that in each lower one, and 1 mV or 250 uV.
  static let calibration: JS110Calibration = {
    let gains = [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 2e-9]
    let json = """
      {"product": "1.1.1", "time": "2019-05-01", "serial_number": "AB01", "current": {"offset": \
      [-2000, -2000, -2000, -2000, -2000, -2000, -2000, NaN], "gain": [\
      \(gains.map { "\($0)" }.joined(separator: ", ")), NaN]}, "voltage": {"offset": [-1000, -1000], \
      "gain": [0.001, 0.00025], "note": "\\"NaN\\" is not NaN"}}
      """
    guard let calibration = try? JS110Calibration(file([("HDR", []), ("AJS", Array(json.utf8))]))
    else { preconditionFailure("the calibration of these tests cannot be read") }
    return calibration
  }()

  /// What samples of range 3 become.
  static func code(_ current: Int) -> Int64 { Int64(current - 2000) * 10_000 }

  // MARK: its memory

  static func crc(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 0 ? crc >> 1 : crc >> 1 ^ 0xedb8_8320 }
    }
    return ~crc
  }

  static func number(_ value: UInt32) -> [UInt8] { bytes([value]) }

  static func record(_ tag: String, _ data: [UInt8], flags: UInt8 = 0) -> [UInt8] {
    var record = Array(tag.utf8) + [flags] + number(UInt32(data.count)) + data
    while record.count % 8 != 4 { record.append(0) }
    return record + number(crc(record))
  }

  static func file(_ records: [(tag: String, data: [UInt8])], version: UInt8 = 1) -> [UInt8] {
    file(records.flatMap { record($0.tag, $0.data) }, version: version)
  }

  static func file(_ body: [UInt8], version: UInt8 = 1) -> [UInt8] {
    var header: [UInt8] = [0xd3] + Array("tagfmt ".utf8) + [13, 10, 32, 10, 32, 32, 0x1a, 0x1c]
    header += number(UInt32(32 + body.count)) + [0, 0, 0, 0, 0, 0, 0, version]
    return header + number(crc(header)) + body
  }

  // MARK: what a stream gave out

  struct Seen {
    var numbers: [Int64] = []
    var current: [Int64] = []
    var voltage: [Int64] = []
    var inputs: [UInt32] = []
    var gaps: [(after: Int64, before: Int64, count: Int64)] = []
    var marks: [(mark: JS110Stream.Mark, from: Int64, to: Int64, count: Int64)] = []

    mutating func take(_ part: JS110Stream.Part) {
      switch part {
      case .samples(let first, let current, let voltage, let inputs):
        numbers += current.indices.map { first + Int64($0) }
        self.current += current
        self.voltage += voltage
        self.inputs += inputs
      case .gap(let after, let before, let count): gaps.append((after, before, count))
      case .marks(let mark, let from, let to, let count): marks.append((mark, from, to, count))
      }
    }

    func count(_ mark: JS110Stream.Mark) -> Int64 {
      marks.filter { $0.mark == mark }.reduce(0) { $0 + $1.count }
    }
  }

  static func stream(hasInputs: Bool = false, isFiltered: Bool = true) -> JS110Stream {
    var stream = JS110Stream(calibration, hasInputs: hasInputs, isFiltered: isFiltered)
    stream.isOpen = true
    return stream
  }

  @discardableResult
  static func feed(
    _ stream: inout JS110Stream, _ bytes: [UInt8], most: Int64 = .max
  ) -> Seen {
    var seen = Seen()
    stream.take(bytes.span.bytes, most: most) { seen.take($0) }
    stream.flush { seen.take($0) }
    return seen
  }
}
