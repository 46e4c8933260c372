internal import KelvinModel

/// What a PPK2 says about itself: its calibration, and how it was set when it was asked.
///
/// Lines `KEY: value` in any order, of which the last is `END`. A value may be `-nan`, and `Calibrated: 0`
/// is seen on good units. Source: pc-nrfconnect-ppk, src/device/serialDevice.ts; ppk2lab,
/// docs/protocol-spec.md.
package struct PPK2Metadata: Sendable, Hashable {
  /// As they were sent, those that are numbers.
  let numbers: [String: Double]
  /// `HW`: 37160 is 9128, hexadecimal.
  var hardware: Int? { numbers["HW"].flatMap { Int(exactly: $0) } }
  /// In millivolts.
  var voltage: Int? { numbers["VDD"].flatMap { Int(exactly: $0) } }
  var mode: PPK2Mode? {
    switch numbers["mode"] {
    case 1: .ampere
    case 2: .source
    default: nil
    }
  }
  /// Whether it says that the factory has calibrated it.
  var isCalibrated: Bool? { numbers["Calibrated"].map { $0 != 0 } }

  /// The longest answer that is read: a true one has some 600 bytes.
  static let limit = 16_384

  /// Reads an answer; nil as long as its end has not come, or when it holds no resistance at all, as
  /// samples that were on their way do.
  ///
  /// Whatever stands before it is passed over: what is no such line is none.
  init?(_ bytes: [UInt8]) {
    var numbers: [String: Double] = [:]
    var hasEnded = false
    for line in bytes.prefix(Self.limit).split(separator: UInt8(ascii: "\n")) {
      guard let text = Self.text(line) else { continue }
      if text == "END" {
        hasEnded = true
        break
      }
      let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, Self.isKey(parts[0]) else { continue }
      let value = parts[1].drop { $0 == " " }
      guard let number = Double(value), number.isFinite else { continue }
      numbers[String(parts[0])] = number
    }
    guard hasEnded, numbers.keys.contains(where: { $0.hasPrefix("R") }) else { return nil }
    self.numbers = numbers
  }

  /// A line of printable characters; nil for others. The first one may follow samples without a border:
  /// what is printable at its end counts.
  private static func text(_ line: ArraySlice<UInt8>) -> String? {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    let start = line.lastIndex { !(0x20..<0x7f).contains($0) }.map { $0 + 1 } ?? line.startIndex
    guard start < line.endIndex else { return nil }
    return String(decoding: line[start...], as: UTF8.self)
  }

  private static func isKey(_ text: Substring) -> Bool {
    !text.isEmpty && text.count <= 16
      && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
  }
}
