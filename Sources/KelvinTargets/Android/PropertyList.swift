/// What Android's `getprop` prints without a name: `[NAME]: [VALUE]`, a line each, in which a value may
/// hold line ends (AOSP toolbox/getprop.cpp). A record whose end is missing is left out.
struct PropertyList: Hashable {
  private(set) var values: [String: String] = [:]

  /// Reads a listing.
  init(_ bytes: [UInt8]) {
    let end = Array("]\n".utf8)
    let middle = Array("]: [".utf8)
    var rest = bytes.filter { $0 != UInt8(ascii: "\r") }[...]
    while !rest.isEmpty {
      guard rest.first == UInt8(ascii: "["), let colon = PropertyList.find(middle, in: rest) else {
        // Something else was printed: the next line may be a record.
        guard let newline = rest.firstIndex(of: 10) else { return }
        rest = rest[(newline + 1)...]
        continue
      }
      let name = rest[(rest.startIndex + 1)..<colon]
      // Names have no line ends: this is no record, but text that begins like one.
      if let newline = name.firstIndex(of: 10) {
        rest = rest[(newline + 1)...]
        continue
      }
      let start = colon + middle.count
      var place = start
      var close: Int?
      while let found = PropertyList.find(end, in: rest[place...]) {
        let next = found + end.count
        if next == rest.endIndex || rest[next] == UInt8(ascii: "[") {
          close = found
          break
        }
        place = found + 1
      }
      guard let close else { return }
      values[String(decoding: name, as: UTF8.self)] =
        String(decoding: rest[start..<close], as: UTF8.self)
      rest = rest[(close + end.count)...]
    }
  }

  private static func find(_ pattern: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
    var place = bytes.startIndex
    while place + pattern.count <= bytes.endIndex {
      if bytes[place] == pattern[0], bytes[place...].starts(with: pattern) { return place }
      place += 1
    }
    return nil
  }
}
