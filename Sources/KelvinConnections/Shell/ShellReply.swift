internal import KelvinModel

/// What a script printed, and its exit status.
package struct ShellReply: Sendable {
  package var output: [UInt8]
  package var error: [UInt8]
  package var status: Int32

  /// Creates a reply.
  package init(output: [UInt8], error: [UInt8], status: Int32) {
    self.output = output
    self.error = error
    self.status = status
  }
}

/// Replies that hold the answers for several files.
extension ShellReply {
  static func separator() -> String {
    var generator = SystemRandomNumberGenerator()
    let words: [UInt64] = [generator.next(), generator.next()]
    return "kelvin-part-" + words.map { String($0, radix: 16) }.joined()
  }

  /// The parts before each line that is the separator.
  static func split(_ bytes: [UInt8], _ separator: String) -> [[UInt8]] {
    splitRaw(bytes, [10] + Array(separator.utf8)).dropLast().map { Array($0.drop { $0 == 10 }) }
  }

  /// The parts before each line `separator status`.
  static func splitWithStatus(
    _ bytes: [UInt8], _ separator: String
  ) -> [(bytes: [UInt8], status: Int32)] {
    let parts = splitRaw(bytes, [10] + Array(separator.utf8))
    var result: [(bytes: [UInt8], status: Int32)] = []
    for index in parts.indices.dropLast() {
      // Each later part begins with the status of the one before, and a newline.
      var content = parts[index]
      if index > 0, let newline = content.firstIndex(of: 10) { content = content[(newline + 1)...] }
      let next = parts[index + 1].prefix { $0 != 10 }
      let status = Int32(String(decoding: next.dropFirst(), as: UTF8.self)) ?? -1
      result.append((Array(content), status))
    }
    return result
  }

  private static func splitRaw(_ bytes: [UInt8], _ separator: [UInt8]) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index + separator.count <= bytes.count {
      if bytes[index] == separator[0],
        bytes[index..<(index + separator.count)].elementsEqual(separator)
      {
        parts.append(bytes[start..<index])
        index += separator.count
        start = index
      } else {
        index += 1
      }
    }
    parts.append(bytes[start...])
    return parts
  }

  /// The errno whose text (in the C locale) ends a message of a tool.
  static func errno(inMessage bytes: [UInt8]) -> Errno? {
    for line in bytes.split(separator: 10) {
      let text = String(decoding: line, as: UTF8.self)
      guard let colon = text.lastIndex(of: ":") else { continue }
      let message = text[text.index(after: colon)...].trimmingASCIIWhitespace
      if let error = errnoByText[String(message)] { return error }
    }
    return nil
  }

  private static let errnoByText: [String: Errno] = {
    var table: [String: Errno] = [:]
    for number in (1...133).reversed() {
      table[Errno(Int32(number)).description] = Errno(Int32(number))
    }
    // busybox and older tools differ in these.
    table["I/O error"] = .io
    table["nonexistent directory"] = .notFound
    return table
  }()
}
