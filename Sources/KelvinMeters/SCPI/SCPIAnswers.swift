internal import KelvinModel

/// The fields of an answer: what stands between commas, or between the semicolons of several questions in one line,
/// outside of quotes (IEEE 488.2, 8.4 and 8.7.8).
package enum SCPIFields {
  /// More than anybody asks for.
  static let limit = 1024

  /// Takes an answer apart; nil when a quote is not closed, or when there are too many fields.
  package static func split(_ answer: some Collection<UInt8>) -> [[UInt8]]? {
    var fields: [[UInt8]] = [[]]
    var quote: UInt8?
    for byte in answer {
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") {
        guard fields.count < limit else { return nil }
        fields.append([])
        continue
      }
      fields[fields.count - 1].append(byte)
    }
    return quote == nil ? fields : nil
  }
}

/// What an instrument says of itself to `*IDN?` (IEEE 488.2, 10.14): manufacturer, model, serial number and
/// firmware; Siglent's have a fifth field, which is taken for part of the firmware.
package struct SCPIIdentity: Sendable, Hashable {
  package var manufacturer: String
  package var model: String
  /// Empty, or `0`, when it does not say.
  package var serial = ""
  package var firmware = ""

  /// Reads an answer; nil when it is none: fewer than two fields, characters that are not printed, or far too long.
  package init?(_ answer: some Collection<UInt8>) {
    let bytes = Array(answer)
    guard bytes.count <= 400, bytes.allSatisfy({ (32...126).contains($0) }) else { return nil }
    let fields = String(decoding: bytes, as: UTF8.self)
      .split(separator: ",", omittingEmptySubsequences: false).map { String($0).trimmed }
    guard (2...8).contains(fields.count), !fields[0].isEmpty, !fields[1].isEmpty,
      SCPINumber(fields[0].utf8) == nil
    else { return nil }
    manufacturer = fields[0]
    model = fields[1]
    if fields.count > 2 { serial = fields[2] }
    if fields.count > 3 { firmware = fields[3...].joined(separator: ", ") }
  }
}

/// An entry of an instrument's queue of errors, as `SYSTem:ERRor?` gives it (SCPI 1999, 21.8): a number and a text.
package struct SCPIQueuedError: Sendable, Hashable {
  /// 0 when the queue is empty; negative ones are SCPI's own, positive ones the instrument's.
  package var code: Int
  package var text: String

  /// Reads `-113,"Undefined header"`, `+0,"No error"`, and `0  No Error`, as Siglent's supplies say it; nil when it
  /// does not begin with a number.
  package init?(_ answer: some Collection<UInt8>) {
    let text = String(decoding: answer, as: UTF8.self).trimmed
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == "-" || $0 == "+") }
    guard text.utf8.count <= 1000, let code = Int(number), (-100_000...100_000).contains(code)
    else {
      return nil
    }
    let rest = text.dropFirst(number.count)
    guard rest.isEmpty || rest.first == "," || rest.first == " " else { return nil }
    self.code = code
    self.text = String(rest.drop { $0 == "," || $0 == " " }.filter { $0 != "\"" }).trimmed
  }
}

extension SCPIQueuedError: CustomStringConvertible {
  package var description: String { text.isEmpty ? "\(code)" : "\(code), \(text)" }
}
