internal import KelvinConnections
internal import KelvinModel

/// How codes of a JS110's converters become values: of each range an offset and a gain, from its own memory.
///
/// A file of Jetperch's "tagfmt": 16 bytes by which it is known, its length in 8, three of 0, its version, and the
/// CRC-32 of those; then records of a tag of three bytes, flags, a length of four, the data, zeros up to a
/// multiple of eight, and the CRC-32 of all that. The record `AJS` is JSON.
/// Source: jetperch/pyjoulescope, joulescope/datafile.py, calibration.py.
package struct JS110Calibration: Sendable, Hashable {
  /// Value = (code + offset)·gain.
  package struct Line: Sendable, Hashable {
    package var offset: Double
    package var gain: Double

    package init(offset: Double, gain: Double) {
      self.offset = offset
      self.gain = gain
    }
  }

  /// Of each ``JS110Range``, in amperes.
  package var current: [Line]
  /// Of each ``JS110VoltageRange``, in volts.
  package var voltage: [Line]
  /// Of the meter that it belongs to, as hexadecimal digits.
  package var serial: String
  /// When it was calibrated, as it is written there.
  package var date: String

  /// Describes one; of each range, currents with the smallest ranges last.
  package init(current: [Line], voltage: [Line], serial: String = "", date: String = "") {
    self.current = current
    self.voltage = voltage
    self.serial = serial
    self.date = date
  }

  /// What is wrong with one, for people.
  package struct Defect: Error, Hashable {
    package var text: String
  }

  package static let headerSize = 32
  /// No calibration is longer: its offsets are asked for by 16 bits.
  package static let greatestSize = 65_535
  private static let magic: [UInt8] =
    [0xd3] + Array("tagfmt \r\n \n  ".utf8) + [0x1a, 0x1c]

  /// How long the file is that has these first 32 bytes.
  package static func size(header: [UInt8]) throws(Defect) -> Int {
    guard header.count >= headerSize, Array(header[..<magic.count]) == magic else {
      throw Defect(text: "it is no calibration")
    }
    guard crc(header[..<28]) == word(header, 28) else {
      throw Defect(text: "its header's checksum is wrong")
    }
    guard header[27] == 1 else { throw Defect(text: "its format is version \(header[27])") }
    let (low, high) = (word(header, 16), word(header, 20))
    guard high == 0, low >= headerSize, low <= greatestSize else {
      throw Defect(text: "it claims to be \(UInt64(high) << 32 | UInt64(low)) bytes long")
    }
    return Int(low)
  }

  /// Reads a file.
  package init(_ bytes: [UInt8]) throws(Defect) {
    let size = try Self.size(header: bytes)
    guard bytes.count >= size else { throw Defect(text: "it is cut short") }
    var start = Self.headerSize
    while start < size {
      guard size - start >= 16 else { throw Defect(text: "its last record is cut short") }
      let length = Self.word(bytes, start + 4)
      guard length <= size - start - 12 else {
        throw Defect(text: "a record is longer than what it is in")
      }
      let whole = (12 + Int(length) + 7) / 8 * 8
      guard whole <= size - start else { throw Defect(text: "its last record is cut short") }
      let record = bytes[start..<start + whole]
      guard Self.crc(record.dropLast(4)) == Self.word(bytes, start + whole - 4) else {
        throw Defect(text: "the checksum of a record is wrong")
      }
      if Array(record.prefix(3)) == Array("AJS".utf8) {
        guard record[start + 3] == 0 else { throw Defect(text: "it is compressed or encrypted") }
        try self.init(json: Array(bytes[start + 8..<start + 8 + Int(length)]))
        return
      }
      start += whole
    }
    throw Defect(text: "it has no record of numbers")
  }

  private init(json: [UInt8]) throws(Defect) {
    guard let root = Value(json: String(decoding: Self.plain(json), as: UTF8.self))?.map else {
      throw Defect(text: "its numbers are no JSON")
    }
    // Jetperch's identity of a JS110's calibration.
    guard root["product"]?.text == "1.1.1" else {
      throw Defect(text: "it is that of product '\(root["product"]?.text ?? "")'")
    }
    current = try Self.lines(root, "current", JS110Range.allCases.count, greatest: 1000)
    voltage = try Self.lines(root, "voltage", JS110VoltageRange.allCases.count, greatest: 1000)
    serial = (root["serial_number"]?.text ?? "").lowercased()
    date = root["time"]?.text ?? ""
  }

  /// - Parameter greatest: no code stands for more, in the value's unit.
  private static func lines(
    _ root: [String: Value], _ name: String, _ count: Int, greatest: Double
  ) throws(Defect) -> [Line] {
    func numbers(_ key: String) -> [Double?] {
      (root[name]?.map?[key]?.list ?? []).map(\.number)
    }
    let (offsets, gains) = (numbers("offset"), numbers("gain"))
    guard offsets.count >= count, gains.count >= count else {
      throw Defect(text: "it has no \(name) of each range")
    }
    var lines: [Line] = []
    for range in 0..<count {
      guard let offset = offsets[range], let gain = gains[range], gain > 0,
        abs(offset) * gain < greatest, (abs(offset) + 16_383) * gain < greatest
      else { throw Defect(text: "its \(name) of range \(range) makes no sense") }
      lines.append(Line(offset: offset, gain: gain))
    }
    return lines
  }

  /// What Python writes for no number becomes what JSON has for it.
  private static func plain(_ json: [UInt8]) -> [UInt8] {
    let nan = Array("NaN".utf8)
    var result: [UInt8] = []
    var isText = false
    var place = 0
    while place < json.count {
      let byte = json[place]
      if byte == UInt8(ascii: "\"") { isText.toggle() }
      if isText, byte == UInt8(ascii: "\\"), place + 1 < json.count {
        result += json[place...place + 1]
        place += 2
      } else if !isText, json[place...].starts(with: nan) {
        result += Array("null".utf8)
        place += nan.count
      } else {
        result.append(byte)
        place += 1
      }
    }
    return result
  }

  private static func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var crc = CRC32()
    bytes.withUnsafeBytes { crc.add($0) }
    return crc.value
  }

  private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
    bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
