/// Builds comma-separated text (RFC 4180): fields are quoted when they must be, rows end in LF.
struct CSVText {
  private(set) var bytes: [UInt8] = []

  /// Starts without a header, for rows that are appended to a file.
  init() {}

  /// Starts with a header row.
  init(header: [String]) { add(header) }

  /// Appends a row.
  mutating func add(_ fields: [String]) {
    for (index, field) in fields.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      append(field.utf8)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Appends a row whose last field is any bytes; they can be read back exactly.
  mutating func add(_ fields: [String], last: [UInt8]) {
    for field in fields {
      append(field.utf8)
      bytes.append(UInt8(ascii: ","))
    }
    append(last)
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func append(_ field: some Collection<UInt8>) {
    let mustQuote = field.contains {
      $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\n")
        || $0 == UInt8(ascii: "\r")
    }
    guard mustQuote else {
      bytes += field
      return
    }
    bytes.append(UInt8(ascii: "\""))
    for byte in field {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
