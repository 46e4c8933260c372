/// Takes apart images that were written one after the other.
///
/// Source of the format: PNG specification (W3C), 5.2 and 5.3: a signature of 8 bytes, then chunks of
/// length (4 bytes, big-endian, at most 2^31 - 1), type (4), data and CRC (4); the last is IEND.
package struct PNGStream {
  /// Whole images, as ranges of the bytes.
  package private(set) var images: [Range<Int>] = []
  /// Bytes that belong to no whole image.
  package private(set) var leftOver = 0

  private static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

  /// Finds the images; pixels and CRCs are not looked at.
  package init(_ bytes: [UInt8]) {
    var place = 0
    var used = 0
    while let begin = PNGStream.find(in: bytes, from: place) {
      if let end = PNGStream.end(of: begin, in: bytes) {
        images.append(begin..<end)
        used += end - begin
        place = end
      } else {
        // Cut or damaged: another one may begin behind it.
        place = begin + PNGStream.signature.count
      }
    }
    leftOver = bytes.count - used
  }

  private static func find(in bytes: [UInt8], from start: Int) -> Int? {
    var place = start
    while place + signature.count <= bytes.count {
      if bytes[place] == signature[0], bytes[place...].starts(with: signature) { return place }
      place += 1
    }
    return nil
  }

  /// Where the image ends; nil when it is cut, or another image begins where a chunk should.
  private static func end(of begin: Int, in bytes: [UInt8]) -> Int? {
    var place = begin + signature.count
    while place + 12 <= bytes.count {
      let length = bytes[place..<(place + 4)].reduce(0) { $0 << 8 | Int($1) }
      let type = bytes[(place + 4)..<(place + 8)]
      guard length <= Int(Int32.max), type.allSatisfy(isLetter) else { return nil }
      place += 12 + length
      guard place <= bytes.count else { return nil }
      if type.elementsEqual("IEND".utf8) { return place }
    }
    return nil
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }
}
